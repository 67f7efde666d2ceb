//! Parsing the body of a request into settings and records.

use serde_json::value::RawValue;

use crate::request::params::{ParameterError, Params};
use crate::request::record::SentRecord;
use raw_fields::Fields;

/// The import that a request describes.
#[derive(Debug)]
pub struct ImportRequest<'a> {
    /// The settings, which apply to every record.
    pub params: Params,
    /// The records in the order sent, at least one.
    pub records: Vec<SentRecord<'a>>,
}

/// Why a body cannot be parsed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// There are more records than the limit.
    #[error("more records than the limit")]
    TooManyRecords,
    /// A parameter is missing or invalid.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

const NAMES: [&str; 2] = ["publicParams", "data"];

impl<'a> ImportRequest<'a> {
    /// Parses a body of at most `max_records` records. The fields of a record are not checked here: see
    /// [`SentRecord::check`].
    ///
    /// # Errors
    /// In this order: the body is not JSON, has too many records, or has an invalid parameter.
    pub fn parse(body: &'a [u8], max_records: usize) -> Result<Self, RequestError> {
        let text = str::from_utf8(body).map_err(|_| RequestError::NotJson)?;
        let body = Fields::parse(&NAMES, text).map_err(|error| {
            if error.is_data() {
                ParameterError::new("body", "JSON对象").into()
            } else {
                RequestError::NotJson
            }
        })?;
        let [public_params, data] = [body.get(0), body.get(1)];

        let elements = data.and_then(array);
        if elements.as_ref().is_some_and(|elements| elements.len() > max_records) {
            return Err(RequestError::TooManyRecords);
        }
        let params = Params::parse(public_params)?;
        let elements = elements
            .filter(|elements| !elements.is_empty())
            .ok_or_else(|| ParameterError::new("data", "非空数组"))?;
        let records = elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| {
                SentRecord::parse(element)
                    .ok_or_else(|| ParameterError::new(format!("data[{index}]"), "对象"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { params, records })
    }
}

fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &str = r#""publicParams":{"isMatching":false,"optType":"add"}"#;

    fn parse(body: &str) -> Result<usize, RequestError> {
        ImportRequest::parse(body.as_bytes(), 3).map(|request| request.records.len())
    }

    fn parameter(field: &str) -> Option<String> {
        Some(field.to_owned())
    }

    fn invalid_field(body: &str) -> Option<String> {
        match parse(body) {
            Err(RequestError::Parameter(error)) => Some(error.field),
            _ => None,
        }
    }

    #[test]
    fn records_keep_their_order() {
        let body = format!(r#" {{ {PARAMS} , "data" : [{{"phone":"1"}},{{}},{{"phone":"3","x":[]}}] }} "#);
        let request = ImportRequest::parse(body.as_bytes(), 3).expect("an import");
        let phones: Vec<_> = request
            .records
            .iter()
            .map(|record| record.fields().map(|(_, raw)| raw.get()).collect::<Vec<_>>())
            .collect();
        assert_eq!(phones, [vec!["\"1\""], vec![], vec!["\"3\""]]);
    }

    #[test]
    fn invalid_json_is_reported() {
        for body in ["", " ", "{", "{}}", "{\"data\":[1,]}", "\u{feff}{}", "NaN", "{'data':1}"] {
            assert_eq!(parse(body), Err(RequestError::NotJson), "{body:?}");
        }
        let utf16 = [0xff, 0xfe, b'{', 0, b'}', 0];
        assert_eq!(ImportRequest::parse(&utf16, 3).err(), Some(RequestError::NotJson));
    }

    #[test]
    fn first_invalid_field_is_reported() {
        for body in ["[]", "null", "\"x\"", "7"] {
            assert_eq!(invalid_field(body), parameter("body"), "{body}");
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
    fn too_many_records_precedes_invalid_parameters() {
        assert_eq!(parse(&format!(r#"{{{PARAMS},"data":[{{}},{{}},{{}}]}}"#)), Ok(3));
        assert_eq!(parse(r#"{"data":[{},{},{},0]}"#), Err(RequestError::TooManyRecords));
    }
}
