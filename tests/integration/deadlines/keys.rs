//! Imports with an `Idempotency-Key` that run out of time (contract, section 8).

use serde_json::Value;

use super::{SECONDS, with_little_time};
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response, import_event, with_key};
use testing::shorthand::{numbered, numbered_pairs, off};
use testing::stage::Stage;
use tokio::time::Instant;

fn event() -> Value {
    with_key(import_event(off("add"), numbered(5)), "k1")
}

/// Runs a keyed import with little time while one operation hangs. Returns the function with enough time
/// and no fault rules, and the response.
async fn import_while_hangs(stage: &Stage, operation: &'static str) -> (Function, Response) {
    let mut function = with_little_time(stage, |_| {}).await;
    stage.database.rule(Rule::on(operation, Action::Hang));
    let start = Instant::now();
    let response = function.invoke(event()).await;
    assert!(start.elapsed().as_secs_f64() < SECONDS, "response after {:?}", start.elapsed());
    function.seconds = 30.0;
    stage.database.clear_rules();
    (function, response)
}

#[tokio::test(start_paused = true)]
async fn a_hanging_outcome_write_still_gets_a_response() {
    let stage = Stage::new().await;
    let (function, response) = import_while_hangs(&stage, "UpdateItem").await;
    assert_eq!(response.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, numbered_pairs(5));

    // The run counts as in progress until its lease ends, and then as dead.
    let waiting = function.invoke(event()).await;
    assert_eq!(waiting.code(), "IN_PROGRESS");
    stage.end_lease("t1#k1").await;
    let again = function.invoke(event()).await;
    assert_eq!((&again.body, again.headers.get("Idempotent-Replayed")), (&response.body, None));
    assert_eq!(stage.memberships().await, numbered_pairs(5));
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_keyed_import_stores_its_outcome() {
    let stage = Stage::new().await;
    let (function, response) = import_while_hangs(&stage, "BatchWriteItem").await;
    assert_eq!(response.failures(), ["TIMEOUT"; 5]);

    let again = function.invoke(event()).await;
    assert_eq!((&again.body, &again.headers["Idempotent-Replayed"]), (&response.body, &"true".into()));
    assert!(stage.memberships().await.is_empty());
}
