//! Safe retries: `Idempotency-Key` (contract, section 8).

mod outcomes;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response, post_event};
use testing::stage::{Stage, TOKEN};

/// Some records succeed; the others fail with different codes.
fn mixed() -> Value {
    json!({
        "publicParams": {"isMatching": true, "matchingType": 1, "optType": "add", "explain": true},
        "data": [
            {"openid": "o1", "groups": "vip"},
            {"openid": 7, "groups": "vip"},
            {"openid": "nobody", "groups": "vip"},
            {"openid": "o2", "groups": "vip,new"},
            {"openid": "o1", "unionid": "u2", "groups": "vip"},
            {"openid": "o3"},
            {"groups": "vip"},
            {"openid": "o1", "phone": "x".repeat(1025), "groups": "g"},
        ],
    })
}

async fn stage() -> Stage {
    with_customers(Stage::new().await).await
}

async fn with_customers(stage: Stage) -> Stage {
    let customers = [
        json!({"audienceUserId": "c1", "openid": "o1"}),
        json!({"audienceUserId": "c2", "openid": "o2", "unionid": "u2"}),
    ];
    stage.put_customers(customers).await;
    stage
}

fn event(token: &str, key: &str, body: &Value) -> Value {
    let mut event = post_event(token, body.to_string());
    event["headers"]["idempotency-key"] = key.into();
    event
}

async fn post(function: &Function, key: &str, body: &Value) -> Response {
    function.invoke(event(TOKEN, key, body)).await
}

