//! Direct events: imports of those who may invoke the function itself (contract, section 11). Of trials, every second one
//! is sent as such an event.

use group_import::hash::sha256_hex;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, direct_event};
use testing::shorthand::{numbered, off};
use testing::stage::{Stage, TOKEN};

/// A valid event with this token.
fn event(token: &str) -> Value {
    direct_event(token, off("add"), numbered(1))
}

/// The `errorType` and the `errorMessage` of the failed invocation.
async fn failed(function: &Function, event: &Value) -> (String, String) {
    let failed = function.invoke_direct(event).await.expect_err("the invocation fails");
    (failed.error_type, failed.error_message)
}

#[tokio::test]
async fn every_other_response_is_a_failed_invocation() {
    let stage = Stage::new().await;
    stage.put_tenant("disabled", json!({"tenantId": "t9", "enabled": false})).await;
    stage.put_tenant("malformed", json!({"tenantId": "a#b"})).await;
    let function = stage
        .function_with(|config| {
            config.max_records = 3;
            config.max_body_bytes = 1_000;
        })
        .await;
    let with = |name: &str, value: Value| {
        let mut event = event(TOKEN);
        event[name] = value;
        event
    };
    let without = |name: &str| {
        let mut event = event(TOKEN);
        event.as_object_mut().expect("an object").remove(name);
        event
    };
    let hash = sha256_hex(TOKEN.as_bytes());
    let cases = [
        (without("tokenHash"), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", TOKEN.into()), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", hash.to_uppercase().into()), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", json!([hash])), "TOKEN_ERROR", "X-Token"),
        (event("unknown"), "TOKEN_ERROR", "X-Token"),
        (event("disabled"), "FORBIDDEN", "企业"),
        (event("malformed"), "INTERNAL_ERROR", "系统内部错误"),
        (without("publicParams"), "PARAM_ERROR", "publicParams"),
        (without("data"), "PARAM_ERROR", "data"),
        (with("publicParams", json!({"isMatching": false})), "PARAM_ERROR", "publicParams.optType"),
        // The name that the caller invented is not repeated.
        (with("d-r-y-r-u-n", true.into()), "PARAM_ERROR", "参数publicParams.dryRun的名称或位置有误"),
        (with("data", json!([{}, 7])), "PARAM_ERROR", "data[1]"),
        (with("data", numbered(4)), "PAYLOAD_TOO_LARGE", "3"),
        (with("more", "x".repeat(1_000).into()), "PAYLOAD_TOO_LARGE", "1000"),
        (json!({"detail": event(TOKEN)}), "PARAM_ERROR", "既无requestContext，也无tokenHash"),
    ];
    for (event, code, msg) in cases {
        let (error_type, message) = failed(&function, &event).await;
        assert_eq!(error_type, code, "{event}");
        assert!(message.contains(msg), "{message}");
    }
    stage.database.rule(Rule::on("GetItem", Action::Garble));
    assert_eq!(failed(&function, &event(TOKEN)).await.0, "SERVICE_UNAVAILABLE");
    assert!(stage.memberships().await.is_empty());
}
