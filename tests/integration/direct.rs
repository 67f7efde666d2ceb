//! Direct events: imports of those who may invoke the function itself (contract, section 11).

use group_import::hash::sha256_hex;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, direct_event as event, post_event};
use testing::log_search;
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off};
use testing::stage::{Stage, TOKEN};

/// The `errorType` and the `errorMessage` of the failed invocation.
async fn failed(function: &Function, event: &Value) -> (String, String) {
    let failed = function.invoke_direct(event).await.expect_err("the invocation fails");
    (failed.error_type, failed.error_message)
}

#[tokio::test]
async fn the_result_is_the_envelope_of_the_api() {
    let stage = Stage::new().await;
    stage.put_customers((0..3).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
    let function = stage.function().await;
    let mut data = numbered(3);
    data[1] = json!({"openid": 7, "groups": "g"});
    for params in [off("add"), exact("add"), fuzzy(1, "delete"), fuzzy(2, "add")] {
        let mut explained = params.clone();
        explained["explain"] = true.into();
        explained["dryRun"] = true.into();
        for params in [explained, params] {
            let direct = function.invoke_direct(&event(TOKEN, params.clone(), data.clone())).await;
            let before = stage.memberships().await;
            let response = function.import(params, data.clone()).await;
            assert_eq!(direct.expect("a result"), response.envelope);
            assert_eq!(stage.memberships().await, before);
        }
    }
}

#[tokio::test]
async fn memberships_are_written_and_deleted() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let result = function.invoke_direct(&event(TOKEN, off("add"), numbered(30))).await.expect("a result");
    assert_eq!(result["data"]["importSuccessNum"], 30);
    assert_eq!(stage.memberships().await, numbered_pairs(30));
    function.invoke_direct(&event(TOKEN, off("delete"), numbered(30))).await.expect("a result");
    assert!(stage.memberships().await.is_empty());
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
    let valid = || event(TOKEN, off("add"), numbered(1));
    let with = |name: &str, value: Value| {
        let mut event = valid();
        event[name] = value;
        event
    };
    let without = |name: &str| {
        let mut event = valid();
        event.as_object_mut().expect("an object").remove(name);
        event
    };
    let hash = sha256_hex(TOKEN.as_bytes());
    let cases = [
        (without("tokenHash"), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", TOKEN.into()), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", hash.to_uppercase().into()), "TOKEN_ERROR", "X-Token"),
        (with("tokenHash", json!([hash])), "TOKEN_ERROR", "X-Token"),
        (event("unknown", off("add"), numbered(1)), "TOKEN_ERROR", "X-Token"),
        (event("disabled", off("add"), numbered(1)), "FORBIDDEN", "企业"),
        (event("malformed", off("add"), numbered(1)), "INTERNAL_ERROR", "系统内部错误"),
        (without("publicParams"), "PARAM_ERROR", "publicParams"),
        (without("data"), "PARAM_ERROR", "data"),
        (with("publicParams", json!({"isMatching": false})), "PARAM_ERROR", "publicParams.optType"),
        (with("dryRun", true.into()), "PARAM_ERROR", "dryRun"),
        (with("data", json!([{}, 7])), "PARAM_ERROR", "data[1]"),
        (with("data", numbered(4)), "PAYLOAD_TOO_LARGE", "3"),
        (with("more", "x".repeat(1_000).into()), "PAYLOAD_TOO_LARGE", "1000"),
    ];
    for (event, code, msg) in cases {
        let (error_type, message) = failed(&function, &event).await;
        assert_eq!(error_type, code, "{event}");
        assert!(message.contains(msg), "{message}");
    }
    stage.database.rule(Rule::on("GetItem", Action::Garble));
    assert_eq!(failed(&function, &valid()).await.0, "SERVICE_UNAVAILABLE");
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test]
async fn a_name_that_the_caller_invented_is_not_repeated() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    // No log line may contain it: each is searched as it is written.
    let invented = "dryRun13800000001";
    log_search::keep(invented);
    let mut inside = event(TOKEN, off("add"), numbered(1));
    inside["publicParams"][invented] = true.into();
    let mut beside = event(TOKEN, off("add"), numbered(1));
    beside["d-r-y-r-u-n"] = true.into();
    for event in [inside, beside] {
        let expected = ("PARAM_ERROR".to_owned(), "参数publicParams.dryRun的名称或位置有误".to_owned());
        assert_eq!(failed(&function, &event).await, expected);
    }
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test]
async fn a_payload_of_neither_kind_is_a_failed_invocation() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let direct = event(TOKEN, off("add"), numbered(1));
    let mut without_context = post_event(TOKEN, "{}");
    without_context.as_object_mut().expect("an object").remove("requestContext");
    for event in [
        json!(direct.to_string()),
        json!([direct]),
        json!({"detail": direct}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": direct.to_string()}]}),
        without_context,
        json!({}),
        json!(null),
    ] {
        let message = "无法识别的事件：既无requestContext，也无tokenHash、publicParams、data";
        assert_eq!(
            failed(&function, &event).await,
            ("PARAM_ERROR".to_owned(), message.to_owned()),
            "{event}"
        );
    }
    assert_eq!(stage.database.calls().len(), 0);
}

#[tokio::test]
async fn failed_records_come_back_as_always() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let down = Action::Error { status: 500, code: "InternalServerError", message: "down" };
    stage.database.rule(Rule::on("BatchWriteItem", down));
    let result = function.invoke_direct(&event(TOKEN, off("add"), numbered(2))).await.expect("a result");
    assert_eq!(result["errorCode"], "SUCCESS");
    assert_eq!((&result["data"]["status"], &result["data"]["importFailNum"]), (&json!(-1), &json!(2)));
    assert_eq!(result["data"]["errorData"][1]["errorCode"], "STORE_ERROR");
}

#[tokio::test]
async fn a_caller_of_the_api_cannot_send_a_direct_event() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let direct = event(TOKEN, off("add"), numbered(1));
    // As a body, as headers, as query parameters: all inside an event with a `requestContext`.
    let mut smuggled = post_event("unknown", direct.to_string());
    smuggled["headers"]["tokenHash"] = direct["tokenHash"].clone();
    smuggled["queryStringParameters"] = direct.clone();
    assert_eq!(function.invoke(smuggled.clone()).await.status, 401);
    // Even if the members stood in the event itself.
    for name in ["tokenHash", "publicParams", "data"] {
        smuggled[name] = direct[name].clone();
    }
    assert_eq!(function.invoke(smuggled).await.status, 401);
    assert!(stage.memberships().await.is_empty());
}
