//! The event of API Gateway.
//!
//! lambda_http's conversion rejects events with non-ASCII headers, and panics on invalid base64 in a
//! body and on a path that is not a valid URI: a caller could cause a 5xx. Therefore the event is
//! parsed here, limited to what the function uses.

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;

use crate::request::fields::{self, Member, Object};

/// An HTTP request as API Gateway sends it, from an HTTP API (payload format 2.0) or a REST API
/// (1.0). Missing members are empty.
pub struct Event {
    /// The path, possibly with a stage or a base path before the address.
    pub path: String,
    /// The HTTP method.
    pub method: String,
    /// The body, decoded; `None` if it should be base64 and is not.
    pub body: Option<Vec<u8>>,
    /// The ID that API Gateway gave the request.
    pub gateway_request_id: Option<String>,
    /// The format of the event, and of the reply to it.
    pub format: Format,
    /// All values of each header, by lower-case name.
    headers: HashMap<String, Vec<String>>,
}

/// The format of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// That of a REST API, 1.0.
    Rest,
    /// That of an HTTP API, 2.0.
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

opaque_debug!(Header<'_>);

impl Event {
    /// The event with these members; one of another form counts as missing.
    pub fn new(event: &Object<'_>) -> Self {
        let context = object(event, "requestContext");
        // Recognised by a member that only 2.0 has: emulators also add members of 1.0 to 2.0.
        let http = object(&context, "http");
        let (format, path, method) = match http.get("method") {
            Some(method) => (Format::Http, event.get("rawPath"), Some(method)),
            None => (Format::Rest, event.get("path"), event.get("httpMethod")),
        };
        Self {
            path: text(path),
            method: text(method),
            body: decode(
                text(event.get("body")),
                event.get("isBase64Encoded").is_some_and(|raw| raw.get() == "true"),
            ),
            headers: headers(event),
            gateway_request_id: Some(text(context.get("requestId"))).filter(|id| is_id(id)),
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
}

/// The members of a member that is an object; none, if it is missing or another value.
fn object<'a>(parent: &Object<'a>, name: &str) -> Object<'a> {
    parent.get(name).and_then(|raw| Object::parse(raw.get()).ok()).unwrap_or_default()
}

/// The text of a member that is one.
fn text(member: Option<&RawValue>) -> String {
    member.and_then(fields::text).unwrap_or_default().into_owned()
}

/// Whether it has the form of an ID: it is written to the log.
fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn decode(body: String, is_base64: bool) -> Option<Vec<u8>> {
    if is_base64 { BASE64_STANDARD.decode(body).ok() } else { Some(body.into_bytes()) }
}

/// All values of all headers; REST APIs send each header in two lists.
fn headers(event: &Object<'_>) -> HashMap<String, Vec<String>> {
    let mut headers: HashMap<String, Vec<String>> = HashMap::new();
    for list in ["headers", "multiValueHeaders"] {
        for Member { name, value, .. } in object(event, list).select(|_| Some(())) {
            let values = headers.entry(name.to_ascii_lowercase()).or_default();
            match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
                Ok(several) => values.extend(several.into_iter().filter_map(fields::text).map(String::from)),
                Err(_) => values.extend(fields::text(value).map(String::from)),
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(json: &str) -> Event {
        Event::new(&Object::parse(json).expect("an object"))
    }

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
            let event = parse(&json.to_string());
            assert_eq!((&*event.path, &*event.method), ("/p", "POST"), "{json}");
            assert_eq!(event.body.as_deref(), Some(&b"{}"[..]), "{json}");
            assert_eq!(event.header("x-token"), Header::Value("t"), "{json}");
            assert_eq!(event.header("content-type"), Header::Absent, "{json}");
        }
    }

    #[test]
    fn members_of_another_form_are_missing() {
        for json in ["{}", r#"{"rawPath":7,"headers":[],"body":{},"requestContext":"x"}"#] {
            let event = parse(json);
            assert_eq!((&*event.path, &*event.method), ("", ""), "{json}");
            assert_eq!(event.body.as_deref(), Some(&b""[..]), "{json}");
        }
        let event = parse(r#"{"rawPath":"/张 \ud800","body":"\ud800"}"#);
        assert_eq!((&*event.path, event.body.as_deref()), ("", Some(&b""[..])));
        for base64 in ["!", "e30", " e30=", "e30=\r\n", "e30==", "Pz8_"] {
            assert_eq!(parse(&json!({"body": base64, "isBase64Encoded": true}).to_string()).body, None);
        }
        for flag in [json!("true"), json!(1), json!(null)] {
            let event = parse(&json!({"body": "e30=", "isBase64Encoded": flag}).to_string());
            assert_eq!(event.body.as_deref(), Some(&b"e30="[..]), "only `true` marks base64");
        }
    }

    #[test]
    fn gateway_request_id_has_the_form_of_an_id() {
        let id = |value: &str| {
            parse(&format!(r#"{{"requestContext":{{"requestId":{value}}}}}"#)).gateway_request_id
        };
        assert_eq!(id("\"JKJaXmPLvHcESHA=\"").as_deref(), Some("JKJaXmPLvHcESHA="));
        assert_eq!(id(&format!("{:?}", "i".repeat(128))).map(|id| id.len()), Some(128));
        for value in ["\"\"", "\"two words\"", "\"张\"", "7", "null", &format!("{:?}", "i".repeat(129))] {
            assert_eq!(id(value), None, "{value}");
        }
    }

    #[test]
    fn headers_may_be_unicode_and_of_any_case() {
        let event = parse(
            r#"{"headers":{"X-TOKEN":"a","x-user":"\u5f20三","n":1,"both":"e"},
            "multiValueHeaders":{"Two":["b","c"],"Same":["d","d"],"BOTH":["f"],"none":[],"blank":["g",""]}}"#,
        );
        assert_eq!(event.header("x-token"), Header::Value("a"));
        assert_eq!(event.header("x-user"), Header::Value("张三"));
        assert_eq!(event.header("n"), Header::Absent);
        assert_eq!(event.header("two"), Header::Several);
        assert_eq!(event.header("same"), Header::Value("d"));
        assert_eq!(event.header("none"), Header::Absent);
        for name in ["both", "blank"] {
            assert_eq!(event.header(name), Header::Several, "{name}");
        }
    }
}
