//! The database rejects calls, fails, closes connections or hangs: transient faults are hidden, permanent ones
//! reported, and the process stays usable (contract, sections 4 to 6).

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{Config, IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::Function;
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, resend};
use testing::stage::Stage;

const REQUEST_LIMIT: Action =
    Action::Error { status: 400, code: "RequestLimitExceeded", message: "slow down" };
const UNAVAILABLE: Action = Action::Error { status: 503, code: "ServiceUnavailable", message: "gone" };

/// An import in which every record needs a call of `operation`, and the settings of the function for it.
struct Case {
    operation: &'static str,
    params: Value,
    data: Value,
    set: fn(&mut Config),
}

fn cases() -> [Case; 4] {
    let by_openid: Value = (0..5).map(|n| json!({"openid": format!("o{n}"), "groups": "g"})).collect();
    let case = |operation, params, data: &Value, set| Case { operation, params, data: data.clone(), set };
    let nothing: fn(&mut Config) = |_| {};
    [
        case("ExecuteStatement", fuzzy(1, "add"), &by_openid, nothing),
        case("Query", fuzzy(2, "add"), &by_openid, |config| config.identity_lookup = IdentityLookup::Query),
        case("BatchGetItem", exact("add"), &numbered(5), nothing),
        case("BatchWriteItem", off("add"), &numbered(5), nothing),
    ]
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage
        .put_customers((0..5).map(|n| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")})))
        .await;
    stage
}

/// Deletes the five memberships of every case.
async fn clean(function: &Function) {
    assert_eq!(function.import(off("delete"), numbered(5)).await.data()["status"], 1);
}

#[tokio::test(start_paused = true)]
async fn retries_hide_a_transient_fault() {
    let stage = stage().await;
    for case in cases() {
        let function = stage.function_with(case.set).await;
        for fault in
            [Action::THROTTLED, REQUEST_LIMIT, Action::BROKEN, UNAVAILABLE, Action::Reset, Action::Truncate]
        {
            stage.database.reset();
            stage.database.rule(Rule::on(case.operation, fault.clone()).times(2));
            let response = function.import(case.params.clone(), case.data.clone()).await;
            assert_eq!(response.failures(), [""; 0], "{} {fault:?}", case.operation);
            assert_eq!(stage.database.faults().len(), 2);
            stage.database.clear_rules();
            assert_eq!(stage.memberships().await, numbered_pairs(5));
            clean(&function).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_checked_despite_a_transient_fault() {
    let stage = stage().await;
    let function = stage.function().await;
    for fault in [Action::THROTTLED, Action::BROKEN, UNAVAILABLE, Action::Reset, Action::Truncate] {
        stage.database.clear_rules();
        stage.database.reset();
        stage.database.rule(Rule::on("GetItem", fault.clone()).times(2));
        assert_eq!(function.import(off("add"), numbered(1)).await.data()["status"], 1, "{fault:?}");
        assert_eq!(stage.database.faults().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_fault_is_a_store_error() {
    for case in cases() {
        let run = async |fault: Action| {
            let stage = stage().await;
            let function = stage.function_with(case.set).await;
            stage.database.rule(Rule::on(case.operation, fault.clone()));
            let response = function.import(case.params.clone(), case.data.clone()).await;
            assert_eq!(response.failures(), ["STORE_ERROR"; 5], "{} {fault:?}", case.operation);
            assert_eq!(response.data()["status"], -1);
            resend(&stage, &function, &case.params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(5));
        };
        join_all([Action::BROKEN, Action::Reset, Action::Truncate, Action::Garble].map(run)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_once_is_retried() {
    let stage = stage().await;
    let function = stage.function().await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::Hang).times(1));
    let response = function.import(off("add"), numbered(5)).await;
    assert_eq!(response.failures(), [""; 0]);
    assert_eq!(stage.database.count("BatchWriteItem"), 2);
    assert_eq!(stage.memberships().await, numbered_pairs(5));
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_reach_but_never_exceed_the_limit() {
    let stage = stage().await;
    for bound in [1, 3] {
        let function = stage
            .function_with(|config| {
                config.lookup_concurrency = bound;
                config.write_concurrency = bound;
                config.skip_unchanged = SkipUnchanged::Never;
            })
            .await;
        stage.database.reset();
        for operation in ["ExecuteStatement", "BatchGetItem", "BatchWriteItem"] {
            stage.database.rule(Rule::on(operation, Action::Delay(Duration::from_millis(30))));
        }
        let data: Value = (0..60)
            .map(|n| json!({"openid": format!("x{n}"), "unionid": format!("y{n}"), "groups": "g"}))
            .collect();
        assert_eq!(function.import(exact("add"), data).await.failures().len(), 60);
        assert_eq!(function.import(off("add"), numbered(150)).await.failures(), [""; 0]);
        stage.database.clear_rules();
        assert_eq!(
            (stage.database.count("ExecuteStatement"), stage.database.count("BatchWriteItem")),
            (14, 6)
        );
        for operation in ["ExecuteStatement", "BatchWriteItem"] {
            assert_eq!(stage.database.peak(operation), bound, "{operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_database_loses_nothing() {
    let stage = stage().await;
    let with_memory = |config: &mut Config| config.token_cache = Duration::from_secs(3_600);
    let function = stage.function().await;
    let remembering = stage.function_with(with_memory).await;
    clean(&remembering).await;
    for params in [off("add"), exact("add"), fuzzy(1, "add")] {
        stage.database.unreachable(true);
        let rejected = function.import(params.clone(), numbered(5)).await;
        assert_eq!((rejected.status, rejected.code()), (503, "SERVICE_UNAVAILABLE"));
        assert_eq!(rejected.headers["Retry-After"], "1");
        let failed = remembering.import(params.clone(), numbered(5)).await;
        assert_eq!(failed.failures(), ["STORE_ERROR"; 5], "{params}");
        assert!(stage.memberships().await.is_empty());

        stage.database.unreachable(false);
        resend(&stage, &remembering, &params, &failed).await;
        assert_eq!(stage.memberships().await, numbered_pairs(5));
        assert_eq!(function.import(params, numbered(5)).await.data()["status"], 1);
        clean(&function).await;
    }
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_and_a_missing_table_lose_nothing() {
    let codes = ["ExpiredTokenException", "UnrecognizedClientException", "ResourceNotFoundException"];
    for case in cases() {
        let stage = stage().await;
        let function = stage.function_with(case.set).await;
        for code in codes {
            let rejected = || Action::Error { status: 400, code, message: "rejected" };
            stage.database.rule(Rule::on("GetItem", rejected()));
            let response = function.import(case.params.clone(), case.data.clone()).await;
            assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"), "{code}");
            assert_eq!(response.headers["Retry-After"], "1");
            stage.database.clear_rules();
            stage.database.rule(Rule::on(case.operation, rejected()));
            let response = function.import(case.params.clone(), case.data.clone()).await;
            assert_eq!(response.failures(), ["STORE_ERROR"; 5], "{} {code}", case.operation);
            assert!(stage.memberships().await.is_empty());
            resend(&stage, &function, &case.params, &response).await;
            assert_eq!(stage.memberships().await, numbered_pairs(5));
            clean(&function).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchecked_token_is_503_and_nothing_else_is_called() {
    let stage = stage().await;
    let function = stage.function().await;
    let rejected = |code| Action::Error { status: 400, code, message: "rejected" };
    let mut faults = vec![
        Action::THROTTLED,
        REQUEST_LIMIT,
        Action::BROKEN,
        UNAVAILABLE,
        Action::Reset,
        Action::Truncate,
        Action::Garble,
    ];
    faults.extend(["ThrottlingException", "AccessDeniedException", "ValidationException"].map(rejected));
    for fault in faults {
        stage.database.reset();
        stage.database.rule(Rule::on("GetItem", fault.clone()));
        for params in [off("add"), exact("delete"), fuzzy(2, "add")] {
            let response = function.import(params, numbered(5)).await;
            assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"), "{fault:?}");
            assert_eq!(response.headers["Retry-After"], "1");
        }
        assert_eq!(stage.database.calls().len(), stage.database.count("GetItem"), "{fault:?}");
        assert!(stage.memberships().await.is_empty());
        stage.database.clear_rules();
        assert_eq!(function.import(off("add"), numbered(5)).await.data()["status"], 1, "{fault:?}");
        clean(&function).await;
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
async fn retries_hide_transient_throttling() {
    let stage = stage().await;
    let function = stage.function_with(|config| config.identity_lookup = IdentityLookup::Query).await;
    stage.database.rule(twice_each(Action::THROTTLED));
    let data: Value = (0..300).map(|n| json!({"openid": format!("x{n}"), "groups": "g"})).collect();
    let response = function.import(fuzzy(1, "add"), data).await;
    let failures = response.failures();
    let store_errors = failures.iter().filter(|code| **code == "STORE_ERROR").count();
    assert_eq!((failures.len(), store_errors), (300, 0), "each call fails twice and then not");
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_change_the_attempts() {
    let stage = stage().await;
    let function = stage.function_with(|config| config.identity_lookup = IdentityLookup::Query).await;
    stage.database.rule(Rule::on("Query", Action::BROKEN));
    let data: Value = (0..80).map(|n| json!({"openid": format!("x{n}"), "groups": "g"})).collect();
    assert_eq!(function.import(fuzzy(1, "add"), data).await.failures(), ["STORE_ERROR"; 80]);
    stage.database.clear_rules();
    stage.database.rule(twice_each(Action::BROKEN));
    let data: Value = (0..32).map(|n| json!({"openid": format!("y{n}"), "groups": "g"})).collect();
    let response = function.import(fuzzy(1, "add"), data).await;
    assert_eq!(response.failures(), ["NOT_MATCHED"; 32], "each call fails twice and then not");
}
