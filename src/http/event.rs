//! The event of API Gateway, and the response in its format.
//!
//! lambda_http's conversion rejects events with non-ASCII headers, and panics on invalid base64 in a
//! body and on a path that is not a valid URI: a caller could cause a 5xx. Therefore the event is
//! parsed here, limited to what the function uses.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::http::envelope::Response;
use raw_fields::Fields;

/// An HTTP request as API Gateway sends it, from an HTTP API (payload format 2.0) or a REST API
/// (1.0). Missing members are empty.
#[derive(Default)]
pub struct Event {
    /// The path, possibly with the stage as a prefix.
    pub path: String,
    /// The HTTP method.
    pub method: String,
    /// The body, decoded; `None` if it should be base64 and is not.
    pub body: Option<Vec<u8>>,
    /// All values of each header, by lower-case name.
    headers: HashMap<String, Vec<String>>,
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Rest,
    Http,
}

/// The value of a header.
#[derive(PartialEq, Eq)]
pub enum Header<'a> {
    /// The header is missing.
    Absent,
    /// One value.
    Value(&'a str),
    /// Several different values.
    Several,
}

/// Does not show the value, which may be a token.
impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Value(_) => "Value",
            Self::Several => "Several",
        })
    }
}

const NAMES: [&str; 8] = [
    "rawPath",
    "path",
    "requestContext",
    "httpMethod",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
];

impl Event {
    /// Parses an event. Anything else becomes an empty event, whose path is not found.
    pub fn parse(json: &str) -> Self {
        let Ok(event) = Fields::parse(&NAMES, json) else { return Self::default() };
        let [raw_path, path, context, method, headers, multi_value_headers, body, base64] =
            std::array::from_fn(|position| event.get(position));
        let text = |raw: Option<&RawValue>| raw.and_then(raw_fields::text).unwrap_or_default().into_owned();
        // Recognised by a member that only 2.0 has: emulators also add members of 1.0 to 2.0.
        let (format, path, method) = match context.and_then(http_method) {
            Some(method) => (Format::Http, raw_path, Some(method)),
            None => (Format::Rest, path, method),
        };
        Self {
            path: text(path),
            method: text(method),
            body: decode(text(body), base64.is_some_and(|raw| raw.get() == "true")),
            headers: collect([headers, multi_value_headers]),
            format,
        }
    }

    /// The header of this lower-case name.
    pub fn header(&self, name: &str) -> Header<'_> {
        match self.headers.get(name).map(Vec::as_slice) {
            None | Some([]) => Header::Absent,
            Some([value, others @ ..]) if others.iter().all(|other| other == value) => Header::Value(value),
            Some(_) => Header::Several,
        }
    }

    /// The response in the format of the sender of this event.
    pub fn reply(&self, response: Response) -> Reply {
        let headers: HashMap<_, _> =
            [("Content-Type", "application/json")].into_iter().chain(response.header).collect();
        Reply {
            status_code: response.status.as_u16(),
            multi_value_headers: (self.format == Format::Rest)
                .then(|| headers.iter().map(|(&name, &value)| (name, [value])).collect()),
            cookies: (self.format == Format::Http).then_some([]),
            headers,
            body: response.body,
            is_base64_encoded: false,
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // From the raw text, so that no event can fail to deserialise.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::parse(json.get()))
    }
}

/// `requestContext.http.method` of payload format 2.0.
fn http_method(context: &RawValue) -> Option<&RawValue> {
    let http = Fields::parse(&["http"], context.get()).ok()?.get(0)?;
    Fields::parse(&["method"], http.get()).ok()?.get(0)
}

fn decode(body: String, is_base64: bool) -> Option<Vec<u8>> {
    if is_base64 { BASE64_STANDARD.decode(body).ok() } else { Some(body.into_bytes()) }
}

/// All values of all headers; REST APIs send each header in two lists.
fn collect(lists: [Option<&RawValue>; 2]) -> HashMap<String, Vec<String>> {
    let mut headers: HashMap<String, Vec<String>> = HashMap::new();
    let lists = lists.into_iter().flatten();
    let entries =
        lists.filter_map(|list| serde_json::from_str::<HashMap<String, &RawValue>>(list.get()).ok());
    for (name, raw) in entries.flatten() {
        let values = headers.entry(name.to_ascii_lowercase()).or_default();
        match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            Ok(several) => values.extend(several.into_iter().filter_map(raw_fields::text).map(String::from)),
            Err(_) => values.extend(raw_fields::text(raw).map(String::from)),
        }
    }
    headers
}

