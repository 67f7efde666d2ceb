//! Payloads of arbitrary members: what they have says which kind of event they are (contract, section 11).

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
fn members_determine_the_kind_of_event() {
    let member = (select(NAMES.to_vec()), select(VALUES.to_vec()));
    let coverage = Coverage::default();
    check(config(), &vec(member, 0..6), |members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let event: Value = serde_json::from_str(&text).expect("an object");
        let has = |name| event.get(name).is_some();
        let expected = if has("requestContext") {
            "api"
        } else if ["tokenHash", "publicParams", "data"].into_iter().any(has) {
            "direct"
        } else {
            "unknown"
        };
        let kind = match serde_json::from_str(&text).expect("every JSON text is a payload") {
            Incoming::Api(_) => "api",
            Incoming::Direct(_) => "direct",
            Incoming::Unknown => "unknown",
        };
        prop_assert_eq!(kind, expected, "{}", text);
        coverage.happened(kind);
        Ok(())
    });
    coverage.is(["api", "direct", "unknown"].map(str::to_owned));
}
