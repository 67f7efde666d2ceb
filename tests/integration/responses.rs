//! Why a request is rejected, and which of several reasons counts (contract, sections 1, 2 and 9).

use group_import::http::envelope::MOST_RECORDS;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response, import_event, post_event, with_key};
use testing::shorthand::{customers, exact, numbered, off};
use testing::stage::{Stage, TOKEN};

const DISABLED: &str = "token-of-a-disabled-tenant";
const MALFORMED: &str = "token-of-a-malformed-tenant";
/// The limits of the function in these tests.
const MAX_BODY_BYTES: usize = 400;
const MAX_RECORDS: usize = 3;

/// A valid event after one change.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = import_event(off("add"), numbered(1));
    change(&mut event);
    event
}

fn edit_body(event: &mut Value, edit: impl FnOnce(String) -> String) {
    event["body"] = edit(event["body"].as_str().expect("a body").to_owned()).into();
}

async fn stage_and_function() -> (Stage, Function) {
    let stage = Stage::new().await;
    stage.put_tenant(DISABLED, json!({"tenantId": "t9", "enabled": false})).await;
    stage.put_tenant(MALFORMED, json!({"tenantId": "t1", "expiresAt": "no-secret"})).await;
    let function = stage
        .function_with(|config| {
            config.max_body_bytes = MAX_BODY_BYTES;
            config.max_records = MAX_RECORDS;
        })
        .await;
    (stage, function)
}

/// Handles an event that must be rejected: only its token is read, and nothing is written.
async fn rejected(stage: &Stage, function: &Function, event: Value) -> Response {
    stage.database.reset();
    let response = function.invoke(event).await;
    let calls = stage.database.calls();
    assert!(calls.len() <= 1 && calls.len() == stage.database.count("GetItem"), "{calls:?}");
    let is_chinese = |c| ('\u{4e00}'..='\u{9fff}').contains(&c);
    assert!(response.msg().contains(is_chinese), "{}", response.msg());
    response
}

/// What makes an event wrong.
type Change = fn(&mut Value);

/// Each reason to reject an event: its rank in the order of the checks, and the message, which shows nothing of the event.
const REASONS: [(u32, &str, &str, Change); 11] = [
    (0, "NOT_FOUND", "接口地址不存在", |event| event["rawPath"] = "/else".into()),
    (0, "NOT_FOUND", "该接口地址已废弃，请改用/api/integrate/audience/info/batchAdd", |event| {
        event["rawPath"] = "/api/integrate/audience/group/batchAdd".into();
    }),
    (1, "METHOD_NOT_ALLOWED", "不支持该请求方式，请使用POST", |event| {
        event["requestContext"]["http"]["method"] = "PUT".into();
    }),
    (2, "TOKEN_ERROR", "X-Token缺失、无效或已过期", |event| {
        event["headers"]["x-token"] = "unknown".into()
    }),
    (2, "FORBIDDEN", "企业已停用，或未开通客户分组导入权限", |event| {
        event["headers"]["x-token"] = DISABLED.into();
    }),
    (2, "INTERNAL_ERROR", "系统内部错误，部分记录可能已导入，可安全重试", |event| {
        event["headers"]["x-token"] = MALFORMED.into();
    }),
    (3, "UNSUPPORTED_MEDIA_TYPE", "Content-Type必须是application/json", |event| {
        event["headers"]["content-type"] = "text/plain".into();
    }),
    (4, "PAYLOAD_TOO_LARGE", "请求体超过上限400字节，请分批导入", |event| {
        edit_body(event, |body| body + &" ".repeat(MAX_BODY_BYTES));
    }),
    (5, "PARAM_ERROR", "请求体不是合法的JSON：第1行第1列有误", |event| {
        edit_body(event, |body| format!("}}{body}"))
    }),
    (6, "PAYLOAD_TOO_LARGE", "记录数超过上限3条，请分批导入", |event| {
        edit_body(event, |body| body.replace("[", "[{},{},{},"));
    }),
    (7, "PARAM_ERROR", "缺少参数publicParams，应为对象", |event| {
        edit_body(event, |body| body.replace("publicParams", "else"));
    }),
];

#[tokio::test]
async fn an_event_is_rejected_for_the_first_reason() {
    let (stage, function) = stage_and_function().await;
    for (rank, code, msg, change) in REASONS {
        for (_, _, later, other) in REASONS.into_iter().filter(|reason| reason.0 > rank || reason.2 == msg) {
            let event = with(|event| {
                change(event);
                other(event);
            });
            let response = rejected(&stage, &function, event).await;
            assert_eq!((response.code(), response.msg()), (code, msg), "before {later}");
        }
    }
}

#[tokio::test]
async fn a_failed_token_check_precedes_later_checks_only() {
    let (stage, function) = stage_and_function().await;
    stage.database.rule(Rule::on("GetItem", Action::Garble));
    let no_token: Change = |event| event["headers"]["x-token"] = "".into();
    let no_token = (1, "TOKEN_ERROR", "X-Token缺失、无效或已过期", no_token);
    for (rank, code, msg, change) in REASONS.into_iter().chain([no_token]) {
        let response = rejected(&stage, &function, with(change)).await;
        let unavailable = ("SERVICE_UNAVAILABLE", "服务暂时不可用，请稍后重试");
        assert_eq!((response.code(), response.msg()), if rank < 2 { (code, msg) } else { unavailable });
        assert_eq!(stage.database.count("GetItem"), usize::from(rank >= 2), "{code}");
    }
}

