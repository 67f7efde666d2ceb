//! Records of arbitrary JSON: failed records are returned exactly as they were sent.

use group_import::http::envelope::{Data, Response};
use group_import::request::Request;
use group_import::request::failure::Failure;
use group_import::request::params::Matching;
use group_import::resolution::report::Report;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{Coverage, check, many};
use testing::model::draw;
use testing::model::reply::Reply;
use testing::model::request::FIELDS;
use testing::model::verdict::Case;
use testing::model::world::{CODES, World};
use testing::shorthand::without_indexes;

/// A string; each character is written in one of its JSON forms.
fn string() -> impl Strategy<Value = String> {
    let plain = any::<char>().prop_filter("must be escaped", |char| *char >= ' ' && !"\"\\".contains(*char));
    let escaped = any::<char>().prop_map(|char| {
        char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
    });
    let short = vec![
        r"\n", r"\t", r"\/", r"\\", r#"\""#, r"\b", r"\u002C", r"\u0020", r"\u3000", ",", "-", "8", "张",
    ];
    let piece = prop_oneof![
        6 => plain.prop_map(String::from),
        2 => escaped,
        4 => select(short).prop_map(str::to_owned),
    ];
    // Half of a surrogate pair is valid JSON, but not valid Unicode text.
    let half = prop_oneof![
        30 => Just(""),
        1 => select(vec![r"\ud800", r"\uDBFFx", r"\udc00", r"\ud800\ud800", r"\udfff\ud800"]),
    ];
    (vec(piece, 0..8), half).prop_map(|(pieces, half)| format!("\"{}{half}\"", pieces.concat()))
}

fn value() -> impl Strategy<Value = String> {
    let others = "true false 0 -0 7 1e999 -1E-999 0.10 123456789012345678901234567890.10 9007199254740993";
    let others: Vec<_> = others.split(' ').map(str::to_owned).collect();
    let leaf = prop_oneof![8 => string(), 2 => Just("null".to_owned()), 3 => select(others)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = (vec(inner.clone(), 0..3), space());
        let list = list.prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(",")));
        prop_oneof![list, object((string(), inner), 3)]
    })
}

/// An object of fewer members than `most`.
fn object(member: impl Strategy<Value = (String, String)>, most: usize) -> impl Strategy<Value = String> {
    (vec(member, 0..most), space()).prop_map(|(members, space)| {
        let members =
            members.iter().map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"));
        format!("{{{space}{}}}", members.collect::<Vec<_>>().join(","))
    })
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n\t", "\r\n "])
}

/// A field or a variant, its name sometimes with an escape, or a member with another name.
fn member() -> impl Strategy<Value = (String, String)> {
    let variants = vec!["unionId", "Phone", "open_id", "GROUPS", "audience-userID", "phone_"];
    let names = prop_oneof![5 => select(FIELDS.to_vec()), 1 => select(variants)];
    let field = (names, prop::option::weighted(0.2, 0..5usize)).prop_map(|(field, escaped)| match escaped {
        Some(at) => format!("\"{}\\u{:04X}{}\"", &field[..at], field.as_bytes()[at], &field[at + 1..]),
        None => format!("\"{field}\""),
    });
    let stray =
        vec!["\"\"", "\"phones\"", "\"phone \"", "\"errorCode\"", "\"retryable\"", "\"data\"", r#""\ud800""#];
    let name = prop_oneof![5 => field, 1 => select(stray).prop_map(str::to_owned)];
    (name, prop_oneof![5 => string(), 2 => value()])
}

/// A request body: its members in either order, with unknown and repeated members before them, and a byte order mark if
/// it has any.
fn body(params: &Value, data: &str, strays: &[String], data_first: bool) -> String {
    let params = format!("\"publicParams\":{params}");
    let data = format!("\"data\" :{data}");
    let mut members: Vec<_> = strays.iter().map(|stray| format!("\"data\":{stray}")).collect();
    members.extend(strays.iter().map(|stray| format!("\"stray\":{stray}")));
    members.extend(if data_first { [data, params] } else { [params, data] });
    let mark = if strays.is_empty() { "" } else { "\u{feff}" };
    format!("{mark}{{{}}}", members.join(" ,\n"))
}

/// The response to a body with an empty database: records that need matching fail.
fn response(body: &str) -> String {
    let request = Request::parse(body.as_bytes(), 100).expect("an import");
    let params = request.params;
    let failure = |sent: &group_import::request::record::SentRecord<'_>| match sent.check(params) {
        Err(failure) => Some(failure),
        Ok(_) => (params.matching != Matching::Off).then_some(Failure::NotMatched),
    };
    let failures = request.records.iter().enumerate();
    let failures = failures.filter_map(|(index, sent)| Some((index, failure(sent)?))).collect();
    Response::result(&Data::new(&request, &Report { failures, matches: None })).body
}

/// Checks a response; returns the codes of its records, and the exact text of `errorData`.
fn judge(sent: &str, response: &str) -> Result<(Vec<Option<&'static str>>, String), String> {
    let (nobody, headers) =
        (World::default(), json!({"Content-Type": "application/json", "X-Request-Id": "id"}));
    let reply = Reply { status: 200, headers: &headers, body: response };
    let verdict = Case::new(&nobody, "t1", sent.as_bytes()).imported(&reply)?;
    Ok((verdict.codes, reply.error_data()?.to_owned()))
}

#[test]
fn failed_records_are_returned_verbatim() {
    let coverage = Coverage::default();
    let modes = select(draw::modes().to_vec());
    let records = vec(object(member(), 8), 1..12);
    let cases = (modes, records, vec(value(), 0..2), space(), any::<bool>());
    // Enough for a random record that succeeds.
    check(many(4), &cases, |((_, mut params), records, strays, space, data_first)| {
        params["optType"] = "add".into();
        let data = format!("[{space}{}{space}]", records.join(&format!("{space},{space}")));
        let sent = body(&params, &data, &strays, data_first);
        let (codes, error_data) = judge(&sent, &response(&sent)).map_err(TestCaseError::fail)?;
        codes.into_iter().for_each(|code| coverage.happened(code.unwrap_or("success")));
        if error_data == "null" {
            return Ok(());
        }
        // Resent unchanged, the failed records fail as before and are returned as before.
        let sent = body(&params, &error_data, &[], data_first);
        let (again, same) = judge(&sent, &response(&sent)).map_err(TestCaseError::fail)?;
        prop_assert!(again.iter().all(Option::is_some));
        prop_assert_eq!(without_indexes(&same), without_indexes(&error_data));
        Ok(())
    });
    let no_database = CODES
        .into_iter()
        .filter(|code| !matches!(*code, "CONFLICT" | "AMBIGUOUS" | "STORE_ERROR" | "TIMEOUT"));
    coverage.is(no_database.chain(["success"]).map(str::to_owned));
}
