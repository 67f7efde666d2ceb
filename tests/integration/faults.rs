//! A database failure affects only the records of the failed call (contract, sections 4 to 6).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use group_import::config::{IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule, Share};
use testing::function::Response;
use testing::shorthand::{exact, failures_by, fuzzy, numbered, numbered_pairs, off, pairs, resend};
use testing::stage::Stage;

const REJECTED: Action = Action::Error { status: 400, code: "ValidationException", message: "rejected" };

/// Whether the body of a call contains this text as a complete string.
fn contains(text: &str) -> impl Fn(&Value) -> bool + Send + Sync + 'static {
    let quoted = Value::from(text).to_string();
    move |body| body.to_string().contains(&quoted)
}

/// The `ids` that are in a call of `operation` together with `id`.
fn in_call_with(
    stage: &Stage,
    operation: &str,
    id: &str,
    ids: impl Iterator<Item = String>,
) -> BTreeSet<String> {
    let calls = stage.database.calls().into_iter().filter(|call| call.operation == operation);
    let affected: Vec<_> = calls.filter(|call| contains(id)(&call.body)).collect();
    ids.filter(|one| affected.iter().any(|call| contains(one)(&call.body))).collect()
}

fn store_errors(records: &BTreeSet<String>) -> BTreeMap<String, String> {
    records.iter().map(|record| (record.clone(), "STORE_ERROR".to_owned())).collect()
}

fn assert_retryable(response: &Response) {
    for record in response.data()["errorData"].as_array().expect("failures") {
        assert_eq!(record["retryable"], true, "{record}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_fails_only_its_own_records() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::BROKEN).when(contains("c30")));
    let response = function.import(off("add"), numbered(60)).await;
    let affected = in_call_with(&stage, "BatchWriteItem", "c30", (0..60).map(|n| format!("c{n}")));
    assert_eq!(affected.len(), 25);
    assert_eq!(failures_by(&response, "audienceUserId"), store_errors(&affected));
    assert_retryable(&response);
    let written = (0..60).map(|n| format!("c{n}")).filter(|id| !affected.contains(id));
    assert_eq!(stage.memberships().await, pairs(written.map(|id| (format!("t1#{id}"), "g"))));
    resend(&stage, &function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, numbered_pairs(60));
}

#[tokio::test(start_paused = true)]
async fn a_success_has_all_its_groups_written() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let groups: Vec<_> = (0..30).map(|n| format!("g{n}")).collect();
    let data = json!([
        {"audienceUserId": "c1", "groups": groups.join(",")},
        {"audienceUserId": "c1", "groups": "g0,g1"},
        {"audienceUserId": "c1", "groups": "g29"},
    ]);
    stage.database.rule(Rule::on("BatchWriteItem", Action::BROKEN).when(contains("g29")));
    let response = function.import(off("add"), data).await;
    let failed = response.data()["errorData"].as_array().expect("failures");
    assert_eq!(failed.len(), 2);
    assert_eq!((&failed[0]["groups"], &failed[1]["groups"]), (&json!(groups.join(",")), &json!("g29")));
    assert_eq!(stage.memberships().await.len(), 25, "the groups of the other call");
    resend(&stage, &function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, pairs(groups.iter().map(|group| ("t1#c1", group))));
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_fails_only_its_own_records() {
    for (field, operation, records, share, lookup) in [
        ("openid", "ExecuteStatement", 20, 9, IdentityLookup::Statement),
        ("phone", "Query", 6, 1, IdentityLookup::Query),
        ("audienceUserId", "BatchGetItem", 130, 100, IdentityLookup::Statement),
    ] {
        let stage = Stage::new().await;
        let id = |n: usize| format!("c{n}");
        stage.put_customers((0..records).map(|n| json!({"audienceUserId": id(n), field: id(n)}))).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        let data: Value = (0..records).map(|n| json!({field: id(n), "groups": "g"})).collect();
        for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
            stage.database.reset();
            stage.database.rule(Rule::on(operation, Action::BROKEN).when(contains("c3")));
            let response = function.import(params.clone(), data.clone()).await;
            stage.database.clear_rules();
            let affected = in_call_with(&stage, operation, "c3", (0..records).map(id));
            assert_eq!(affected.len(), share, "{operation}");
            assert_eq!(failures_by(&response, field), store_errors(&affected), "{operation}");
            assert_retryable(&response);
            resend(&stage, &function, &params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(records), "{operation}");
            function.import(off("delete"), numbered(records)).await.data();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_stops_fuzzy_matching() {
    let stage = Stage::new().await;
    let customer = json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "1"});
    stage.put_customers([customer]).await;
    let data =
        json!([{"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "1", "groups": "g"}]);
    for (way, first) in [(1, "unionid-index"), (2, "phone-index")] {
        for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
            for fault in [Action::BROKEN, Action::THROTTLED, Action::Reset, Action::Garble] {
                let function = stage.function_with(|config| config.identity_lookup = lookup).await;
                stage.database.reset();
                let of_first = move |body: &Value| body.to_string().contains(first);
                stage.database.rule(Rule::on_any(fault.clone()).when(of_first));
                let response = function.import(fuzzy(way, "add"), data.clone()).await;
                let code = if fault.name() == Action::THROTTLED.name() { "TIMEOUT" } else { "STORE_ERROR" };
                assert_eq!(response.failures(), [code], "{fault:?}");
                let calls = stage.database.calls();
                assert!(calls.iter().skip(1).all(|call| of_first(&call.body)), "{calls:?}");
                assert!(stage.memberships().await.is_empty());
                stage.database.clear_rules();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_exact_lookup_is_a_store_error() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1"}),
            json!({"audienceUserId": "c2", "unionid": "u2"}),
        ])
        .await;
    let function = stage.function().await;
    stage.database.rule(
        Rule::on("ExecuteStatement", Action::BROKEN).when(|body| body.to_string().contains("openid-index")),
    );
    let data = json!([
        {"unionid": "u1", "openid": "o1", "groups": "g"},
        {"unionid": "u1", "groups": "h"},
        // No customer has the unionid: the failed lookup cannot change that.
        {"unionid": "nobody", "openid": "o1", "groups": "g"},
    ]);
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.failures(), ["STORE_ERROR", "NOT_MATCHED"]);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "h")]));
}

