//! The documents for callers (docs/) contain every code, message and limit of the function. The Chinese page has what the
//! English one has: tests in Python compare them.

use std::collections::BTreeSet;

use group_import::config::{DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_RECORDS, MAX_PAYLOAD_BYTES};
use group_import::http::event::Header;
use group_import::http::preconditions;
use group_import::http::rejection::{header, report};
use group_import::rejection::Rejection;
use group_import::request::Request;
use group_import::request::failure::{Failure, FieldFault, Outage};
use group_import::request::group::{MAX_NAME_BYTES, MAX_NAMES};
use group_import::request::identifier::MAX_IDENTIFIER_BYTES;
use group_import::resolution::stored::MAX_OUTCOME_BYTES;

const PAGE: &str = include_str!("../../docs/api.md");
const OPENAPI: &str = include_str!("../../docs/openapi.yaml");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");
const TEMPLATE: &str = include_str!("../../template.yaml");

/// A list with a value of each variant: those without fields by their names, the others by a pattern. It compiles only if
/// none is missing.
macro_rules! one_of_each {
    ($type:ident: $($unit:ident),+ $(; $($pattern:pat => $value:expr),+)?) => {{
        let _ = |value: &$type| match value {
            $($type::$unit)|+ => {}
            $($($pattern => {})+)?
        };
        vec![$($type::$unit),+ $(, $($value),+)?]
    }};
}

/// Every rejection of a request to the API, with the default limits. That of a parameter is as abbreviated on the pages:
/// another test covers each parameter.
fn rejections() -> Vec<Rejection> {
    let mut all = one_of_each!(
        Rejection: NotFound, UnknownEvent, Retired, MethodNotAllowed, Token, Forbidden, KeyReused, Unavailable,
        UnsupportedMediaType, EmptyBody, NotUtf8, NotAnObject, KeysNotSupported, Internal;
        Rejection::BodyTooLarge(_) => Rejection::BodyTooLarge(DEFAULT_MAX_BODY_BYTES),
        Rejection::TooManyRecords(_) => Rejection::TooManyRecords(DEFAULT_MAX_RECORDS),
        Rejection::ResponseTooLarge(_) => Rejection::ResponseTooLarge(MAX_PAYLOAD_BYTES),
        Rejection::OutcomeTooLarge(_) => Rejection::OutcomeTooLarge(MAX_OUTCOME_BYTES),
        Rejection::NotJson { .. } => Rejection::NotJson { line: 3, column: 14 },
        Rejection::Parameter(_) => Rejection::invalid("…", "…")
    );
    all.retain(|rejection| *rejection != Rejection::UnknownEvent);
    all
}

/// Every failure of a record in the order of precedence, with the fields used as examples in the documents.
fn failures() -> BTreeSet<Failure> {
    let invalid = |fault| {
        let field = match fault {
            FieldFault::NotString | FieldFault::NotText => "phone",
            FieldFault::IdentifierTooLong => "openid",
            FieldFault::Misnamed => "unionid",
            _ => "groups",
        };
        Failure::InvalidField { field, fault }
    };
    let mut all = one_of_each!(
        Failure: MissingIdentifier, MissingCustomerId, MissingGroups, NotMatched, Conflict, Ambiguous;
        Failure::InvalidField { .. } => invalid(FieldFault::NotString),
        Failure::Outage(_) => Failure::Outage(Outage::Timeout)
    );
    all.extend(one_of_each!(Outage: StoreError, Timeout).into_iter().map(Failure::Outage));
    let faults = one_of_each!(
        FieldFault: NotString, NotText, IdentifierTooLong, GroupNameTooLong, TooManyGroups, ControlCharacter,
        ReplacementCharacter, Misnamed
    );
    all.extend(faults.into_iter().map(invalid));
    all.into_iter().collect()
}

#[test]
fn the_page_states_the_time_and_the_rate_that_are_deployed() {
    for (deployed, stated) in [
        ("\n      Timeout: 29\n", "| 29 seconds. After"),
        ("\n  DeadlineMarginMs:\n    Type: Number\n    Default: 1500\n", "after 27.5 seconds"),
        ("\n  ThrottlingRate:\n    Type: Number\n    Default: 50\n", "| 50 per second,"),
        ("\n  ThrottlingBurst:\n    Type: Number\n    Default: 100\n", "bursts of 100"),
    ] {
        assert!(TEMPLATE.contains(deployed), "{deployed}");
        assert!(PAGE.contains(stated), "{stated}");
    }
}

#[test]
fn the_documents_have_the_version_of_the_package() {
    assert!(OPENAPI.contains(concat!("\n  version: \"", env!("CARGO_PKG_VERSION"), "\"\n")));
    assert!(CHANGELOG.contains(concat!("\n## ", env!("CARGO_PKG_VERSION"), "\n")));
    assert!(PAGE.contains(concat!("`", env!("CARGO_PKG_VERSION"), "`")));
}

/// The text in the first pair of backticks of a cell.
fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// The cells of the page's table rows with four of them.
fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>().try_into().ok())
}

