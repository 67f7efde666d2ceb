//! What callers read (docs/) names every code, message and limit that the function has.

use std::collections::BTreeSet;

use group_import::config::{DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_RECORDS, MAX_PAYLOAD_BYTES};
use group_import::http::event::Header;
use group_import::http::handler;
use group_import::http::refusal::Refusal;
use group_import::request::failure::{Failure, FieldFault, Outage};
use group_import::request::group::{MAX_NAME_BYTES, MAX_NAMES};
use group_import::request::identifier::MAX_IDENTIFIER_BYTES;
use group_import::request::{ImportRequest, RequestError};

const ENGLISH: &str = include_str!("../../docs/api.md");
const CHINESE: &str = include_str!("../../docs/api.zh.md");
const OPENAPI: &str = include_str!("../../docs/openapi.yaml");

const PAGES: [(&str, &str); 2] = [("api.md", ENGLISH), ("api.zh.md", CHINESE)];
const ALL: [(&str, &str); 3] = [PAGES[0], PAGES[1], ("openapi.yaml", OPENAPI)];

/// Every refusal, with the limits that hold by default; those about parameters are told by their own test.
fn refusals() -> Vec<Refusal> {
    let all = vec![
        Refusal::NotFound,
        Refusal::Retired,
        Refusal::MethodNotAllowed,
        Refusal::Token,
        Refusal::Forbidden,
        Refusal::KeyReused,
        Refusal::Unavailable,
        Refusal::UnsupportedMediaType,
        Refusal::BodyTooLarge(DEFAULT_MAX_BODY_BYTES),
        Refusal::TooManyRecords(DEFAULT_MAX_RECORDS),
        Refusal::AnswerTooLarge(MAX_PAYLOAD_BYTES),
        Refusal::NotJson,
        Refusal::Internal,
    ];
    // A new refusal does not compile here before it stands above.
    for refusal in &all {
        match refusal {
            Refusal::NotFound
            | Refusal::Retired
            | Refusal::MethodNotAllowed
            | Refusal::Token
            | Refusal::Forbidden
            | Refusal::KeyReused
            | Refusal::Unavailable
            | Refusal::UnsupportedMediaType
            | Refusal::BodyTooLarge(_)
            | Refusal::TooManyRecords(_)
            | Refusal::AnswerTooLarge(_)
            | Refusal::NotJson
            | Refusal::Parameter(_)
            | Refusal::Internal => {}
        }
    }
    all
}

/// Every failure of a record, about the fields that the documents take as examples.
fn failures() -> Vec<Failure> {
    let invalid = |field, fault| Failure::InvalidField { field, fault };
    let all = vec![
        invalid("phone", FieldFault::NotText),
        invalid("openid", FieldFault::IdentifierTooLong),
        invalid("groups", FieldFault::GroupNameTooLong),
        invalid("groups", FieldFault::TooManyGroups),
        Failure::MissingIdentifier,
        Failure::MissingGroups,
        Failure::NotMatched,
        Failure::Conflict,
        Failure::Ambiguous,
        Failure::Outage(Outage::StoreError),
        Failure::Outage(Outage::Timeout),
    ];
    // As with the refusals.
    for failure in &all {
        match failure {
            Failure::InvalidField { fault, .. } => match fault {
                FieldFault::NotText
                | FieldFault::IdentifierTooLong
                | FieldFault::GroupNameTooLong
                | FieldFault::TooManyGroups => {}
            },
            Failure::MissingIdentifier
            | Failure::MissingGroups
            | Failure::NotMatched
            | Failure::Conflict
            | Failure::Ambiguous
            | Failure::Outage(Outage::StoreError | Outage::Timeout) => {}
        }
    }
    all
}

/// What stands between the first pair of backticks in a cell.
fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// The cells of the table rows of a page.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines().filter(|line| line.starts_with('|')).map(|line| line.split(" | ").map(str::trim).collect())
}