#[tokio::test]
async fn no_limit_is_above_what_a_response_can_hold() {
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.max_records = 1_000_000).await;
    let empty = |records: usize| json!(vec![json!({}); records]);
    let response = function.import(off("add"), empty(MOST_RECORDS)).await;
    assert_eq!(response.failures().len(), MOST_RECORDS);
    let too_many = import_event(off("add"), empty(MOST_RECORDS + 1));
    let response = rejected(&stage, &function, too_many).await;
    assert_eq!(response.msg(), format!("记录数超过上限{MOST_RECORDS}条，请分批导入"));
}

#[tokio::test]
async fn a_body_is_measured_in_bytes_after_it_is_decoded() {
    use base64::Engine;

    let (stage, function) = stage_and_function().await;
    let body = json!({"publicParams": off("add"), "data": [{"audienceUserId": "客户", "groups": "分组"}]});
    let body = body.to_string();
    let longest = body.clone() + &" ".repeat(MAX_BODY_BYTES - body.len());
    let encode = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
    let encoded = |body: Value| {
        with(|event| {
            event["body"] = body;
            event["isBase64Encoded"] = true.into();
        })
    };
    let as_text = post_event(TOKEN, &*longest);
    for right in [as_text, encoded(encode(&longest).into())] {
        function.invoke(right).await.data();
    }
    for too_long in [post_event(TOKEN, longest.clone() + " "), encoded(encode(&(longest + " ")).into())] {
        assert_eq!(rejected(&stage, &function, too_long).await.code(), "PAYLOAD_TOO_LARGE");
    }
    for not_json in ["%%%".into(), Value::Null, "".into(), encode("\u{feff}{}").into()] {
        assert_eq!(rejected(&stage, &function, encoded(not_json)).await.code(), "PARAM_ERROR");
    }
}

#[tokio::test]
async fn what_cannot_fit_the_lambda_limit_is_rejected() {
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.max_body_bytes = 6 * 1024 * 1024).await;
    // A record of escaped quotes: two bytes each in the body, four in the response as Lambda returns it.
    let quotes = "\\\"".repeat(290);
    for field in ["openid", "open_id"] {
        let record = format!(r#"{{"{field}":"{quotes}","groups":1}}"#);
        for (records, status) in [(100, 200), (3_000, 200), (4_000, 200), (4_500, 413), (5_000, 413)] {
            let data = vec![&*record; records].join(",");
            let body = format!(r#"{{"publicParams":{},"data":[{data}]}}"#, off("add"));
            let response = function.post(TOKEN, body).await;
            assert_eq!(response.status, status, "{records} records");
            assert!(status != 200 || response.data()["importFailNum"] == records);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_explanation_is_rejected_before_writing() {
    let stage = Stage::new().await;
    // The lookup finds IDs far longer than the values sent.
    let quotes = "\"".repeat(1_020);
    stage
        .put_customers(customers(100).map(|mut customer| {
            customer["audienceUserId"] = format!("{}{quotes}", customer["openid"]).into();
            customer
        }))
        .await;
    let function = stage.function().await;
    let record = |n| json!({"openid": format!("o{}", n % 100), "groups": "vip"});
    let data: Value = (0..5_000).map(record).collect();
    let event = |explain: bool| {
        let mut params = exact("add");
        params["explain"] = explain.into();
        import_event(params, data.clone())
    };
    for _ in 0..2 {
        let rejected = function.invoke(with_key(event(true), "k1")).await;
        assert_eq!(rejected.code(), "PAYLOAD_TOO_LARGE", "the rejection is not stored");
    }
    let rejected = function.invoke(event(true)).await;
    assert!(rejected.msg().contains("6291456字节（6 MB）"), "{}", rejected.msg());
    assert!(stage.memberships().await.is_empty());
    assert_eq!(function.invoke(event(false)).await.data()["importSuccessNum"], 5_000);
}

#[tokio::test]
async fn what_a_response_added_does_not_count_for_the_size_of_a_body() {
    let stage = Stage::new().await;
    let body = |data: &str| format!(r#"{{"publicParams":{},"data":{data}}}"#, exact("add"));
    let first = body(&json!(vec![json!({"openid": "o"}); 50]).to_string());
    let limit = first.len();
    let function = stage.function_with(move |config| config.max_body_bytes = limit).await;
    let first = function.post(TOKEN, first).await;
    let again = first.error_data();
    let long = "o".repeat(5_000);
    for (part, change, status) in [("", "", 200), ("o\"", &long, 413), ("缺少groups", &long, 413)] {
        let second = function.post(TOKEN, body(&again.replacen(part, &format!("{change}{part}"), 1))).await;
        assert_eq!(second.status, status);
        assert!(status != 200 || second.body == first.body);
    }
}
