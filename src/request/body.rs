//! Parsing the body of a request into settings and records.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::rejection::Rejection;
use crate::request::fields::Object;
use crate::request::near_miss::{self, Place};
use crate::request::params::Params;
use crate::request::record::SentRecord;

/// The import that a request describes.
#[derive(Debug)]
pub struct Request<'a> {
    /// The settings, which apply to every record.
    pub params: Params,
    /// The records in the order sent, at least one.
    pub records: Vec<SentRecord<'a>>,
}

impl<'a> Request<'a> {
    /// Parses a body of at most `max_records` records. The fields of a record are not checked here: see
    /// [`SentRecord::check`].
    ///
    /// # Errors
    /// In this order: the body is not JSON, has too many records, or has an invalid parameter.
    pub fn parse(body: &'a [u8], max_records: usize) -> Result<Self, Rejection> {
        let text = str::from_utf8(body).map_err(|_| Rejection::NotUtf8)?;
        // A byte order mark: some editors and languages write one (contract, section 2).
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let body = Object::parse(text).map_err(|error| not_an_object(text, &error))?;
        let data = body.get("data");
        let elements = data.and_then(|data| serde_json::from_str::<Vec<&RawValue>>(data.get()).ok());
        if elements.as_ref().is_some_and(|elements| elements.len() > max_records) {
            return Err(Rejection::TooManyRecords(max_records));
        }
        near_miss::check(&body, Place::Beside)?;
        let params = Params::parse(body.get("publicParams"))?;
        let elements = elements
            .filter(|elements| !elements.is_empty())
            .ok_or_else(|| Rejection::parameter("data", data, "非空数组"))?;
        let records = elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| {
                SentRecord::parse(element).ok_or_else(|| Rejection::invalid(format!("data[{index}]"), "对象"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { params, records })
    }

    /// The bytes of the members that a response added to its failed records, which are sent back here.
    pub fn returned_bytes(&self) -> usize {
        self.records.iter().map(SentRecord::returned_bytes).sum()
    }
}

/// Why `text` is not the JSON object that it should be.
fn not_an_object(text: &str, error: &serde_json::Error) -> Rejection {
    if text.trim_ascii().is_empty() {
        return Rejection::EmptyBody;
    }
    // What is no object is reported at its first byte, whatever follows.
    let syntax = if error.is_data() { serde_json::from_str::<IgnoredAny>(text).err() } else { None };
    let error = syntax.as_ref().unwrap_or(error);
    if error.is_data() {
        return Rejection::NotAnObject;
    }
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // serde_json counts bytes; a character has one byte that continues no other.
    let is_continuation = |byte: &u8| (0x80..0xc0).contains(byte);
    let column = line.bytes().take(error.column()).filter(|byte| !is_continuation(byte)).count();
    Rejection::NotJson { line: error.line(), column: column.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &str = r#""publicParams":{"isMatching":false,"optType":"add"}"#;

    fn parse(body: &str) -> Result<usize, Rejection> {
        Request::parse(body.as_bytes(), 3).map(|request| request.records.len())
    }

    fn parameter(field: &str) -> Option<String> {
        Some(field.to_owned())
    }

    fn invalid_field(body: &str) -> Option<String> {
        match parse(body) {
            Err(Rejection::Parameter(error)) => Some(error.field),
            _ => None,
        }
    }

    #[test]
    fn records_keep_their_order() {
        let body = format!(r#" {{ {PARAMS} , "data" : [{{"phone":"1"}},{{}},{{"phone":"3","x":[]}}] }} "#);
        let request = Request::parse(body.as_bytes(), 3).expect("an import");
        let phones: Vec<_> = request
            .records
            .iter()
            .map(|record| record.members().map(|(_, raw)| raw.get()).collect::<Vec<_>>())
            .collect();
        assert_eq!(phones, [vec!["\"1\""], vec![], vec!["\"3\""]]);
    }

    #[test]
    fn unreadable_body_is_reported_with_its_place() {
        for body in ["", " ", "\r\n\t", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(parse(body), Err(Rejection::EmptyBody), "{body:?}");
        }
        let utf16 = [0xff, 0xfe, b'{', 0, b'}', 0];
        assert_eq!(Request::parse(&utf16, 3).err(), Some(Rejection::NotUtf8));
        for (body, line, column) in [
            ("{", 1, 1),
            ("{}}", 1, 3),
            ("{\"data\":[1,]}", 1, 12),
            ("\u{feff}\u{feff}{}", 1, 1),
            (" \u{feff}{}", 1, 2),
            ("\u{feff}{\"数据\":\u{feff}1}", 1, 7),
            ("NaN", 1, 1),
            ("{'data':1}", 1, 2),
            ("{\"data\":\n[{},\r\n  {\"客户\":\"分组\"}}", 3, 14),
            ("{\n", 2, 1),
            ("[1,", 1, 3),
            ("7 x", 1, 3),
        ] {
            assert_eq!(parse(body), Err(Rejection::NotJson { line, column }), "{body:?}");
        }
    }

    #[test]
    fn one_byte_order_mark_is_no_part_of_the_body() {
        assert_eq!(parse(&format!("\u{feff}{{{PARAMS},\"data\":[{{}}]}}")), Ok(1));
        assert_eq!(parse("\u{feff}[]"), Err(Rejection::NotAnObject));
    }

    #[test]
    fn first_invalid_field_is_reported() {
        for body in ["[]", "null", "\"x\"", "7"] {
            assert_eq!(parse(body), Err(Rejection::NotAnObject), "{body}");
        }
        assert_eq!(invalid_field(r#"{"data":[]}"#), parameter("publicParams"));
        for data in ["[]", "null", "{}", "\"[]\"", "1"] {
            assert_eq!(invalid_field(&format!(r#"{{{PARAMS},"data":{data}}}"#)), parameter("data"), "{data}");
        }
        assert_eq!(invalid_field(&format!("{{{PARAMS}}}")), parameter("data"));
        for element in ["null", "[]", "\"{}\"", "1e999", "\"\\ud800\""] {
            let body = format!(r#"{{{PARAMS},"data":[{{}},{{}},{element}]}}"#);
            assert_eq!(invalid_field(&body), parameter("data[2]"), "{element}");
        }
    }

    #[test]
    fn parameter_beside_public_params_is_reported() {
        for (name, expected) in [("dryRun", "dryRun"), ("DRY_RUN", "dryRun"), ("opt-type", "optType")] {
            for value in ["true", "false", "\"\"", "{}"] {
                for body in [
                    format!(r#"{{"{name}":{value},{PARAMS},"data":[{{}}]}}"#),
                    format!(r#"{{"{name}":{value}}}"#),
                ] {
                    let Err(Rejection::Parameter(error)) = parse(&body) else { panic!("{body}") };
                    assert_eq!((&*error.field, error.expected), (name, expected));
                }
            }
        }
        for member in [r#""dryRun":null"#, r#""dry run":true"#, r#""publicparams":{}"#, r#""\ud800":1"#] {
            assert_eq!(parse(&format!(r#"{{{member},{PARAMS},"data":[{{}}]}}"#)), Ok(1), "{member}");
        }
    }

    #[test]
    fn too_many_records_precedes_invalid_parameters() {
        assert_eq!(parse(&format!(r#"{{{PARAMS},"data":[{{}},{{}},{{}}]}}"#)), Ok(3));
        assert_eq!(parse(r#"{"data":[{},{},{},0]}"#), Err(Rejection::TooManyRecords(3)));
    }
}
