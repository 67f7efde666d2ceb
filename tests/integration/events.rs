//! The events in `events/`, for `cargo lambda invoke --data-file`, on the data of the local program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use testing::demo::{self, SHARED_PHONE};
use testing::function::REQUEST_ID;
use testing::shorthand::pairs;
use testing::stage::Stage;

/// Every event by its file name.
fn events() -> BTreeMap<String, Value> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/events"));
    let files = directory.read_dir().expect("the project has events");
    files
        .map(|file| {
            let path = file.expect("the directory is read").path();
            let text = std::fs::read_to_string(&path).expect("a file is text");
            let event = serde_json::from_str(&text);
            let event = event.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().expect("a name").to_string_lossy().into_owned(), event)
        })
        .collect()
}

/// Memberships that exist before each event, as (customer, group).
const BEFORE: [(&str, &str); 3] = [("c0001", "spring"), ("c0002", "vip"), ("c0003", "spring")];

/// The envelope of an event, and the memberships that it adds to [`BEFORE`] and deletes.
type Expected = (Value, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

/// The expected outcome of an event by its name.
fn expected(event: &str) -> Expected {
    let imported = |records: usize| {
        json!({"code": "200", "errorCode": "SUCCESS", "msg": "ok", "data": {
            "importSuccessNum": records, "importFailNum": 0, "status": 1, "message": "成功", "errorData": null,
        }})
    };
    let rejected = |code: &str, error_code: &str, msg: &str| {
        (json!({"code": code, "errorCode": error_code, "msg": msg, "data": null}), &[][..], &[][..])
    };
    match event {
        "bad-parameters" => rejected(
            "400",
            "PARAM_ERROR",
            "参数publicParams.identifyWay取值错误，应为整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)",
        ),
        "bad-token" => rejected("401", "TOKEN_ERROR", "X-Token缺失、无效或已过期"),
        "delete" => (imported(2), &[], &[("c0001", "spring"), ("c0002", "vip")]),
        "dry-run" => {
            let mut envelope = imported(3);
            envelope["data"]["dryRun"] = true.into();
            envelope["data"]["matches"] = json!([
                {"index": 0, "audienceUserId": "c0001", "matchedBy": "unionid"},
                {"index": 1, "audienceUserId": "c0002", "matchedBy": "phone"},
                {"index": 2, "audienceUserId": "c0105", "matchedBy": "audienceUserId"},
            ]);
            (envelope, &[], &[])
        }
        "exact-add" => (imported(2), &[("c0001", "vip"), ("c0002", "spring")], &[]),
        "fuzzy-add" | "idempotency-key" => (imported(3), &[("c0001", "vip"), ("c0105", "新客")], &[]),
        "no-matching" => (imported(2), &[("c0003", "vip"), ("new-0001", "vip")], &[]),
        "partial-failure" => (partly_imported(), &[("c0001", "vip")], &[]),
        "retired-address" => {
            rejected("404", "NOT_FOUND", "该接口地址已废弃，请改用/api/integrate/audience/info/batchAdd")
        }
        _ => panic!("no outcome of {event} is expected"),
    }
}

/// One record is imported; each of the others fails for a different reason.
fn partly_imported() -> Value {
    let failed = [
        (json!({"openid": "nobody", "groups": "vip"}), "NOT_MATCHED", "未匹配到客户"),
        (json!({"phone": SHARED_PHONE, "groups": "vip"}), "AMBIGUOUS", "用于匹配的身份标识对应多个客户"),
        (json!({"unionid": "u0002", "groups": " , "}), "MISSING_GROUPS", "缺少groups，或其中没有分组名"),
        (json!({"groups": "vip"}), "MISSING_IDENTIFIER", "缺少可用的身份标识"),
        (json!({"phone": 13_800_000_001_u64, "groups": "vip"}), "INVALID_FIELD", "phone必须是字符串"),
    ];
    let error_data: Value = (1..)
        .zip(failed)
        .map(|(index, (mut record, code, message))| {
            record["index"] = index.into();
            record["errorCode"] = code.into();
            record["errorMsg"] = message.into();
            record["retryable"] = false.into();
            record
        })
        .collect();
    json!({"code": "200", "errorCode": "SUCCESS", "msg": "ok", "data": {
        "importSuccessNum": 1, "importFailNum": 5, "status": 2, "message": "部分导入成功", "errorData": error_data,
    }})
}

/// As items of the demo tenant.
fn items(memberships: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs(memberships.iter().map(|(customer, group)| (format!("demo#{customer}"), group)))
}

#[tokio::test]
async fn every_event_has_its_expected_outcome() {
    let events = events();
    assert_eq!(events.len(), 13);
    for (file, event) in events {
        let stage = Stage::new().await;
        demo::load(stage.database.store(), &stage.names).await.expect("the demo data is written");
        stage.put_memberships(&items(&BEFORE)).await;
        let response = stage.function().await.invoke(event).await;
        let name = file.trim_end_matches(".json").trim_end_matches(".rest");
        let (envelope, added, removed) = expected(name);
        assert_eq!(response.envelope, envelope, "{file}");
        let headers = json!({"Content-Type": "application/json", "X-Request-Id": REQUEST_ID});
        assert_eq!(response.headers, headers, "{file}");
        let mut memberships = &items(&BEFORE) - &items(removed);
        memberships.extend(items(added));
        assert_eq!(stage.memberships().await, memberships, "{file}");
    }
}

/// The keys that API Gateway always sends (AWS: "Create AWS Lambda proxy integrations for HTTP
/// APIs", "Lambda proxy integrations in API Gateway").
const HTTP: &str =
    "body, headers, isBase64Encoded, rawPath, rawQueryString, requestContext, routeKey, version";
const REST: &str = "body, headers, httpMethod, isBase64Encoded, multiValueHeaders, \
    multiValueQueryStringParameters, path, pathParameters, queryStringParameters, requestContext, resource, \
    stageVariables";

#[test]
fn events_have_the_keys_of_api_gateway() {
    for (file, event) in events() {
        let keys: Vec<_> = event.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys.join(", "), if file.ends_with(".rest.json") { REST } else { HTTP }, "{file}");
    }
}

#[test]
fn the_rest_event_equals_the_http_event() {
    let events = events();
    let of_rest: Vec<_> =
        events.iter().filter_map(|(file, event)| Some((file.strip_suffix(".rest.json")?, event))).collect();
    assert!(!of_rest.is_empty());
    for (file, rest) in of_rest {
        let http = &events[&format!("{file}.json")];
        assert_eq!(rest["body"], http["body"], "{file}");
        assert_eq!(rest["path"], http["rawPath"], "{file}");
        assert_eq!(rest["httpMethod"], http["requestContext"]["http"]["method"], "{file}");
        assert_eq!(rest["headers"]["X-Token"], http["headers"]["x-token"], "{file}");
    }
}
