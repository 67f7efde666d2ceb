//! Payloads of arbitrary members: an event is an API event if it has a `requestContext` (contract, section 11).

use group_import::http::incoming::Incoming;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{Coverage, check, config};

/// Names as JSON text: those of both kinds of events, also with escapes, and others that are nearly one of them.
const NAMES: [&str; 14] = [
    r#""requestContext""#,
    r#""request\u0043ontext""#,
    r#""tokenHash""#,
    r#""\u0074okenHash""#,
    r#""publicParams""#,
    r#""data""#,
    r#""body""#,
    r#""headers""#,
    r#""rawPath""#,
    r#""RequestContext""#,
    r#""tokenhash""#,
    r#""Data""#,
    r#""""#,
    r#""version""#,
];

/// Values as JSON text: of any kind, and some that hold the members of the other kind of event.
const VALUES: [&str; 12] = [
    "null",
    "7",
    "true",
    r#""""#,
    r#""POST""#,
    "[]",
    "{}",
    r#""0000000000000000000000000000000000000000000000000000000000000000""#,
    r#"{"isMatching":false,"optType":"add"}"#,
    r#"[{"audienceUserId":"c1","groups":"g"}]"#,
    r#"{"http":{"method":"POST"},"tokenHash":"","publicParams":{},"data":[]}"#,
    r#"{"requestContext":{"http":{"method":"POST"}}}"#,
];

#[test]
fn an_event_with_a_request_context_is_an_api_event() {
    let member = (select(NAMES.to_vec()), select(VALUES.to_vec()));
    let coverage = Coverage::default();
    check(config(), &vec(member, 0..6), |members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let event: Value = serde_json::from_str(&text).expect("an object");
        let has = |name| event.get(name).is_some();
        let expected = !has("requestContext") && ["tokenHash", "publicParams", "data"].into_iter().any(has);
        let incoming = serde_json::from_str(&text).expect("every JSON text is a payload");
        prop_assert_eq!(matches!(incoming, Incoming::Direct(_)), expected, "{}", text);
        coverage.happened(if expected { "direct" } else { "api" });
        Ok(())
    });
    coverage.is(["api", "direct"].map(str::to_owned));
}
