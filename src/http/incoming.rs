//! The payload of an invocation: an event of API Gateway, or a direct one.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::http::event::Event;
use crate::request::fields::{self, Object};
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

/// The members of which a direct event has at least one.
const DIRECT: [&str; 3] = ["tokenHash", "publicParams", "data"];

impl Incoming {
    /// Parses a payload.
    pub fn parse(json: Box<RawValue>) -> Self {
        let Ok(event) = Object::parse(json.get()) else { return Self::Unknown };
        // A caller of the API sets none of these members: what it sends is inside `body`, `headers` and the like.
        if event.get("requestContext").is_some() {
            return Self::Api(Event::new(&event));
        }
        if DIRECT.iter().all(|name| event.get(name).is_none()) {
            return Self::Unknown;
        }
        let hash = event.get("tokenHash").and_then(fields::text);
        let token = hash.and_then(|hash| TokenHash::parse(&hash));
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
    fn an_event_with_a_request_context_is_never_direct() {
        let hash = "0".repeat(64);
        for context in ["{}", "null", "7"] {
            let json = format!(
                r#"{{"tokenHash":"{hash}","publicParams":{{}},"data":[],"requestContext":{context}}}"#
            );
            assert!(matches!(parse(&json), Incoming::Api(_)), "{json}");
        }
        assert!(matches!(parse(r#"{"data":[],"request\u0043ontext":null}"#), Incoming::Api(_)));
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
            r#"{"RequestContext":{},"tokenhash":"","Data":[],"":{}}"#,
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
        assert!(token(&format!(r#"{{"\u0074okenHash":"{hash}"}}"#)));
        for value in ["null", "7", "\"\"", &format!("\"{}\"", hash.to_uppercase()), &format!("\"{hash}0\"")] {
            assert!(!token(&format!(r#"{{"data":[],"tokenHash":{value}}}"#)), "{value}");
        }
        for member in ["publicParams", "data"] {
            assert!(!token(&format!(r#"{{"{member}":[]}}"#)));
        }
    }
}