#[test]
fn every_refusal_stands_in_the_pages_with_its_status_code_and_message() {
    for (name, page) in PAGES {
        for refusal in refusals() {
            let (status, message) = (refusal.status(), refusal.message());
            let told = rows(page).any(|row| {
                row.len() == 4
                    && row[0] == format!("| {}", status.as_str())
                    && code(row[1]) == Some(refusal.code())
                    && code(row[2]) == Some(&*message)
            });
            assert!(told, "{name}: {status} {} {message}", refusal.code());
            if let Some((header, value)) = refusal.header() {
                assert!(page.contains(&format!("`{header}`")), "{name}: {header}: {value}");
            }
        }
    }
}

#[test]
fn every_failure_stands_in_the_pages_in_the_order_of_precedence() {
    for (name, page) in PAGES {
        let told: Vec<_> = rows(page)
            .filter(|row| row.len() == 4 && matches!(code(row[1]), Some("true" | "false")))
            .collect();
        let mut codes: Vec<_> = failures().into_iter().map(Failure::code).collect();
        codes.dedup();
        assert_eq!(told.iter().filter_map(|row| code(row[0])).collect::<Vec<_>>(), codes, "{name}");
        for failure in failures() {
            let found = told.iter().any(|row| {
                code(row[0]) == Some(failure.code())
                    && code(row[1]) == Some(if failure.retryable() { "true" } else { "false" })
                    && row[2].contains(&format!("`{}`", failure.message()))
            });
            assert!(found, "{name}: {} {}", failure.code(), failure.message());
        }
    }
}

#[test]
fn every_parameter_at_fault_stands_in_the_pages_with_its_message() {
    const RECORDS: &str = r#""data":[{}]"#;
    let params = |text: &str| format!(r#"{{"publicParams":{{{text}}},{RECORDS}}}"#);
    let off = r#""isMatching":false,"optType":"add""#;
    let bodies = [
        "[]".to_owned(),
        format!("{{{RECORDS}}}"),
        params(r#""optType":"add""#),
        params(r#""isMatching":true,"optType":"add""#),
        params(r#""isMatching":true,"matchingType":2,"optType":"add""#),
        params(r#""isMatching":false"#),
        params(&format!(r#"{off},"dryRun":1"#)),
        params(&format!(r#"{off},"explain":1"#)),
        format!(r#"{{"publicParams":{{{off}}},"data":[]}}"#),
        format!(r#"{{"publicParams":{{{off}}},"data":[{{}},{{}},{{}},7]}}"#),
    ];
    let errors = bodies.iter().map(|body| match ImportRequest::parse(body.as_bytes(), 10) {
        Err(RequestError::Parameter(error)) => error,
        _ => panic!("{body} has a parameter at fault"),
    });
    let key = handler::idempotency_key(Header::Value("")).expect_err("an empty key is none");
    let mut fields = BTreeSet::new();
    for error in errors.chain([key]) {
        for (name, page) in PAGES {
            let message = Refusal::Parameter(error.clone()).message();
            assert!(page.contains(&format!("`{message}`")), "{name}: {message}");
        }
        fields.insert(error.field);
    }
    assert_eq!(fields.len(), bodies.len() + 1, "each case shows another parameter");
}

#[test]
fn every_code_and_message_stands_in_the_openapi_document() {
    for refusal in refusals() {
        assert!(OPENAPI.contains(&format!("- {}\n", refusal.code())), "{}", refusal.code());
        assert!(OPENAPI.contains(&refusal.message()), "{}", refusal.message());
        assert!(
            OPENAPI.contains(&format!("\"{}\": {{$ref:", refusal.status().as_str())),
            "{}",
            refusal.code()
        );
    }
    for failure in failures() {
        assert!(OPENAPI.contains(&format!("- {}\n", failure.code())), "{}", failure.code());
        assert!(OPENAPI.contains(&failure.message()), "{}", failure.message());
    }
}

#[test]
fn every_limit_stands_in_the_documents() {
    let limits = [
        DEFAULT_MAX_RECORDS,
        DEFAULT_MAX_BODY_BYTES,
        MAX_PAYLOAD_BYTES,
        MAX_IDENTIFIER_BYTES,
        MAX_NAME_BYTES,
        MAX_NAMES,
    ];
    for (name, text) in ALL {
        let numbers: BTreeSet<_> = text.split(|c: char| !c.is_ascii_digit()).collect();
        for limit in limits {
            assert!(numbers.contains(&*limit.to_string()), "{name}: {limit}");
        }
    }
}