#[tokio::test(start_paused = true)]
async fn unprocessed_items_are_retried() {
    let stage = Stage::new().await;
    stage.put_customers((0..40).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    for params in [exact("add"), exact("delete")] {
        for (operation, processed, times) in [
            ("BatchWriteItem", Share::Count(0), 2),
            ("BatchWriteItem", Share::Fraction(1, 2), 5),
            ("BatchGetItem", Share::Count(0), 2),
            ("BatchGetItem", Share::Fraction(1, 3), 5),
        ] {
            stage.database.clear_rules();
            stage.database.reset();
            stage.database.rule(Rule::on(operation, Action::Unprocessed { processed }).times(times));
            let response = function.import(params.clone(), numbered(40)).await;
            assert_eq!(response.failures(), [""; 0], "{operation} {processed:?}");
            assert_eq!(stage.database.faults().len(), times, "{operation} {processed:?}");
            let expected = if params == exact("add") { 40 } else { 0 };
            assert_eq!(stage.memberships().await, numbered_pairs(expected));
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
        assert_retryable(&response);
        assert!(stage.memberships().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn items_never_processed_are_timeouts() {
    let run = async |operation: &'static str| {
        let stage = Stage::new().await;
        stage.put_customers((0..30).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
        let function = stage.function().await;
        // Half of the remaining items each time, rounded down: the last one is never processed.
        let processed = Share::Fraction(1, 2);
        stage.database.rule(Rule::on(operation, Action::Unprocessed { processed }));
        let response = function.import(exact("add"), numbered(30)).await;
        let failed = failures_by(&response, "audienceUserId");
        assert_eq!(failed.into_values().collect::<Vec<_>>(), ["TIMEOUT"], "{operation}");
        let failed = failures_by(&response, "audienceUserId");
        let written = (0..30).map(|n| format!("c{n}")).filter(|id| !failed.contains_key(id));
        assert_eq!(stage.memberships().await, pairs(written.map(|id| (format!("t1#{id}"), "g"))));
        assert_retryable(&response);
        resend(&stage, &function, &exact("add"), &response).await;
        assert_eq!(stage.memberships().await, numbered_pairs(30));
    };
    join_all(["BatchWriteItem", "BatchGetItem"].map(run)).await;
}

#[tokio::test(start_paused = true)]
async fn one_rejected_item_fails_alone() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let codes = [
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
        "ReplicatedWriteConflictException",
    ];
    for (code, params) in codes.iter().flat_map(|code| [(code, off("add")), (code, off("delete"))]) {
        let rejected = Action::Error { status: 400, code, message: "rejected" };
        stage.database.rule(Rule::on("BatchWriteItem", rejected).when(contains("t1#c7")));
        let response = function.import(params.clone(), numbered(60)).await;
        let failed = store_errors(&BTreeSet::from(["c7".to_owned()]));
        assert_eq!(failures_by(&response, "audienceUserId"), failed, "{code}");
        let only_c7 = params == off("delete");
        let state = stage.memberships().await;
        assert!(
            numbered_pairs(60).iter().all(|pair| state.contains(pair) == ((pair.0 == "t1#c7") == only_c7))
        );
        resend(&stage, &function, &params, &response).await;
        assert_eq!(stage.memberships().await, numbered_pairs(if only_c7 { 0 } else { 60 }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_item_fails_alone_after_partial_processing() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    stage
        .database
        .rule(Rule::on("BatchWriteItem", Action::Unprocessed { processed: Share::Count(5) }).times(1));
    stage.database.rule(Rule::on("BatchWriteItem", REJECTED).when(contains("t1#c7")));
    let response = function.import(off("add"), numbered(20)).await;
    assert_eq!(failures_by(&response, "audienceUserId"), store_errors(&BTreeSet::from(["c7".to_owned()])));
    assert_eq!(stage.memberships().await.len(), 19);
}

#[tokio::test(start_paused = true)]
async fn batches_have_at_most_25_distinct_keys() {
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    for (n, calls) in [(1, 1), (25, 1), (26, 2), (50, 2), (51, 3)] {
        stage.database.reset();
        // The database rejects a longer batch, and one that contains a key twice.
        let mut records = numbered(n);
        records.as_array_mut().expect("an array").extend(numbered(n).as_array().expect("an array").clone());
        let response = function.import(off("add"), records).await;
        assert_eq!(response.data()["importSuccessNum"], 2 * n);
        assert_eq!(stage.database.count("BatchWriteItem"), calls, "{n} memberships");
    }
}