#[test]
fn the_page_lists_every_rejection() {
    let listed: BTreeSet<_> = rows()
        .filter(|[status, ..]| status.starts_with(|c: char| c.is_ascii_digit()))
        .map(|[status, error_code, message, when]| {
            (status, code(error_code).expect("a code"), code(message).expect("a message"), when)
        })
        .collect();
    assert_eq!(listed.len(), rejections().len());
    for rejection in rejections() {
        let (status, code, message) = report(&rejection);
        let expected = (status.as_str(), code, &*message);
        let row = listed.iter().find(|(status, code, message, _)| (*status, *code, *message) == expected);
        let (.., when) = row.unwrap_or_else(|| panic!("{expected:?}"));
        let header = header(&rejection).map(|(header, _)| format!("`{header}`"));
        assert!(header.is_none_or(|header| when.contains(&header)), "{when}");
    }
}

#[test]
fn the_page_lists_failures_in_precedence_order() {
    let listed: Vec<_> = rows().filter(|row| matches!(code(row[1]), Some("true" | "false"))).collect();
    let mut codes: Vec<_> = failures().into_iter().map(Failure::code).collect();
    codes.dedup();
    assert_eq!(listed.iter().filter_map(|row| code(row[0])).collect::<Vec<_>>(), codes);
    for failure in failures() {
        let found = listed.iter().any(|row| {
            code(row[0]) == Some(failure.code())
                && code(row[1]) == Some(if failure.retryable() { "true" } else { "false" })
                && row[2].contains(&format!("`{}`", failure.message("unionId")))
        });
        assert!(found, "{} {}", failure.code(), failure.message("unionId"));
    }
}

#[test]
fn the_page_lists_the_message_of_every_parameter() {
    const RECORDS: &str = r#""data":[{}]"#;
    let params = |text: &str| format!(r#"{{"publicParams":{{{text}}},{RECORDS}}}"#);
    let off = r#""isMatching":false,"optType":"add""#;
    let bodies = [
        "[]".to_owned(),
        format!("{{{RECORDS}}}"),
        params(r#""optType":"add""#),
        params(r#""isMatching":1,"optType":"add""#),
        params(r#""isMatching":true,"matchingType":3,"optType":"add""#),
        params(r#""isMatching":true,"matchingType":2,"identifyWay":3,"optType":"add""#),
        params(r#""isMatching":false,"optType":"put""#),
        params(&format!(r#"{off},"dryRun":1"#)),
        params(&format!(r#"{off},"explain":1"#)),
        params(&format!(r#"{off},"dry_run":true"#)),
        params(&format!(r#"{off},"isDryRun":true"#)),
        format!(r#"{{"publicParams":{{{off}}},"dryRun":true,{RECORDS}}}"#),
        format!(r#"{{"publicParams":{{{off}}},"data":[]}}"#),
        format!(r#"{{"publicParams":{{{off}}},"data":[{{}},{{}},{{}},7]}}"#),
    ];
    let rejection = |body: &String| Request::parse(body.as_bytes(), 10).expect_err(body);
    let key = preconditions::idempotency_key(Header::Value("")).expect_err("an empty key is none");
    let messages: BTreeSet<_> =
        bodies.iter().map(rejection).chain([key]).map(|rejection| report(&rejection).2).collect();
    assert_eq!(messages.len(), bodies.len() + 1, "each case shows another message");
    for message in messages {
        assert!(PAGE.contains(&format!("\n{message}\n")), "{message}");
    }
    // Those whose other form is on the page.
    for (body, message) in [
        (format!(r#"{{"publicParams":"{{}}",{RECORDS}}}"#), "参数publicParams取值错误，应为对象"),
        (format!(r#"{{"publicParams":{{{off}}}}}"#), "缺少参数data，应为非空数组"),
        (params(r#""isMatching":null"#), "缺少参数publicParams.isMatching，应为布尔值true或false"),
    ] {
        assert_eq!(report(&rejection(&body)).2, message);
    }
}

#[test]
fn the_openapi_document_lists_every_code_and_message() {
    for rejection in rejections() {
        let (status, code, message) = report(&rejection);
        for text in [format!("- {code}\n"), message, format!("\"{}\": {{$ref:", status.as_str())] {
            assert!(OPENAPI.contains(&text), "{text}");
        }
    }
    for failure in failures() {
        assert!(OPENAPI.contains(&format!("- {}\n", failure.code())), "{}", failure.code());
        assert!(OPENAPI.contains(&failure.message("unionId")), "{}", failure.message("unionId"));
    }
}

#[test]
fn the_documents_state_every_limit() {
    for (limit, on_page, in_openapi) in [
        (DEFAULT_MAX_RECORDS, "records per request | 1 to {} |", "maxItems: {}\n"),
        (DEFAULT_MAX_BODY_BYTES, "request body | {} bytes |", "不压缩，最多 {} 字节。\n"),
        (MAX_PAYLOAD_BYTES, "response | {} bytes |", "响应可能超过 {} 字节，"),
        (MAX_IDENTIFIER_BYTES, "identifier | {} bytes of UTF-8 |", "客户 ID，最多 {} 字节（UTF-8）。"),
        (MAX_NAME_BYTES, "group name | {} bytes ", "每个最多 {} 字节（UTF-8）。"),
        (MAX_NAMES, "group names per record | {},", "隔开，最多 {} 个，"),
    ] {
        for (text, place) in [(PAGE, on_page), (OPENAPI, in_openapi)] {
            let stated = place.replace("{}", &limit.to_string());
            assert!(text.contains(&stated), "{stated}");
        }
    }
}
