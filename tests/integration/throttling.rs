//! A database that throttles is not a database that failed (contract, section 5): on tables of limited capacity, and with
//! single operations throttled. How the pace of calls falls and rises is a matter of the unit tests of
//! `src/database/client/`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{Config, IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::capacity::Capacity;
use testing::dynamodb::{Action, Rule, Throughput};
use testing::function::{import_event, with_key};
use testing::shorthand::{customers, exact, fuzzy, numbered, numbered_pairs, off, records};
use testing::stage::Stage;
use tokio::time::Instant;

/// The duration of a call to DynamoDB.
const LATENCY: Duration = Duration::from_millis(5);

/// Limits a table's reads or writes to what four partitions can bear, as many as a new on-demand table has.
fn limit(stage: &Stage, reads: Option<f64>, writes: Option<f64>) {
    let [reads, writes] = [reads, writes]
        .map(|limit| limit.map(|units_per_second| Arc::new(Capacity::new(4, units_per_second / 4.0, 1.0))));
    stage.database.throughput(Throughput { reads, writes, latency: LATENCY });
}

/// A function that writes without checking, and imports records about customers of its own, in two groups each.
async fn import(stage: &Stage, number: usize, opt_type: &str, count: usize) {
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    let data = (0..count).map(|n| json!({"audienceUserId": format!("c{number}-{n}"), "groups": "g,h"}));
    assert_eq!(function.import(off(opt_type), data.collect()).await.failures(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn writes_of_several_imports_share_a_throttled_table() {
    const RATE: f64 = 2_000.0;
    for (imports, opt_type, count) in
        [(1, "add", 1_500), (2, "delete", 1_500), (4, "add", 1_200), (10, "add", 600)]
    {
        // The pauses are random, but the same in each run of this test.
        fastrand::seed(imports as u64);
        let stage = Stage::new().await;
        limit(&stage, None, Some(RATE));
        let started = Instant::now();
        join_all((0..imports).map(|number| import(&stage, number, opt_type, count))).await;
        let (seconds, units) = (started.elapsed().as_secs_f64(), (imports * count * 2) as f64);
        let (floor, fewest) = (units / RATE, units / 25.0);
        let calls = stage.database.count("BatchWriteItem") as f64;
        assert!(seconds <= 1.25 * floor, "{imports} at once: {seconds:.2} s, {floor:.2} at least");
        assert!(calls <= 2.0 * fewest, "{imports} at once: {calls} calls, {fewest} at least");
        let expected = if opt_type == "add" { imports * count * 2 } else { 0 };
        assert_eq!(stage.memberships().await.len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn look_ups_of_several_imports_share_throttled_tables() {
    for (operation, lookup, field, prefix) in [
        ("ExecuteStatement", IdentityLookup::Statement, "openid", "o"),
        ("Query", IdentityLookup::Query, "openid", "o"),
        ("BatchGetItem", IdentityLookup::Statement, "audienceUserId", "c"),
    ] {
        fastrand::seed(7);
        let stage = Stage::new().await;
        stage.put_customers(customers(100)).await;
        limit(&stage, Some(40.0), None);
        let runs = (0..4).map(async |_| {
            let function = stage.function_with(|config| config.identity_lookup = lookup).await;
            function.import(fuzzy(1, "add"), records(field, prefix, 160)).await
        });
        for response in join_all(runs).await {
            assert_eq!(response.failures(), ["NOT_MATCHED"; 60], "{operation}");
        }
        assert!(stage.database.throttled() > 0, "{operation}");
        assert_eq!(stage.memberships().await, numbered_pairs(100));
    }
}

/// Each index has a throughput of its own.
#[tokio::test(start_paused = true)]
async fn a_throttled_index_does_not_hold_up_other_look_ups() {
    for (lookup, operation) in
        [(IdentityLookup::Statement, "ExecuteStatement"), (IdentityLookup::Query, "Query")]
    {
        let stage = Stage::new().await;
        stage.put_customers([json!({"audienceUserId": "c1", "phone": "1"})]).await;
        let names_openids = |body: &Value| body.to_string().contains("openid-index");
        stage.database.rule(Rule::on(operation, Action::THROTTLED).when(names_openids));
        // The others cannot be looked up in the last moment.
        let slow = Action::Delay(Duration::from_secs(1));
        let others = |body: &Value| !body.to_string().contains("openid-index");
        stage.database.rule(Rule::on(operation, slow.clone()).when(others));
        stage.database.rule(Rule::on("BatchGetItem", slow));
        let set = |config: &mut Config| (config.identity_lookup, config.lookup_concurrency) = (lookup, 4);
        let mut function = stage.function_with(set).await;
        function.seconds = 6.0;
        // More look-ups than there are places for calls.
        let mut data = records("openid", "o", 100);
        for other in [json!({"audienceUserId": "c1", "groups": "g"}), json!({"phone": "1", "groups": "h"})] {
            data.as_array_mut().expect("records").push(other);
        }
        let response = function.import(fuzzy(1, "add"), data).await;
        assert_eq!(response.failures(), ["TIMEOUT"; 100], "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_index_is_read_for_begun_records_first() {
    fastrand::seed(3);
    let stage = Stage::new().await;
    let names = |index: &'static str| move |body: &Value| body.to_string().contains(index);
    let throttled = Rule::on("ExecuteStatement", Action::THROTTLED).when(names("openid-index"));
    stage.database.rule(throttled.times(8));
    let slow = Action::Delay(Duration::from_millis(500));
    stage.database.rule(Rule::on("ExecuteStatement", slow).when(names("unionid-index")));
    let mut function = stage.function_with(|config| config.lookup_concurrency = 2).await;
    function.seconds = 6.0;
    let mut data = records("openid", "o", 4_000);
    data.as_array_mut().expect("records").insert(0, json!({"unionid": "u", "openid": "x", "groups": "g"}));
    let response = function.import(fuzzy(1, "add"), data).await;
    let failures = response.failures();
    assert_eq!((failures[0], failures[4_000]), ("NOT_MATCHED", "TIMEOUT"));
}

/// Its partition may be hot while the rest of the index is not.
#[tokio::test(start_paused = true)]
async fn a_value_that_stays_throttled_fails_alone() {
    for (lookup, operation) in
        [(IdentityLookup::Statement, "ExecuteStatement"), (IdentityLookup::Query, "Query")]
    {
        fastrand::seed(2);
        let stage = Stage::new().await;
        stage.put_customers(customers(1_000)).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        stage.database.rule(Rule::on(operation, Action::Delay(LATENCY)).when(|body| !names_hot(body)));
        stage.database.rule(Rule::on(operation, Action::THROTTLED).when(names_hot));
        let response = function.import(fuzzy(1, "add"), records("openid", "o", 1_000)).await;
        assert_eq!(response.failures(), ["TIMEOUT"], "{operation}");
        assert_eq!(stage.memberships().await.len(), 999);
        let throttled = stage.database.faults().iter().filter(|(_, fault)| fault.name() != "delay").count();
        assert!(throttled < 50, "{throttled}");
    }
}

fn names_hot(body: &Value) -> bool {
    body.to_string().contains("\"o100\"")
}

#[tokio::test(start_paused = true)]
async fn a_check_of_memberships_does_not_wait_for_a_slow_pace() {
    fastrand::seed(5);
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Always).await;
    stage.database.rule(Rule::on("BatchGetItem", Action::THROTTLED).times(1));
    function.import(off("add"), numbered(1)).await.data();
    let started = Instant::now();
    assert_eq!(function.import(off("add"), numbered(1_000)).await.failures(), [""; 0]);
    assert!(started.elapsed().as_secs_f64() < 0.2, "{:?}", started.elapsed());
    assert_eq!(stage.memberships().await, numbered_pairs(1_000));
}

#[tokio::test(start_paused = true)]
async fn throttled_look_ups_do_not_slow_the_check_of_memberships() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c0"})]).await;
    stage.put_memberships(&numbered_pairs(1_000)).await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Always).await;
    stage.database.rule(Rule::on("BatchGetItem", Action::THROTTLED).times(10));
    assert_eq!(function.import(exact("add"), numbered(1)).await.failures(), [""; 0]);
    stage.database.reset();
    assert_eq!(function.import(off("add"), numbered(1_000)).await.failures(), [""; 0]);
    assert_eq!((stage.database.count("BatchGetItem"), stage.database.count("BatchWriteItem")), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn an_import_begins_at_the_pace_of_the_last() {
    fastrand::seed(3);
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::THROTTLED).times(30));
    for at_least in [1.0, 0.1] {
        let started = Instant::now();
        assert_eq!(function.import(off("add"), numbered(200)).await.failures(), [""; 0]);
        assert!(started.elapsed().as_secs_f64() > at_least, "{:?}", started.elapsed());
        tokio::time::advance(Duration::from_secs(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_and_keys_are_checked_despite_throttling() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let event = with_key(import_event(off("add"), numbered(3)), "k1");
    for operation in ["GetItem", "PutItem", "UpdateItem"] {
        // The SDK alone would have given up.
        stage.database.rule(Rule::on(operation, Action::THROTTLED).times(12));
    }
    assert_eq!(function.invoke(event.clone()).await.failures(), [""; 0]);
    assert_eq!(stage.database.count("UpdateItem"), 13);
    let again = function.invoke(event.clone()).await;
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
    for operation in ["GetItem", "PutItem"] {
        let before = stage.database.count(operation);
        stage.database.rule(Rule::on(operation, Action::THROTTLED));
        assert_eq!(function.invoke(event.clone()).await.code(), "SERVICE_UNAVAILABLE", "{operation}");
        stage.database.clear_rules();
        // Half a minute of pauses that grow to half a second on average.
        let calls = stage.database.count(operation) - before;
        assert!((20..120).contains(&calls), "{operation}: {calls} calls");
    }
}
