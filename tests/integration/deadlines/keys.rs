//! Time that runs out on an `Idempotency-Key` (contract, section 8).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SECONDS, hurried};
use testing::function::{Function, Response, post_event};
use testing::proxy::{Action, Rule};
use testing::shorthand::{numbered, numbered_pairs, off};
use testing::stage::{Stage, TOKEN};

fn with_key(data: &Value) -> Value {
    let mut event = post_event(TOKEN, json!({"publicParams": off("add"), "data": data}).to_string());
    event["headers"]["idempotency-key"] = "k1".into();
    event
}

/// A keyed import with little time, one of whose operations hangs: the function, with time enough again and nothing in
/// its way, the answer, and when the import began.
async fn import_while_hangs(stage: &Stage, operation: &'static str) -> (Function, Response, Instant) {
    let mut function = hurried(stage, |_| {}).await;
    stage.proxy.rule(Rule::on(operation, Action::Hang));
    let start = Instant::now();
    let response = function.invoke(with_key(&numbered(5))).await;
    assert!(start.elapsed().as_secs_f64() < SECONDS, "answered after {:?}", start.elapsed());
    function.seconds = 30.0;
    stage.proxy.clear_rules();
    (function, response, start)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_claim_hangs_is_503_in_time_and_nothing_is_written() {
    let stage = Stage::new().await;
    let (function, response, _) = import_while_hangs(&stage, "PutItem").await;
    assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(response.headers["Retry-After"], "1");
    assert!(stage.memberships().await.is_empty());

    let again = function.invoke(with_key(&numbered(5))).await;
    assert_eq!((again.failures(), again.headers.get("Idempotent-Replayed")), (vec![], None));
    assert_eq!(stage.memberships().await, numbered_pairs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_stored_in_time_is_answered_in_time() {
    let stage = Stage::new().await;
    let (function, response, start) = import_while_hangs(&stage, "UpdateItem").await;
    assert_eq!(response.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, numbered_pairs(5));

    // The run counts as under way until its time is over, and then as dead.
    let waiting = function.invoke(with_key(&numbered(5))).await;
    assert_eq!((waiting.status, waiting.code()), (201, "IN_PROGRESS"));
    tokio::time::sleep_until((start + Duration::from_secs_f64(SECONDS + 0.5)).into()).await;
    let again = function.invoke(with_key(&numbered(5))).await;
    assert_eq!((&again.body, again.headers.get("Idempotent-Replayed")), (&response.body, None));
    assert_eq!(stage.memberships().await, numbered_pairs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_import_whose_time_runs_out_stores_its_outcome() {
    let stage = Stage::new().await;
    let (function, response, _) = import_while_hangs(&stage, "BatchWriteItem").await;
    assert_eq!(response.failures(), ["TIMEOUT"; 5]);

    let again = function.invoke(with_key(&numbered(5))).await;
    assert_eq!((&again.body, &again.headers["Idempotent-Replayed"]), (&response.body, &"true".into()));
    assert!(stage.memberships().await.is_empty());
}
