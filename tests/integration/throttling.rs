//! A database that throttles is not a database that failed (contract, section 5): on tables of limited capacity, and
//! with every operation throttled alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::capacity::Capacity;
use testing::dynamodb::{Action, Rule, Share, Throughput};
use testing::function::{Function, Response, post_event};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, resend};
use testing::stage::{Stage, TOKEN};
use tokio::time::Instant;

/// The duration of a call to DynamoDB.
const LATENCY: Duration = Duration::from_millis(5);

/// The capacity of four partitions, as many as a new on-demand table has.
fn capacity(units_per_second: f64) -> Option<Arc<Capacity>> {
    Some(Arc::new(Capacity::new(4, units_per_second / 4.0, 1.0)))
}

fn writes(units_per_second: f64) -> Throughput {
    Throughput { writes: capacity(units_per_second), latency: LATENCY, ..Throughput::default() }
}

fn reads(units_per_second: f64) -> Throughput {
    Throughput { reads: capacity(units_per_second), latency: LATENCY, ..Throughput::default() }
}

/// Records about customers of one import, in two groups each.
fn records(import: usize, count: usize) -> Value {
    (0..count).map(|n| json!({"audienceUserId": format!("c{import}-{n}"), "groups": "g,h"})).collect()
}

/// Runs concurrent imports, each in its own function; returns the responses, and the seconds in total.
async fn at_once(stage: &Stage, imports: usize, opt_type: &str, count: usize) -> (Vec<Response>, f64) {
    let started = Instant::now();
    let runs = (0..imports).map(async |import| {
        let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
        function.import(off(opt_type), records(import, count)).await
    });
    let responses = join_all(runs).await;
    (responses, started.elapsed().as_secs_f64())
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
        stage.database.throughput(writes(RATE));
        let (responses, seconds) = at_once(&stage, imports, opt_type, count).await;
        for response in &responses {
            assert_eq!(response.failures(), [""; 0], "{imports} at once");
        }
        let units = (imports * count * 2) as f64;
        let (floor, fewest) = (units / RATE, units / 25.0);
        let calls = stage.database.count("BatchWriteItem") as f64;
        assert!(seconds <= 1.25 * floor, "{imports} at once: {seconds:.2} s, {floor:.2} at least");
        assert!(calls <= 2.0 * fewest, "{imports} at once: {calls} calls, {fewest} at least");
        let expected = if opt_type == "add" { imports * count * 2 } else { 0 };
        assert_eq!(stage.memberships().await.len(), expected);
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
        let mut function = stage.function_with(|config| config.identity_lookup = lookup).await;
        function.seconds = 6.0;
        let data = json!([
            {"openid": "o", "groups": "g"},
            {"audienceUserId": "c1", "groups": "g"},
            {"phone": "1", "groups": "h"},
        ]);
        let response = function.import(fuzzy(1, "add"), data).await;
        assert_eq!(response.failures(), ["TIMEOUT"], "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn look_ups_of_several_imports_share_throttled_tables() {
    for (lookup, operation) in
        [(IdentityLookup::Statement, "ExecuteStatement"), (IdentityLookup::Query, "Query")]
    {
        fastrand::seed(7);
        let stage = Stage::new().await;
        let customer = |n: usize| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")});
        stage.put_customers((0..100).map(customer)).await;
        stage.database.throughput(reads(40.0));
        let data: Value = (0..160).map(|n| json!({"openid": format!("o{n}"), "groups": "g"})).collect();
        let runs = (0..4).map(async |_| {
            let function = stage.function_with(|config| config.identity_lookup = lookup).await;
            function.import(fuzzy(1, "add"), data.clone()).await
        });
        for response in join_all(runs).await {
            assert_eq!(response.failures(), ["NOT_MATCHED"; 60], "{operation}");
        }
        assert!(stage.database.count(operation) > 4 * 160_usize.div_ceil(9), "{operation} was throttled");
        assert_eq!(stage.memberships().await.len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn customer_ids_are_read_despite_throttling() {
    let stage = Stage::new().await;
    stage.put_customers((0..600).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    stage.database.throughput(reads(40.0));
    assert_eq!(function.import(exact("add"), numbered(600)).await.failures(), [""; 0]);
    assert!(stage.database.count("BatchGetItem") > 6);
    assert_eq!(stage.memberships().await, numbered_pairs(600));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_check_of_memberships_is_abandoned() {
    for unprocessed in [Action::THROTTLED, Action::Unprocessed { processed: Share::Count(0) }] {
        let stage = Stage::new().await;
        let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Always).await;
        stage.put_memberships(&numbered_pairs(300)).await;
        stage.database.rule(Rule::on("BatchGetItem", unprocessed.clone()));
        assert_eq!(function.import(off("add"), numbered(300)).await.failures(), [""; 0]);
        assert!(stage.database.count("BatchGetItem") <= 3, "no call is repeated");
        let written = stage.database.count("BatchWriteItem");
        assert!((6..=12).contains(&written), "{written} calls for {unprocessed:?}");
    }
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
async fn permanent_throttling_is_a_timeout() {
    let cases = [
        ("ExecuteStatement", fuzzy(1, "add"), IdentityLookup::Statement, Action::THROTTLED),
        ("Query", exact("add"), IdentityLookup::Query, Action::THROTTLED),
        ("BatchGetItem", exact("add"), IdentityLookup::Statement, Action::THROTTLED),
        (
            "BatchGetItem",
            exact("add"),
            IdentityLookup::Statement,
            Action::Unprocessed { processed: Share::Count(0) },
        ),
        ("BatchWriteItem", off("add"), IdentityLookup::Statement, Action::THROTTLED),
        (
            "BatchWriteItem",
            off("delete"),
            IdentityLookup::Statement,
            Action::Unprocessed { processed: Share::Count(0) },
        ),
    ];
    let run = async |(operation, params, lookup, fault): (&'static str, Value, _, Action)| {
        let stage = Stage::new().await;
        let customer = |n: usize| json!({"audienceUserId": format!("c{n}"), "openid": format!("c{n}")});
        stage.put_customers((0..5).map(customer)).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        let field =
            if operation == "ExecuteStatement" || operation == "Query" { "openid" } else { "audienceUserId" };
        let data: Value = (0..5).map(|n| json!({field: format!("c{n}"), "groups": "g"})).collect();
        if params == off("delete") {
            stage.put_memberships(&numbered_pairs(5)).await;
        }
        stage.database.rule(Rule::on(operation, fault));
        let started = Instant::now();
        let response = function.import(params.clone(), data).await;
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(response.failures(), ["TIMEOUT"; 5], "{operation}");
        // Of 30 s, less a margin of 1.5; look-ups have 70 % of that.
        let end = if operation == "BatchWriteItem" { 28.6 } else { 20.0 };
        assert!((0.7 * end..end).contains(&seconds), "{operation}: {seconds} s");
        let calls = stage.database.count(operation);
        assert!((5..120).contains(&calls), "{operation}: {calls} calls");
        resend(&stage, &function, &params, &response).await;
        let expected = if params == off("delete") { 0 } else { 5 };
        assert_eq!(stage.memberships().await, numbered_pairs(expected));
    };
    join_all(cases.map(run)).await;
}

#[tokio::test(start_paused = true)]
async fn tokens_and_keys_are_checked_despite_throttling() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let body = json!({"publicParams": off("add"), "data": numbered(3)}).to_string();
    let mut event = post_event(TOKEN, body);
    event["headers"]["idempotency-key"] = "k1".into();
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
        let response = function.invoke(event.clone()).await;
        assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"), "{operation}");
        stage.database.clear_rules();
        // Half a minute of pauses that grow to half a second on average.
        let calls = stage.database.count(operation) - before;
        assert!((20..120).contains(&calls), "{operation}: {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_end_a_limit_and_time_does_not() {
    fastrand::seed(3);
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    let seconds = async |data: Value| {
        let started = Instant::now();
        assert_eq!(function.import(off("add"), data).await.failures(), [""; 0]);
        started.elapsed().as_secs_f64()
    };
    stage.database.rule(Rule::on("BatchWriteItem", Action::THROTTLED).times(30));
    assert!(seconds(records(0, 100)).await > 1.0);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert!(seconds(records(1, 100)).await > 0.1, "the next import begins at the pace of the last");
    assert!(seconds(records(2, 3_000)).await < 5.0);
    assert!(seconds(records(3, 300)).await < 0.01);
}

/// An import writes to a table of 500 writes a second, after each function was throttled once and then was not: with
/// nothing to do, or with imports, the last of which ends as this one starts. Tests of `Pace` have more such calms.
#[tokio::test(start_paused = true)]
async fn throttled_again_after_a_calm_few_calls_are_in_vain() {
    for (processes, seconds, imports_go_on) in [(1, 40, true), (4, 600, false)] {
        fastrand::seed(seconds);
        let stage = Stage::new().await;
        let mut functions = Vec::new();
        for n in 0..processes {
            let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
            stage.database.rule(Rule::on("BatchWriteItem", Action::THROTTLED).times(1));
            function.import(off("add"), records(n, 1)).await.data();
            functions.push(function);
        }
        let import = async |count: usize| {
            let run = async |(n, function): (usize, &Function)| {
                let response = function.import(off("add"), records(n, count)).await;
                assert_eq!(response.failures(), [""; 0]);
            };
            join_all(functions.iter().enumerate().map(run)).await;
        };
        stage.database.throughput(Throughput { latency: LATENCY, ..Throughput::default() });
        let end = Instant::now() + Duration::from_secs(seconds);
        while imports_go_on && Instant::now() < end {
            let next = Instant::now() + Duration::from_secs(seconds) / 20;
            tokio::time::sleep_until(next.min(end)).await;
            import(300).await;
        }
        tokio::time::sleep_until(end).await;
        stage.database.throughput(writes(500.0));
        stage.database.reset();
        let count = if processes == 4 { 1_600 } else { 2_500 };
        import(count).await;
        let (calls, fewest) = (stage.database.count("BatchWriteItem"), processes * count * 2 / 25);
        let case = format!("{processes} processes, {seconds} s, imports: {imports_go_on}");
        assert!(2 * calls <= 3 * fewest, "{case}: {calls} calls, {fewest} at least");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_recovers_within_seconds_of_total_throttling() {
    fastrand::seed(4);
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    stage.database.throughput(Throughput { latency: LATENCY, ..Throughput::default() });
    stage.database.rule(Rule::on("BatchWriteItem", Action::THROTTLED));
    assert_eq!(function.import(off("add"), records(0, 20)).await.failures(), ["TIMEOUT"; 20]);
    stage.database.clear_rules();
    // 80 calls: as many seconds at the lowest rate.
    let started = Instant::now();
    assert_eq!(function.import(off("add"), records(1, 1_000)).await.failures(), [""; 0]);
    let seconds = started.elapsed().as_secs_f64();
    assert!((1.0..5.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn after_a_rejected_statement_the_process_sends_no_more() {
    for code in ["AccessDeniedException", "ValidationException"] {
        let stage = Stage::new().await;
        stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
        let function = stage.function_with(|config| config.lookup_concurrency = 1).await;
        let rejected = Action::Error { status: 400, code, message: "rejected" };
        stage.database.rule(Rule::on("ExecuteStatement", rejected));
        let data: Value = (0..50).map(|n| json!({"openid": format!("o{n}"), "groups": "g"})).collect();
        for queries in [50, 100] {
            assert_eq!(function.import(fuzzy(1, "add"), data.clone()).await.failures().len(), 49);
            assert_eq!(
                (stage.database.count("ExecuteStatement"), stage.database.count("Query")),
                (1, queries),
                "{code}"
            );
            tokio::time::advance(Duration::from_secs(4 * 60)).await;
        }
        // After some minutes one is tried again.
        function.import(fuzzy(1, "add"), data.clone()).await.data();
        assert_eq!(stage.database.count("ExecuteStatement"), 2);
        tokio::time::advance(Duration::from_secs(5 * 60)).await;
        stage.database.clear_rules();
        stage.database.reset();
        function.import(fuzzy(1, "add"), data).await.data();
        assert_eq!((stage.database.count("ExecuteStatement"), stage.database.count("Query")), (6, 0));
    }
}
