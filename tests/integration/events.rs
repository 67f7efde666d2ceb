//! The events in `events/`, for `cargo lambda invoke --data-file`, on the data of the local program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use testing::demo::{self, SHARED_PHONE, TOKEN};
use testing::function::REQUEST_ID;
use testing::stage::Stage;

/// Every event by its file name.
fn events() -> BTreeMap<String, Value> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/events"));
    let files = directory.read_dir().expect("the project has events");
    let event = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a file is text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files
        .map(|file| file.expect("the directory is read").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), event(&path)))
        .collect()
}

/// Memberships that exist before each event, as (customer, group).
const BEFORE: [(&str, &str); 3] = [("c0001", "spring"), ("c0002", "vip"), ("c0003", "spring")];

/// The expected outcome of an event.
struct Expected {
    /// HTTP status, `errorCode` and `msg`.
    response: (u64, &'static str, &'static str),
    data: Value,
    /// The memberships added to [`BEFORE`].
    added: &'static [(&'static str, &'static str)],
    /// The memberships of [`BEFORE`] that are deleted.
    removed: &'static [(&'static str, &'static str)],
}

impl Expected {
    /// All `records` are imported.
    fn imported(records: usize) -> Self {
        Self {
            response: (200, "SUCCESS", "ok"),
            data: json!({
                "importSuccessNum": records, "importFailNum": 0, "status": 1, "message": "成功", "errorData": null,
            }),
            added: &[],
            removed: &[],
        }
    }

    fn rejected(status: u64, code: &'static str, msg: &'static str) -> Self {
        Self { response: (status, code, msg), data: Value::Null, added: &[], removed: &[] }
    }

    /// One record is imported; each of the others fails for a different reason.
    fn partly_imported() -> Self {
        let failed = |mut record: Value, code: &str, message: &str| {
            record["errorCode"] = code.into();
            record["errorMsg"] = message.into();
            record["retryable"] = false.into();
            record
        };
        let mut error_data = [
            failed(json!({"openid": "nobody", "groups": "vip"}), "NOT_MATCHED", "未匹配到客户"),
            failed(
                json!({"phone": SHARED_PHONE, "groups": "vip"}),
                "AMBIGUOUS",
                "用于匹配的身份标识对应多个客户",
            ),
            failed(
                json!({"unionid": "u0002", "groups": " , "}),
                "MISSING_GROUPS",
                "缺少groups，或其中没有分组名",
            ),
            failed(json!({"groups": "vip"}), "MISSING_IDENTIFIER", "缺少可用的身份标识"),
            failed(
                json!({"phone": 13_800_000_001_u64, "groups": "vip"}),
                "INVALID_FIELD",
                "phone必须是字符串",
            ),
        ];
        for (index, record) in (1..).zip(&mut error_data) {
            record["index"] = index.into();
        }
        Self {
            data: json!({
                "importSuccessNum": 1, "importFailNum": 5, "status": 2, "message": "部分导入成功",
                "errorData": error_data,
            }),
            added: &[("c0001", "vip")],
            ..Self::imported(0)
        }
    }
}

/// The expected outcome of every event, by its file name.
fn expected() -> BTreeMap<&'static str, Expected> {
    let mut dry_run = Expected::imported(3);
    dry_run.data["dryRun"] = true.into();
    dry_run.data["matches"] = json!([
        {"index": 0, "audienceUserId": "c0001", "matchedBy": "unionid"},
        {"index": 1, "audienceUserId": "c0002", "matchedBy": "phone"},
        {"index": 2, "audienceUserId": "c0105", "matchedBy": "audienceUserId"},
    ]);
    let fuzzy_add = || Expected { added: &[("c0001", "vip"), ("c0105", "新客")], ..Expected::imported(3) };
    let bad_token = || Expected::rejected(401, "TOKEN_ERROR", "X-Token缺失、无效或已过期");
    let bad_parameters = "参数publicParams.identifyWay取值错误，应为整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)";
    let retired = "该接口地址已废弃，请改用/api/integrate/audience/info/batchAdd";
    BTreeMap::from([
        ("bad-parameters.json", Expected::rejected(400, "PARAM_ERROR", bad_parameters)),
        ("bad-token.json", bad_token()),
        ("bad-token.rest.json", bad_token()),
        (
            "delete.json",
            Expected { removed: &[("c0001", "spring"), ("c0002", "vip")], ..Expected::imported(2) },
        ),
        ("dry-run.json", dry_run),
        (
            "exact-add.json",
            Expected { added: &[("c0001", "vip"), ("c0002", "spring")], ..Expected::imported(2) },
        ),
        ("fuzzy-add.json", fuzzy_add()),
        ("fuzzy-add.rest.json", fuzzy_add()),
        ("idempotency-key.json", fuzzy_add()),
        (
            "no-matching.json",
            Expected { added: &[("c0003", "vip"), ("new-0001", "vip")], ..Expected::imported(2) },
        ),
        ("partial-failure.json", Expected::partly_imported()),
        ("partial-failure.rest.json", Expected::partly_imported()),
        ("retired-address.json", Expected::rejected(404, "NOT_FOUND", retired)),
    ])
}

/// As items of the demo tenant.
fn items(memberships: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let items = memberships.iter();
    items.map(|(customer, group)| (format!("demo#{customer}"), (*group).to_owned())).collect()
}

#[tokio::test]
async fn every_event_has_its_expected_outcome() {
    let (events, expected) = (events(), expected());
    assert!(events.keys().eq(expected.keys()), "{:?} {:?}", events.keys(), expected.keys());
    for ((file, event), (_, expected)) in events.into_iter().zip(expected) {
        let stage = Stage::new().await;
        demo::load(stage.database.store(), &stage.names).await.expect("the demo data is written");
        let function = stage.function().await;
        let before = BEFORE.map(|(customer, group)| json!({"audienceUserId": customer, "groups": group}));
        let put = json!({"isMatching": false, "optType": "add"});
        assert_eq!(function.import_as(TOKEN, put, json!(before)).await.data()["importFailNum"], 0);

        let response = function.invoke(event).await;
        let (status, code, msg) = expected.response;
        let envelope =
            json!({"code": status.to_string(), "errorCode": code, "msg": msg, "data": expected.data});
        assert_eq!((response.status, &response.envelope), (status, &envelope), "{file}");
        assert_eq!(
            response.headers,
            json!({"Content-Type": "application/json", "X-Request-Id": REQUEST_ID}),
            "{file}"
        );
        let mut memberships = items(&BEFORE);
        memberships.retain(|item| !items(expected.removed).contains(item));
        memberships.extend(items(expected.added));
        assert_eq!(stage.memberships().await, memberships, "{file}");
    }
}

/// The keys that API Gateway always sends (AWS: "Create AWS Lambda proxy integrations for HTTP
/// APIs", "Lambda proxy integrations in API Gateway").
const HTTP: [&str; 8] = [
    "body",
    "headers",
    "isBase64Encoded",
    "rawPath",
    "rawQueryString",
    "requestContext",
    "routeKey",
    "version",
];
const REST: [&str; 12] = [
    "body",
    "headers",
    "httpMethod",
    "isBase64Encoded",
    "multiValueHeaders",
    "multiValueQueryStringParameters",
    "path",
    "pathParameters",
    "queryStringParameters",
    "requestContext",
    "resource",
    "stageVariables",
];

#[test]
fn events_have_the_keys_of_api_gateway() {
    for (file, event) in events() {
        let keys: BTreeSet<_> = event.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = if file.ends_with(".rest.json") { REST.as_slice() } else { &HTTP };
        assert_eq!(keys, expected.iter().copied().collect(), "{file}");
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