/// A response in API Gateway's format.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    headers: HashMap<&'static str, &'static str>,
    /// REST APIs only; they merge it with `headers`, without duplicates.
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<HashMap<&'static str, [&'static str; 1]>>,
    /// HTTP APIs only; cargo-lambda requires it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[&'static str; 0]>,
    body: String,
    is_base64_encoded: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::StatusCode;
    use serde_json::json;

    #[test]
    fn both_payload_formats_are_parsed() {
        let http = json!({
            "version": "2.0", "rawPath": "/p", "rawQueryString": "", "isBase64Encoded": false, "body": "{}",
            "httpMethod": "GET", "headers": {"x-token": "t"}, "requestContext": {"http": {"method": "POST", "path": "/other"}},
        });
        let rest = json!({
            "path": "/p", "httpMethod": "POST", "body": "e30=", "isBase64Encoded": true,
            "headers": {"X-Token": "t"}, "multiValueHeaders": {"X-Token": ["t"]},
            "requestContext": {"path": "/prod/p", "httpMethod": "POST"},
        });
        for json in [http, rest] {
            let event = Event::parse(&json.to_string());
            assert_eq!((&*event.path, &*event.method), ("/p", "POST"), "{json}");
            assert_eq!(event.body.as_deref(), Some(&b"{}"[..]), "{json}");
            assert_eq!(event.header("x-token"), Header::Value("t"), "{json}");
            assert_eq!(event.header("content-type"), Header::Absent, "{json}");
        }
    }

    #[test]
    fn any_json_is_an_event() {
        for json in ["1", "[]", "null", "\"\\ud800\""] {
            let event: Event = serde_json::from_str(json).expect("every JSON text is an event");
            assert_eq!((&*event.path, &*event.method, event.body), ("", "", None), "{json}");
        }
        for json in ["{}", r#"{"rawPath":7,"headers":[],"body":{},"requestContext":"x"}"#] {
            let event: Event = serde_json::from_str(json).expect("every JSON text is an event");
            assert_eq!((&*event.path, &*event.method), ("", ""), "{json}");
            assert_eq!(event.body.as_deref(), Some(&b""[..]), "{json}");
        }
        let event = Event::parse(r#"{"rawPath":"/张 \ud800","body":"\ud800"}"#);
        assert_eq!((&*event.path, event.body.as_deref()), ("", Some(&b""[..])));
        assert_eq!(Event::parse(r#"{"body":"!","isBase64Encoded":true}"#).body, None);
    }

    #[test]
    fn headers_may_be_unicode_and_of_any_case() {
        let json = r#"{"headers":{"X-TOKEN":"a","x-user":"\u5f20三","n":1},"multiValueHeaders":{"Two":["b","c"],"Same":["d","d"]}}"#;
        let event = Event::parse(json);
        assert_eq!(event.header("x-token"), Header::Value("a"));
        assert_eq!(event.header("x-user"), Header::Value("张三"));
        assert_eq!(event.header("n"), Header::Absent);
        assert_eq!(event.header("two"), Header::Several);
        assert_eq!(event.header("same"), Header::Value("d"));
    }

    #[test]
    fn response_has_the_format_of_the_event() {
        let response = || Response {
            code: "X",
            status: StatusCode::METHOD_NOT_ALLOWED,
            header: Some(("Allow", "POST")),
            body: "\"".to_owned(),
        };
        let headers = json!({"Content-Type": "application/json", "Allow": "POST"});
        let http = serde_json::to_value(
            Event::parse(r#"{"requestContext":{"http":{"method":"PUT"}}}"#).reply(response()),
        )
        .expect("serialises");
        assert_eq!(
            http,
            json!({"statusCode": 405, "headers": headers, "cookies": [], "body": "\"", "isBase64Encoded": false})
        );
        let rest = serde_json::to_value(Event::parse(r#"{"httpMethod":"PUT"}"#).reply(response()))
            .expect("serialises");
        assert_eq!(
            rest,
            json!({
                "statusCode": 405, "headers": headers, "body": "\"", "isBase64Encoded": false,
                "multiValueHeaders": {"Content-Type": ["application/json"], "Allow": ["POST"]},
            })
        );
    }
}