fn operations(stage: &Stage) -> Vec<String> {
    stage.database.calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn a_replay_is_identical_and_takes_two_calls() {
    let stage = stage().await;
    let function = stage.function().await;
    let first = post(&function, "k1", &mixed()).await;
    assert_eq!(
        first.failures(),
        ["INVALID_FIELD", "NOT_MATCHED", "CONFLICT", "MISSING_GROUPS", "MISSING_IDENTIFIER", "INVALID_FIELD"]
    );
    assert_eq!(first.headers.get("Idempotent-Replayed"), None);
    let written = stage.membership_items().await;

    stage.database.reset();
    let second = post(&function, "k1", &mixed()).await;
    assert_eq!((second.status, &second.body), (200, &first.body));
    assert_eq!(second.headers["Idempotent-Replayed"], "true");
    assert_eq!(operations(&stage), ["GetItem", "PutItem"]);
    assert_eq!(stage.membership_items().await, written);
}

#[tokio::test]
async fn without_the_header_the_table_is_unused() {
    let stage = stage().await;
    let function = stage.function_with(|config| config.tables.imports = None).await;
    for _ in 0..2 {
        stage.database.reset();
        function.post(TOKEN, mixed().to_string()).await.data();
        assert_eq!((stage.database.count("GetItem"), stage.database.count("PutItem")), (1, 0));
        assert_eq!(stage.database.count("UpdateItem"), 0);
    }
}

#[tokio::test]
async fn a_key_is_bound_to_body_and_tenant() {
    let stage = stage().await;
    stage.put_tenant("token-of-t2", json!({"tenantId": "t2"})).await;
    let function = stage.function().await;
    post(&function, "k1", &mixed()).await.data();

    let mut other = mixed();
    other["publicParams"]["optType"] = "delete".into();
    let reused = post(&function, "k1", &other).await;
    assert_eq!((reused.status, reused.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(reused.envelope["data"], Value::Null);
    // A byte order mark is no part of the JSON, but of the body that the key is bound to.
    let mut marked = event(TOKEN, "k1", &mixed());
    marked["body"] = format!("\u{feff}{}", mixed()).into();
    assert_eq!(function.invoke(marked).await.status, 422);
    assert_eq!(stage.memberships().await.len(), 3, "nothing was deleted");

    let elsewhere = function.invoke(event("token-of-t2", "k1", &other)).await;
    assert_eq!(elsewhere.headers.get("Idempotent-Replayed"), None);
    assert_eq!(elsewhere.data()["importSuccessNum"], 0);
    post(&function, "k2", &other).await.data();
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test]
async fn a_malformed_key_is_a_parameter_error() {
    let stage = stage().await;
    let function = stage.function().await;
    for key in ["", "two words", "键", &"k".repeat(256)] {
        stage.database.reset();
        let response = post(&function, key, &mixed()).await;
        assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"), "{key}");
        assert!(response.msg().contains("Idempotency-Key"));
        assert_eq!(operations(&stage), ["GetItem"]);
    }
    let without_table = stage.function_with(|config| config.tables.imports = None).await;
    assert_eq!(post(&without_table, "k1", &mixed()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_concurrent_request_runs() {
    for callers in [2, 10, 50] {
        let stage = stage().await;
        let function = Arc::new(stage.function().await);
        let requests = (0..callers).map(|_| {
            let function = Arc::clone(&function);
            tokio::spawn(async move { post(&function, "k1", &mixed()).await })
        });
        let responses: Vec<_> =
            join_all(requests).await.into_iter().map(|ended| ended.expect("no panic")).collect();

        let ran: Vec<_> = responses
            .iter()
            .filter(|response| {
                response.status == 200 && response.headers.get("Idempotent-Replayed").is_none()
            })
            .collect();
        assert_eq!(ran.len(), 1, "of {callers}");
        assert_eq!(stage.database.count("BatchWriteItem"), 1, "of {callers}");
        for other in responses.iter().filter(|response| !std::ptr::eq(*response, ran[0])) {
            if other.status == 200 {
                assert_eq!(other.body, ran[0].body);
            } else {
                assert_eq!((other.status, other.code()), (201, "IN_PROGRESS"));
            }
        }
        assert_eq!(post(&function, "k1", &mixed()).await.body, ran[0].body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_taken_over_exactly_once() {
    let stage = stage().await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::Hang).times(1));
    let mut process = stage.process(crate::FUNCTION.as_ref(), Duration::from_secs(30), &[]).await;
    process.send(event(TOKEN, "k1", &mixed()));
    while stage.database.count("BatchWriteItem") == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    process.child.kill().await.expect("it ran");

    let function = Arc::new(stage.function().await);
    let waiting = post(&function, "k1", &mixed()).await;
    assert_eq!((waiting.status, waiting.code()), (201, "IN_PROGRESS"));
    assert_eq!(waiting.envelope["data"]["message"], "进行中");

    stage.end_lease("t1#k1").await;
    let requests = (0..10).map(|_| {
        let function = Arc::clone(&function);
        tokio::spawn(async move { post(&function, "k1", &mixed()).await })
    });
    let responses = join_all(requests).await.into_iter().map(|ended| ended.expect("no panic"));
    let ran = responses
        .filter(|response| response.status == 200 && response.headers.get("Idempotent-Replayed").is_none());
    assert_eq!(ran.count(), 1);
    assert_eq!(stage.memberships().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_an_unstored_outcome_runs_again() {
    let stage = stage().await;
    let down = Action::Error { status: 500, code: "InternalServerError", message: "down" };
    stage.database.rule(Rule::on("UpdateItem", down));
    let function = stage.function().await;
    let first = post(&function, "k1", &mixed()).await;
    assert_eq!(first.failures().len(), 6);
    let memberships = stage.memberships().await;

    stage.database.clear_rules();
    stage.end_lease("t1#k1").await;
    let again = post(&function, "k1", &mixed()).await;
    assert_eq!(again.headers.get("Idempotent-Replayed"), None);
    assert_eq!((&again.body, stage.memberships().await), (&first.body, memberships));
    assert_eq!(post(&function, "k1", &mixed()).await.headers["Idempotent-Replayed"], "true");
}

/// Every way in which a call fails permanently.
fn outages() -> Vec<Action> {
    let rejected = |code| Action::Error { status: 400, code, message: "rejected" };
    let codes = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "ResourceNotFoundException",
        "AccessDeniedException",
        "ValidationException",
    ];
    let down = Action::Error { status: 500, code: "InternalServerError", message: "down" };
    codes.map(rejected).into_iter().chain([down, Action::Reset, Action::Garble]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_claim_stops_the_import() {
    let stage = with_customers(Stage::new().await).await;
    let function = stage.function().await;
    for outage in outages() {
        stage.database.rule(Rule::on("PutItem", outage.clone()));
        let response = post(&function, "k1", &mixed()).await;
        assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"), "{outage:?}");
        assert_eq!(response.headers["Retry-After"], "1");
        assert!(stage.memberships().await.is_empty());
        stage.database.clear_rules();
    }
    assert_eq!(post(&function, "k1", &mixed()).await.data()["importSuccessNum"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_outcome_write_leaves_the_key_held() {
    let stage = with_customers(Stage::new().await).await;
    let function = stage.function().await;
    for (n, outage) in outages().into_iter().enumerate() {
        stage.database.rule(Rule::on("UpdateItem", outage.clone()));
        let key = format!("k{n}");
        let response = post(&function, &key, &mixed()).await;
        assert_eq!(response.data()["importSuccessNum"], 2, "{outage:?}");
        assert_eq!(stage.memberships().await.len(), 3, "{outage:?}");
        stage.database.clear_rules();
        assert_eq!(post(&function, &key, &mixed()).await.code(), "IN_PROGRESS", "{outage:?}");
    }
}

/// The claim is stored, but no response says so.
#[tokio::test(start_paused = true)]
async fn a_claim_that_failed_holds_no_key() {
    let stage = with_customers(Stage::new().await).await;
    let function = stage.function().await;
    for (key, then) in [("k1", Action::Truncate), ("k2", Action::Garble), ("k3", Action::Reset)] {
        stage.database.rule(Rule::on("PutItem", Action::Truncate).times(1));
        stage.database.rule(Rule::on("PutItem", then.clone()));
        let response = post(&function, key, &mixed()).await;
        assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"), "{then:?}");
        stage.database.clear_rules();
        let again = post(&function, key, &mixed()).await;
        assert_eq!((again.status, again.headers.get("Idempotent-Replayed")), (200, None), "{then:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_failed_holds_no_key() {
    let stage = with_customers(Stage::new().await).await;
    let function = stage.function().await;
    // One that is throttled is repeated until no time is left.
    let ends = |outage: &Action| {
        !matches!(outage.name(), "ProvisionedThroughputExceededException" | "ThrottlingException")
    };
    for (n, outage) in outages().into_iter().filter(ends).enumerate() {
        let is_outcome = |body: &Value| body["UpdateExpression"].to_string().contains("failures");
        stage.database.rule(Rule::on("UpdateItem", outage.clone()).when(is_outcome));
        let key = format!("k{n}");
        let first = post(&function, &key, &mixed()).await;
        assert_eq!(first.data()["importSuccessNum"], 2, "{outage:?}");
        stage.database.clear_rules();
        let again = post(&function, &key, &mixed()).await;
        assert_eq!(
            (&again.body, again.headers.get("Idempotent-Replayed")),
            (&first.body, None),
            "{outage:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_survives_a_lost_response() {
    let stage = stage().await;
    stage.database.rule(Rule::on("PutItem", Action::Truncate).times(1));
    let response = post(&stage.function().await, "k1", &mixed()).await;
    assert_eq!(response.data()["importSuccessNum"], 2);
    assert_eq!(response.headers.get("Idempotent-Replayed"), None);
}

#[tokio::test]
async fn an_expired_key_is_ignored_before_its_deletion() {
    let stage = stage().await;
    let function = stage.function().await;
    post(&function, "k1", &mixed()).await.data();
    stage.expire_key("t1#k1").await;
    let again = post(&function, "k1", &mixed()).await;
    assert_eq!(again.headers.get("Idempotent-Replayed"), None);
    assert_eq!(again.failures().len(), 6);
}

#[tokio::test]
async fn a_stored_outcome_stays_small() {
    let stage = stage().await;
    let function = stage.function().await;
    // Alternating failures make the longest text: no two indexes form a range.
    let records: Vec<_> = (0..5_000)
        .map(|n| if n % 2 == 0 { json!({"openid": n, "groups": "vip"}) } else { json!({"groups": "vip"}) })
        .collect();
    let body =
        json!({"publicParams": {"isMatching": true, "matchingType": 1, "optType": "add"}, "data": records});
    let first = post(&function, "k1", &body).await;
    assert_eq!(first.failures().len(), 5_000);
    let stored = json!(stage.items(&stage.names.imports).await).to_string().len();
    assert!(stored < 30_000, "{stored} bytes of JSON");
    assert_eq!(post(&function, "k1", &body).await.body, first.body);
}
