//! The payload of an invocation: an event of API Gateway, or a direct one.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::http::event::{self, Event};
use crate::request::fields::{self, Fields};
use crate::tenant::TokenHash;

/// The payload of an invocation.
pub enum Incoming {
    /// A request that came through API Gateway.
    Api(Event),
    /// An event of somebody who may invoke the function itself (contract, section 11).
    Direct(DirectEvent),
    /// Neither: what another service sends, or somebody by mistake.
    Unknown,
}

/// An event that is itself the body of an import, and names the tenant by its token's hash.
pub struct DirectEvent {
    /// The hash; `None` if it is missing or has another form.
    pub token: Option<TokenHash>,
    /// The whole event as JSON text.
    pub body: Box<RawValue>,
}

const NAMES: [&str; event::NAMES.len() + 3] = {
    let mut names = ["tokenHash"; event::NAMES.len() + 3];
    let mut position = 0;
    while position < event::NAMES.len() {
        names[position] = event::NAMES[position];
        position += 1;
    }
    names[TOKEN_HASH + 1] = "publicParams";
    names[TOKEN_HASH + 2] = "data";
    names
};
const REQUEST_CONTEXT: usize = 2;
const TOKEN_HASH: usize = event::NAMES.len();

impl Incoming {
    /// Parses a payload.
    pub fn parse(json: Box<RawValue>) -> Self {
        let Ok(members) = Fields::parse(&NAMES, json.get()) else { return Self::Unknown };
        // A caller of the API sets none of these members: what it sends is inside `body`, `headers` and the like.
        if members.get(REQUEST_CONTEXT).is_some() {
            return Self::Api(Event::new(std::array::from_fn(|position| members.get(position))));
        }
        if (TOKEN_HASH..NAMES.len()).all(|position| members.get(position).is_none()) {
            return Self::Unknown;
        }
        let token = members.get(TOKEN_HASH).and_then(fields::text).and_then(|hash| TokenHash::parse(&hash));
        Self::Direct(DirectEvent { token, body: json })
    }
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // From the raw text, so that no payload can fail to deserialise.
        Box::<RawValue>::deserialize(deserializer).map(Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Incoming {
        serde_json::from_str(json).expect("every JSON text is a payload")
    }

    #[test]
    fn names_are_those_of_both_kinds() {
        assert_eq!(NAMES[REQUEST_CONTEXT], "requestContext");
        assert_eq!(NAMES[TOKEN_HASH..], ["tokenHash", "publicParams", "data"]);
    }

    #[test]
    fn an_event_with_a_request_context_is_never_direct() {
        let hash = "0".repeat(64);
        for context in ["{}", "null", "7"] {
            let json = format!(
                r#"{{"tokenHash":"{hash}","publicParams":{{}},"data":[],"requestContext":{context}}}"#
            );
            assert!(matches!(parse(&json), Incoming::Api(_)), "{json}");
        }
        assert!(matches!(parse(r#"{"requestContext":null}"#), Incoming::Api(_)));
    }

    #[test]
    fn neither_kind_of_event_is_unknown() {
        for json in [
            "{}",
            "1",
            "[]",
            "null",
            "\"\\ud800\"",
            r#"{"path":"/p","httpMethod":"POST","body":"{}"}"#,
            r#"{"Records":[{"eventSource":"aws:sqs","body":"{\"data\":[]}"}]}"#,
            r#"{"detail":{"tokenHash":"","publicParams":{},"data":[]}}"#,
            r#""{\"tokenHash\":\"\",\"data\":[]}""#,
            r#"[{"requestContext":{},"data":[]}]"#,
        ] {
            assert!(matches!(parse(json), Incoming::Unknown), "{json}");
        }
    }

    #[test]
    fn direct_event_has_the_hash_of_a_token() {
        let token = |json: &str| match parse(json) {
            Incoming::Direct(event) => {
                assert_eq!(event.body.get(), json);
                event.token.is_some()
            }
            _ => panic!("{json}"),
        };
        let hash = "0123456789abcdef".repeat(4);
        assert!(token(&format!(r#"{{"tokenHash":"{hash}"}}"#)));
        for value in ["null", "7", "\"\"", &format!("\"{}\"", hash.to_uppercase()), &format!("\"{hash}0\"")] {
            assert!(!token(&format!(r#"{{"data":[],"tokenHash":{value}}}"#)), "{value}");
        }
        for member in ["publicParams", "data"] {
            assert!(!token(&format!(r#"{{"{member}":[]}}"#)));
        }
    }
}
