//! Records of arbitrary JSON: failed records are returned exactly as they were sent.

use std::collections::BTreeMap;

use group_import::http::envelope::{Data, Response};
use group_import::request::Request as Import;
use group_import::request::failure::Failure;
use group_import::request::params::Matching;
use group_import::resolution::report::Report;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::{Coverage, check, many};
use testing::model::draw;
use testing::model::reply::Reply;
use testing::model::request::{FIELDS, Request};
use testing::model::verdict::Case;
use testing::model::world::{CODES, World};
use testing::shorthand::without_indexes;

/// JSON text, and its meaning in the contract: a string, null, or neither.
#[derive(Clone, Debug)]
struct Json {
    raw: String,
    meaning: Value,
}

impl Json {
    fn other(raw: impl Into<String>) -> Self {
        Self { raw: raw.into(), meaning: json!(false) }
    }
}

/// A member of a record: its name as JSON text, the name if it is a field's or a variant of one, and its value.
type Member = (String, Option<&'static str>, Json);

/// A record as text, and what a failed one returns: its fields and their variants.
#[derive(Clone, Debug)]
struct Sent {
    text: String,
    members: BTreeMap<&'static str, Json>,
}

impl Sent {
    fn new(members: Vec<Member>, space: &str) -> Self {
        let mut texts = Vec::new();
        let mut returned = BTreeMap::new();
        for (name, known, value) in members {
            texts.push(format!("{space}{name}{space}:{space}{}{space}", value.raw));
            // The last of repeated members counts.
            known.and_then(|name| returned.insert(name, value));
        }
        Self { text: format!("{{{space}{}}}", texts.join(",")), members: returned }
    }

    fn meaning(&self) -> Value {
        let fields = self.members.iter().map(|(name, value)| ((*name).to_owned(), value.meaning.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

/// A string; each character is written in one of its JSON forms.
fn string() -> impl Strategy<Value = Json> {
    let plain = any::<char>().prop_filter("must be escaped", |char| *char >= ' ' && !"\"\\".contains(*char));
    let escaped = any::<char>().prop_map(|char| {
        let units = char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        (units, Some(char))
    });
    let short = vec![
        r"\n", r"\t", r"\/", r"\\", r#"\""#, r"\b", r"\u002C", r"\u0020", r"\u3000", ",", "-", "8", "张",
    ];
    let decoded = |raw: &str| serde_json::from_str(&format!("\"{raw}\"")).ok();
    let piece = prop_oneof![
        6 => plain.prop_map(|char| (String::from(char), Some(char))),
        2 => escaped,
        4 => select(short).prop_map(move |raw| (raw.to_owned(), decoded(raw))),
    ];
    // Half of a surrogate pair is valid JSON, but not valid Unicode text.
    let half = prop_oneof![
        30 => Just(""),
        1 => select(vec![r"\ud800", r"\uDBFFx", r"\udc00", r"\ud800\ud800", r"\udfff\ud800"]),
    ];
    (half, vec(piece, 0..8)).prop_map(|(half, pieces)| {
        let raw: String = pieces.iter().map(|(raw, _)| raw.as_str()).collect();
        let text: String = pieces.iter().filter_map(|(_, char)| *char).collect();
        match half {
            "" => Json { raw: format!("\"{raw}\""), meaning: text.into() },
            half => Json::other(format!("\"{raw}{half}\"")),
        }
    })
}

fn value() -> impl Strategy<Value = Json> {
    let number = "0 -0 7 1e999 -1E-999 0.10 123456789012345678901234567890.10 9007199254740993";
    let number: Vec<_> = number.split(' ').collect();
    let leaf = prop_oneof![
        8 => string(),
        1 => Just(Json { raw: "null".to_owned(), meaning: Value::Null }),
        1 => select(vec!["true", "false"]).prop_map(Json::other),
        1 => select(number).prop_map(Json::other),
        1 => any::<f64>().prop_filter("JSON has none", |number| number.is_finite())
            .prop_map(|number| Json::other(format!("{number:e}"))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = (vec(inner.clone(), 0..3), space()).prop_map(|(items, space)| {
            let items: Vec<_> = items.into_iter().map(|item| format!("{space}{}", item.raw)).collect();
            Json::other(format!("[{}{space}]", items.join(",")))
        });
        let object = (vec((string(), inner), 0..3), space()).prop_map(|(members, space)| {
            let members: Vec<_> = members
                .into_iter()
                .map(|(name, value)| format!("{space}{}{space}:{space}{}{space}", name.raw, value.raw))
                .collect();
            Json::other(format!("{{{space}{}}}", members.join(",")))
        });
        prop_oneof![list, object]
    })
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n\t", "\r\n "])
}

/// One of the five fields or a variant, its name sometimes with an escape, or a member with another name.
fn member() -> impl Strategy<Value = Member> {
    let value = || prop_oneof![5 => string(), 1 => value()];
    let variants = vec!["unionId", "Phone", "open_id", "GROUPS", "audience-userID", "phone_"];
    let names = prop_oneof![5 => select(FIELDS.to_vec()), 1 => select(variants)];
    let field = (names, prop::option::weighted(0.2, 0..5usize), value());
    let field = field.prop_map(|(field, escaped, value)| {
        let name = match escaped {
            Some(at) => field.replacen(&field[at..=at], &format!("\\u{:04X}", field.as_bytes()[at]), 1),
            None => field.to_owned(),
        };
        (format!("\"{name}\""), Some(field), value)
    });
    let stray =
        vec!["\"\"", "\"phones\"", "\"phone \"", "\"errorCode\"", "\"retryable\"", "\"data\"", r#""\ud800""#];
    let stray = (select(stray), value()).prop_map(|(name, value)| (name.to_owned(), None, value));
    prop_oneof![5 => field, 1 => stray]
}

fn record() -> impl Strategy<Value = Sent> {
    (vec(member(), 0..8), space()).prop_map(|(members, space)| Sent::new(members, space))
}

/// A request body: its members in either order, with unknown and repeated members before them, and a byte order mark if
/// it has any.
fn body(params: &Value, data: &str, strays: &[Json], data_first: bool) -> String {
    let params = format!("\"publicParams\":{params}");
    let data = format!("\"data\" :{data}");
    let mut members: Vec<_> = strays.iter().map(|stray| format!("\"data\":{}", stray.raw)).collect();
    members.extend(strays.iter().map(|stray| format!("\"stray\":{}", stray.raw)));
    members.extend(if data_first { [data, params] } else { [params, data] });
    let mark = if strays.is_empty() { "" } else { "\u{feff}" };
    format!("{mark}{{{}}}", members.join(" ,\n"))
}

/// The response to a body with an empty database: records that need matching fail.
fn response(body: &str) -> String {
    let request = Import::parse(body.as_bytes(), 100).expect("an import");
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
    let cases = (modes, vec(record(), 1..12), vec(value(), 0..2), space(), any::<bool>());
    // Enough for a random record that succeeds.
    check(many(4), &cases, |((_, mut params), records, strays, space, data_first)| {
        params["optType"] = "add".into();
        let texts: Vec<_> = records.iter().map(|record| format!("{space}{}{space}", record.text)).collect();
        let sent = body(&params, &format!("[{}]", texts.join(",")), &strays, data_first);
        let meanings: Vec<_> = records.iter().map(Sent::meaning).collect();
        let endings = World::default().import("t1", &params, &meanings);
        let expected: Vec<_> = endings.into_iter().map(|ending| ending.code).collect();
        expected.iter().for_each(|code| coverage.happened(code.unwrap_or("success")));
        // The texts to be returned are those that the records were built from.
        let request = Request::read(sent.as_bytes(), 100).map_err(TestCaseError::fail)?;
        for (read, record) in request.records.iter().zip(&records) {
            let made = record.members.iter().map(|(name, value)| (*name, value.raw.as_str()));
            prop_assert_eq!(read.members().collect::<BTreeMap<_, _>>(), made.collect());
        }

        let first = response(&sent);
        let (codes, error_data) = judge(&sent, &first).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&codes, &expected, "{}", sent);
        if error_data == "null" {
            return Ok(());
        }
        // Resent unchanged, the failed records fail as before and are returned as before.
        let sent = body(&params, &error_data, &[], data_first);
        let again = response(&sent);
        let (again, same) = judge(&sent, &again).map_err(TestCaseError::fail)?;
        prop_assert!(again.iter().all(Option::is_some));
        prop_assert_eq!(without_indexes(&same), without_indexes(&error_data));
        Ok(())
    });
    let no_database = CODES
        .into_iter()
        .filter(|code| !matches!(*code, "CONFLICT" | "AMBIGUOUS" | "STORE_ERROR" | "TIMEOUT"));
    coverage.is(no_database.chain(["success"]).map(str::to_owned));
}
