//! One value or membership that the database fails does not fail others (contract, sections 4 to 6). How the outage of
//! one decides a record is seen by the properties of the matching.

use std::collections::{BTreeMap, BTreeSet};

use group_import::config::IdentityLookup;
use serde_json::{Value, json};
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

fn store_errors(records: &BTreeSet<String>) -> BTreeMap<String, String> {
    records.iter().map(|record| (record.clone(), "STORE_ERROR".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_each_of_its_calls_fails_alone() {
    let matching = vec![exact("add"), fuzzy(1, "add"), fuzzy(2, "add")];
    let without = vec![off("add")];
    // One of each `every` fails.
    for (operation, fault, every, n, all_params) in [
        ("BatchWriteItem", Action::BROKEN, 50, 300, &without),
        ("BatchWriteItem", Action::rejected("ValidationException"), 50, 300, &without),
        ("ExecuteStatement", Action::BROKEN, 20, 200, &matching),
        ("Query", Action::BROKEN, 20, 60, &matching),
        ("BatchGetItem", Action::BROKEN, 130, 130, &matching),
    ] {
        let by_query = operation == "Query";
        let lookup = if by_query { IdentityLookup::Query } else { IdentityLookup::Statement };
        let by_index = by_query || operation == "ExecuteStatement";
        let field = if by_index { "openid" } else { "audienceUserId" };
        let stage = Stage::new().await;
        let same = customers(n).map(|mut customer| {
            customer["openid"] = customer["audienceUserId"].clone();
            customer
        });
        stage.put_customers(same).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        let failing: BTreeSet<String> = (3..n).step_by(every).map(|n| format!("c{n}")).collect();
        for params in all_params {
            stage.database.reset();
            let partly = Action::Unprocessed { processed: Share::Count(5) };
            stage.database.rule(Rule::on("BatchWriteItem", partly).times(1));
            for id in &failing {
                stage.database.rule(Rule::on(operation, fault.clone()).when(contains(id)));
            }
            let response = function.import(params.clone(), records(field, "c", n)).await;
            assert_eq!(failures_by(&response, field), store_errors(&failing), "{operation}");
            let failed = pairs(failing.iter().map(|id| (format!("t1#{id}"), "g")));
            assert_eq!(stage.memberships().await, &numbered_pairs(n) - &failed);
            resend(&stage, &function, params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(n), "{operation}");
            function.import(off("delete"), numbered(n)).await.data();
        }
    }
}

/// In an outage more calls would only prolong it.
#[tokio::test(start_paused = true)]
async fn where_each_call_fails_few_are_split() {
    for (operation, params, field, calls) in [
        ("BatchWriteItem", off("add"), "audienceUserId", 40 + 4 * 25),
        ("ExecuteStatement", exact("add"), "openid", 112 + 11 * 9),
        ("BatchGetItem", exact("add"), "audienceUserId", 10 + 100),
    ] {
        let stage = Stage::new().await;
        let function = stage.function().await;
        stage.database.rule(Rule::on(operation, Action::Garble));
        let response = function.import(params, records(field, "c", 1_000)).await;
        assert_eq!(response.failures(), ["STORE_ERROR"; 1_000], "{operation}");
        assert_eq!(stage.database.count(operation), calls, "{operation}");
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
        stage.database.reset();
        stage.database.rule(Rule::on("BatchWriteItem", Action::Respond(answer)));
        let response = function.import(off("add"), numbered(5)).await;
        assert_eq!(response.failures(), ["STORE_ERROR"; 5], "{answer}");
        assert!(stage.memberships().await.is_empty());
    }
}

/// As where something between the function and the database mixes up two calls.
#[tokio::test(start_paused = true)]
async fn a_response_that_is_none_to_its_call_is_a_failure() {
    let (statement, query) = (IdentityLookup::Statement, IdentityLookup::Query);
    let other_value =
        r#"{"Items":[{"openid":{"S":"o1"},"audienceUserId":{"S":"c1"},"tenantId":{"S":"t1"}}]}"#;
    let other_tenant =
        r#"{"Items":[{"openid":{"S":"o0"},"audienceUserId":{"S":"c1"},"tenantId":{"S":"t2"}}]}"#;
    let other_token = r#"{"Item":{"tokenHash":{"S":"x"},"tenantId":{"S":"t1"}}}"#;
    let record = |field: &str, value: &str| json!([{field: value, "phone": "13800000000", "groups": "g"}]);
    for (operation, answer, lookup, data, status) in [
        ("ExecuteStatement", "{}", statement, record("openid", "o0"), 200),
        ("ExecuteStatement", other_value, statement, record("openid", "o0"), 200),
        ("Query", "{}", query, record("openid", "o0"), 200),
        ("Query", other_value, query, record("openid", "o0"), 200),
        ("Query", other_tenant, query, record("openid", "o0"), 200),
        ("BatchGetItem", "{}", statement, record("audienceUserId", "c0"), 200),
        ("GetItem", other_token, statement, record("openid", "o0"), 503),
    ] {
        let stage = Stage::new().await;
        let known = ["c0", "c1"].map(|id| json!({"audienceUserId": id, "phone": "13800000000"}));
        stage.put_customers(known).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        stage.database.rule(Rule::on(operation, Action::Respond(answer)));
        let response = function.import(exact("add"), data).await;
        assert_eq!(response.status, status, "{operation} {answer}");
        if status == 200 {
            assert_eq!(response.failures(), ["STORE_ERROR"], "{operation} {answer}");
        }
        assert!(stage.memberships().await.is_empty(), "{operation} {answer}");
    }
}
