//! An invocation with little time: no call starts too late, and a response is still returned (contract, section 4:
//! `TIMEOUT`).

use std::time::Duration;

use group_import::config::{Config, SkipUnchanged};
use serde_json::json;
use testing::dynamodb::{Action, Rule};
use testing::function::Function;
use testing::shorthand::{
    customers, exact, failures_by, fuzzy, numbered, numbered_pairs, off, pairs, resend,
};
use testing::stage::{Stage, TOKEN};
use tokio::time::Instant;

/// The duration of an invocation; the margin leaves one second of it for calls.
const SECONDS: f64 = 4.0;
const MARGIN: Duration = Duration::from_secs(3);

async fn with_little_time(stage: &Stage, set: impl FnOnce(&mut Config)) -> Function {
    let mut function = stage
        .function_with(|config| {
            config.deadline_margin = MARGIN;
            config.token_cache = Duration::from_secs(3_600);
            set(config);
        })
        .await;
    // From here on the token is cached.
    function.import(off("delete"), numbered(1)).await.data();
    stage.database.reset();
    function.seconds = SECONDS;
    function
}

#[tokio::test(start_paused = true)]
async fn writes_past_the_deadline_are_timeouts() {
    let stage = Stage::new().await;
    let mut function = with_little_time(&stage, |config| config.write_concurrency = 1).await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::Delay(Duration::from_millis(300))));
    let (start, seconds) = (stage.database.now(), Duration::from_secs_f64(SECONDS));
    let response = function.import(off("add"), numbered(250)).await;
    assert!(stage.database.now() - start < seconds, "the response comes too late");
    assert!(stage.database.calls().iter().all(|call| call.at - start <= seconds - MARGIN));
    // Ten calls take three seconds, and one is available.
    let failed = failures_by(&response, "audienceUserId");
    assert!(!failed.is_empty() && failed.values().all(|code| code == "TIMEOUT"), "{failed:?}");
    let written = (0..250).map(|n| format!("c{n}")).filter(|id| !failed.contains_key(id));
    assert_eq!(stage.memberships().await, pairs(written.map(|id| (format!("t1#{id}"), "g"))));
    function.seconds = 30.0;
    resend(&stage, &function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, numbered_pairs(250));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_within_the_margin() {
    // All twenty calls begin at once, unless the first is throttled: then a second one begins, whatever pause is drawn,
    // before the pace is known to be too low for it.
    for (code, status, least) in [("InternalServerError", 500, 20), ("ThrottlingException", 400, 2)] {
        for seed in 0..5 {
            let stage = Stage::new().await;
            // A tenth of a second for calls: the pauses between attempts add up to more.
            let set = |config: &mut Config| {
                config.deadline_margin = MARGIN + Duration::from_millis(900);
                config.skip_unchanged = SkipUnchanged::Never;
            };
            let function = with_little_time(&stage, set).await;
            stage
                .database
                .rule(Rule::on("BatchWriteItem", Action::Error { status, code, message: "not now" }));
            let end_of_calls = stage.database.now() + Duration::from_millis(100);
            fastrand::seed(seed);
            let response = function.import(off("add"), numbered(500)).await;
            let (failures, calls) = (response.failures(), stage.database.calls());
            let shown = format!("{code}, seed {seed}, {} attempts", calls.len());
            assert_eq!(failures.len(), 500, "{shown}");
            assert!(failures.contains(&"TIMEOUT"), "{shown}: every call had time for its next attempt");
            assert!(calls.len() >= least, "{shown}");
            let last = calls.iter().map(|call| call.at).max().expect("calls");
            assert!(last <= end_of_calls, "{shown}: an attempt {:?} too late", last - end_of_calls);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_time_a_token_cannot_be_checked() {
    let stage = Stage::new().await;
    stage.database.rule(Rule::on("GetItem", Action::Hang));
    let mut function = stage.function().await;
    for seconds in [0.0, 1.0, 4.0] {
        function.seconds = seconds;
        let start = Instant::now();
        let response = function.import(off("add"), numbered(1)).await;
        assert_eq!(response.code(), "SERVICE_UNAVAILABLE");
        assert!(start.elapsed().as_secs_f64() <= seconds, "response after {:?}", start.elapsed());
        assert_eq!(stage.database.calls().is_empty(), seconds < 1.5, "the margin is 1.5 seconds");
    }
    let response = function.post("", "{").await;
    assert_eq!(response.code(), "TOKEN_ERROR", "needs no database");
}

#[tokio::test]
async fn a_cached_token_past_the_deadline_yields_timeouts() {
    let stage = Stage::new().await;
    stage.put_customers(customers(3)).await;
    let mut function = with_little_time(&stage, |_| {}).await;
    for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "delete")] {
        function.seconds = 0.0;
        let mut data = numbered(3);
        data.as_array_mut().expect("an array").extend([json!({"groups": "g"}), json!({"phone": 1})]);
        let response = function.import(params.clone(), data).await;
        let codes = ["TIMEOUT", "TIMEOUT", "TIMEOUT", "MISSING_IDENTIFIER", "INVALID_FIELD"];
        assert_eq!(response.failures(), codes, "{params}");
        assert_eq!(stage.database.calls().len(), 0, "{params}");
        // Errors of the request itself are still reported.
        assert_eq!(function.post(TOKEN, "{").await.code(), "PARAM_ERROR");
        function.seconds = 30.0;
        assert_eq!(function.import(params, numbered(3)).await.data()["status"], 1);
        stage.database.reset();
    }
}
