//! The events in `events/`, for `cargo lambda invoke --data-file`, on the data of the local program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use testing::demo;
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

type Pairs = &'static [(&'static str, &'static str)];

/// Memberships that exist before each event, as (customer, group).
const BEFORE: Pairs = &[("c0001", "spring"), ("c0002", "vip"), ("c0003", "spring")];

/// The codes of the failed records of the event in which some fail.
const FAILURES: [&str; 5] =
    ["NOT_MATCHED", "AMBIGUOUS", "MISSING_GROUPS", "MISSING_IDENTIFIER", "INVALID_FIELD"];

/// The `errorCode` of an event's response by its name, and the memberships that it adds to [`BEFORE`] and deletes.
fn expected(event: &str) -> (&'static str, Pairs, Pairs) {
    match event {
        "bad-parameters" => ("PARAM_ERROR", &[], &[]),
        "bad-token" => ("TOKEN_ERROR", &[], &[]),
        "delete" => ("SUCCESS", &[], &[("c0001", "spring"), ("c0002", "vip")]),
        "dry-run" => ("SUCCESS", &[], &[]),
        "exact-add" => ("SUCCESS", &[("c0001", "vip"), ("c0002", "spring")], &[]),
        "fuzzy-add" | "idempotency-key" => ("SUCCESS", &[("c0001", "vip"), ("c0105", "新客")], &[]),
        "no-matching" => ("SUCCESS", &[("c0003", "vip"), ("new-0001", "vip")], &[]),
        "partial-failure" => ("SUCCESS", &[("c0001", "vip")], &[]),
        "retired-address" => ("NOT_FOUND", &[], &[]),
        _ => panic!("no outcome of {event} is expected"),
    }
}

/// As items of the demo tenant.
fn items(memberships: Pairs) -> BTreeSet<(String, String)> {
    pairs(memberships.iter().map(|(customer, group)| (format!("demo#{customer}"), group)))
}

#[tokio::test]
async fn every_event_has_its_expected_outcome() {
    let events = events();
    assert_eq!(events.len(), 13);
    for (file, event) in events {
        let stage = Stage::new().await;
        demo::load(stage.database.store(), &stage.names).await.expect("the demo data is written");
        stage.put_memberships(&items(BEFORE)).await;
        let response = stage.function().await.invoke(event).await;
        let name = file.trim_end_matches(".json").trim_end_matches(".rest");
        let (code, added, removed) = expected(name);
        assert_eq!(response.code(), code, "{file}");
        let headers = json!({"Content-Type": "application/json", "X-Request-Id": REQUEST_ID});
        assert_eq!(response.headers, headers, "{file}");
        let mut memberships = &items(BEFORE) - &items(removed);
        memberships.extend(items(added));
        assert_eq!(stage.memberships().await, memberships, "{file}");
        assert_eq!(response.envelope["data"]["matches"].is_array(), name == "dry-run", "{file}");
        if code == "SUCCESS" {
            let failures = if name == "partial-failure" { &FAILURES[..] } else { &[] };
            assert_eq!(response.failures(), failures, "{file}");
        }
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
