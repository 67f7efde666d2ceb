//! A database failure affects only the records of the failed call (contract, sections 4 to 6). How the outage of a value
//! or of a membership decides a record is seen by the properties of the matching.

use std::collections::{BTreeMap, BTreeSet};

use group_import::config::IdentityLookup;
use serde_json::Value;
use testing::dynamodb::{Action, Rule, Share};
use testing::shorthand::{
    customers, exact, failures_by, fuzzy, numbered, numbered_pairs, off, pairs, records, resend,
};
use testing::stage::Stage;

/// Whether the body of a call contains this text as a complete string.
fn contains(text: &str) -> impl Fn(&Value) -> bool + Send + Sync + 'static {
    let quoted = Value::from(text).to_string();
    move |body| body.to_string().contains(&quoted)
}

/// Those of `c0` to `c{n - 1}` that are in a call of `operation` together with `c3`.
fn in_call_with_c3(stage: &Stage, operation: &str, n: usize) -> BTreeSet<String> {
    let calls = stage.database.calls().into_iter().filter(|call| call.operation == operation);
    let affected: Vec<_> = calls.filter(|call| contains("c3")(&call.body)).collect();
    let ids = (0..n).map(|n| format!("c{n}"));
    ids.filter(|id| affected.iter().any(|call| contains(id)(&call.body))).collect()
}

fn store_errors(records: &BTreeSet<String>) -> BTreeMap<String, String> {
    records.iter().map(|record| (record.clone(), "STORE_ERROR".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_fails_only_its_own_records() {
    let matching = vec![exact("add"), fuzzy(1, "add"), fuzzy(2, "add")];
    for (operation, all_params, field, n, share, lookup) in [
        ("BatchWriteItem", vec![off("add")], "audienceUserId", 60, 25, IdentityLookup::Statement),
        ("ExecuteStatement", matching.clone(), "openid", 20, 9, IdentityLookup::Statement),
        ("Query", matching.clone(), "openid", 6, 1, IdentityLookup::Query),
        ("BatchGetItem", matching, "audienceUserId", 130, 100, IdentityLookup::Statement),
    ] {
        let stage = Stage::new().await;
        let same = customers(n).map(|mut customer| {
            customer["openid"] = customer["audienceUserId"].clone();
            customer
        });
        stage.put_customers(same).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for params in all_params {
            stage.database.reset();
            stage.database.rule(Rule::on(operation, Action::BROKEN).when(contains("c3")));
            let response = function.import(params.clone(), records(field, "c", n)).await;
            let affected = in_call_with_c3(&stage, operation, n);
            assert_eq!(affected.len(), share, "{operation}");
            assert_eq!(failures_by(&response, field), store_errors(&affected), "{operation}");
            let written = (0..n).map(|n| format!("c{n}")).filter(|id| !affected.contains(id));
            assert_eq!(stage.memberships().await, pairs(written.map(|id| (format!("t1#{id}"), "g"))));
            resend(&stage, &function, &params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(n), "{operation}");
            function.import(off("delete"), numbered(n)).await.data();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unprocessed_items_of_no_record_put_the_whole_batch_in_doubt() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for answer in [
        r#"{"UnprocessedItems":{"m":[{}]}}"#,
        r#"{"UnprocessedItems":{"m":[{"PutRequest":{"Item":{}}}]}}"#,
        r#"{"UnprocessedItems":{"m":[{"DeleteRequest":{"Key":{"customerKey":{"S":"t1#c0"},"groupName":{"N":"1"}}}}]}}"#,
        r#"{"UnprocessedItems":{"m":[{"PutRequest":{"Item":{"customerKey":{"S":"t2#c0"},"groupName":{"S":"g"}}}}]}}"#,
        r#"{"UnprocessedItems":{"m":[{"PutRequest":{"Item":{"customerKey":{"S":"t1#c9"},"groupName":{"S":"g"}}}}]}}"#,
    ] {
        stage.database.rule(Rule::on("BatchWriteItem", Action::Respond(answer)).times(1));
        let response = function.import(off("add"), numbered(5)).await;
        assert_eq!(response.failures(), ["STORE_ERROR"; 5], "{answer}");
        assert!(stage.memberships().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn one_rejected_item_fails_alone() {
    for code in [
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
        "ReplicatedWriteConflictException",
    ] {
        let stage = Stage::new().await;
        let function = stage.function().await;
        let partly = Action::Unprocessed { processed: Share::Count(5) };
        stage.database.rule(Rule::on("BatchWriteItem", partly).times(1));
        stage.database.rule(Rule::on("BatchWriteItem", Action::rejected(code)).when(contains("t1#c7")));
        let response = function.import(off("add"), numbered(60)).await;
        let c7 = BTreeSet::from(["c7".to_owned()]);
        assert_eq!(failures_by(&response, "audienceUserId"), store_errors(&c7), "{code}");
        assert_eq!(stage.memberships().await, &numbered_pairs(60) - &pairs([("t1#c7", "g")]));
        resend(&stage, &function, &off("add"), &response).await;
        assert_eq!(stage.memberships().await, numbered_pairs(60));
    }
}
