//! The database rejects calls, throttles, fails, closes connections or hangs: transient faults are hidden, permanent ones
//! reported, and the process stays usable (contract, sections 4 to 6).

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{Config, IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule, Share};
use testing::function::Function;
use testing::shorthand::{customers, exact, fuzzy, numbered, numbered_pairs, off, records, resend};
use testing::stage::Stage;
use tokio::time::Instant;

const REQUEST_LIMIT: Action = Action::rejected("RequestLimitExceeded");
const UNAVAILABLE: Action = Action::Error { status: 503, code: "ServiceUnavailable", message: "gone" };
const UNPROCESSED: Action = Action::Unprocessed { processed: Share::Count(0) };

/// An operation, an import in which every record needs a call of it, and the settings of the function for it.
type Case = (&'static str, Value, Value, fn(&mut Config));

fn cases() -> [Case; 4] {
    let by_openid = || records("openid", "o", 5);
    [
        ("ExecuteStatement", fuzzy(1, "add"), by_openid(), |_| {}),
        ("Query", fuzzy(2, "add"), by_openid(), |config| config.identity_lookup = IdentityLookup::Query),
        ("BatchGetItem", exact("add"), numbered(5), |_| {}),
        ("BatchWriteItem", off("add"), numbered(5), |_| {}),
    ]
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.put_customers(customers(5)).await;
    stage
}

/// Deletes the five memberships of every case.
async fn clean(function: &Function) {
    assert_eq!(function.import(off("delete"), numbered(5)).await.data()["status"], 1);
}

#[tokio::test(start_paused = true)]
async fn retries_hide_a_transient_fault() {
    let stage = stage().await;
    let token: Case = ("GetItem", off("add"), numbered(5), |_| {});
    for (operation, params, data, set) in cases().into_iter().chain([token]) {
        let function = stage.function_with(set).await;
        for (fault, times) in [
            (Action::THROTTLED, 2),
            (REQUEST_LIMIT, 2),
            (Action::BROKEN, 2),
            (UNAVAILABLE, 2),
            (Action::status(408), 2),
            (Action::status(425), 2),
            (Action::status(429), 2),
            (Action::Reset, 2),
            (Action::Truncate, 2),
            (Action::Hang, 1),
        ] {
            stage.database.reset();
            stage.database.rule(Rule::on(operation, fault.clone()).times(times));
            let response = function.import(params.clone(), data.clone()).await;
            assert_eq!(response.failures(), [""; 0], "{operation} {fault:?}");
            assert_eq!(stage.database.faults().len(), times);
            stage.database.clear_rules();
            assert_eq!(stage.memberships().await, numbered_pairs(5));
            clean(&function).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_fault_fails_the_records_and_the_next_request_succeeds() {
    for (fault, code) in [
        (Action::rejected("ExpiredTokenException"), "STORE_ERROR"),
        (Action::rejected("UnrecognizedClientException"), "STORE_ERROR"),
        (Action::rejected("ResourceNotFoundException"), "STORE_ERROR"),
        (Action::BROKEN, "STORE_ERROR"),
        (Action::Reset, "STORE_ERROR"),
        (Action::Truncate, "STORE_ERROR"),
        (Action::Garble, "STORE_ERROR"),
        (Action::Respond(""), "STORE_ERROR"),
        (Action::THROTTLED, "TIMEOUT"),
        (UNPROCESSED, "TIMEOUT"),
    ] {
        let run = async |(operation, params, data, set): Case| {
            if matches!(fault, Action::Unprocessed { .. }) && !operation.starts_with("Batch") {
                return;
            }
            let stage = stage().await;
            let function = stage.function_with(set).await;
            stage.database.rule(Rule::on(operation, fault.clone()));
            // Which replace rejected statements.
            stage.database.rule(Rule::on("Query", fault.clone()));
            let started = Instant::now();
            let response = function.import(params.clone(), data).await;
            assert_eq!(response.failures(), [code; 5], "{operation} {fault:?}");
            if code == "TIMEOUT" {
                // Of 30 s, less a margin of 1.5; look-ups have 70 % of that.
                let end = if operation == "BatchWriteItem" { 28.6 } else { 20.0 };
                let (seconds, calls) = (started.elapsed().as_secs_f64(), stage.database.count(operation));
                assert!((0.7 * end..end).contains(&seconds), "{operation}: {seconds} s");
                assert!((5..120).contains(&calls), "{operation}: {calls} calls");
            }
            resend(&stage, &function, &params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(5));
        };
        join_all(cases().map(run)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_reach_but_never_exceed_the_limit() {
    const OPERATIONS: [&str; 3] = ["ExecuteStatement", "BatchGetItem", "BatchWriteItem"];
    let stage = stage().await;
    for operation in OPERATIONS {
        stage.database.rule(Rule::on(operation, Action::Delay(Duration::from_millis(30))));
    }
    let data: Value = (0..60)
        .map(|n| json!({"openid": format!("x{n}"), "unionid": format!("y{n}"), "groups": "g"}))
        .collect();
    for bound in [1, 3] {
        let function = stage
            .function_with(|config| {
                config.lookup_concurrency = bound;
                config.write_concurrency = bound;
                config.skip_unchanged = SkipUnchanged::Always;
            })
            .await;
        stage.database.reset();
        assert_eq!(function.import(exact("add"), data.clone()).await.failures().len(), 60);
        assert_eq!(function.import(off("add"), numbered(400)).await.failures(), [""; 0]);
        assert_eq!(OPERATIONS.map(|operation| stage.database.count(operation)), [14, 4, 16]);
        assert_eq!(OPERATIONS.map(|operation| stage.database.peak(operation)), [bound; 3]);
        assert_eq!(function.import(off("delete"), numbered(400)).await.failures(), [""; 0]);
    }
}

/// A rule by which the `Query` of each value fails twice.
fn twice_each(fault: Action) -> Rule {
    let failed: Mutex<HashMap<String, usize>> = Mutex::default();
    Rule::on("Query", fault).when(move |body| {
        let mut failed = failed.lock().expect("no test panics in here");
        let times = failed.entry(body["ExpressionAttributeValues"].to_string()).or_default();
        *times += 1;
        *times <= 2
    })
}

#[tokio::test(start_paused = true)]
async fn neither_an_outage_nor_throttling_changes_the_attempts() {
    let stage = stage().await;
    let function = stage.function_with(|config| config.identity_lookup = IdentityLookup::Query).await;
    stage.database.rule(Rule::on("Query", Action::BROKEN));
    let response = function.import(fuzzy(1, "add"), records("openid", "x", 80)).await;
    assert_eq!(response.failures(), ["STORE_ERROR"; 80]);
    for (fault, prefix, count) in [(Action::BROKEN, "y", 32), (Action::THROTTLED, "z", 300)] {
        stage.database.clear_rules();
        stage.database.rule(twice_each(fault));
        let response = function.import(fuzzy(1, "add"), records("openid", prefix, count)).await;
        let failures = response.failures();
        // Throttled ones may take all the time.
        assert_eq!((failures.len(), failures.contains(&"STORE_ERROR")), (count, false));
    }
}
