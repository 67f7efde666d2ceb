//! What an invocation returns: a response in API Gateway's format, or an envelope.

use std::collections::HashMap;
use std::fmt;

use lambda_http::lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::envelope::Response;
use crate::http::event::Format;

/// The result of an invocation.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To an API event.
    Api(ApiReply),
    /// To a direct event: the envelope.
    Direct(Box<RawValue>),
}

/// A response in API Gateway's format.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiReply {
    status_code: u16,
    headers: HashMap<&'static str, String>,
    /// REST APIs only; they merge it with `headers`, without duplicates.
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<HashMap<&'static str, [String; 1]>>,
    /// HTTP APIs only; cargo-lambda requires it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[&'static str; 0]>,
    body: String,
    is_base64_encoded: bool,
}

/// A direct event whose response is not a 200: the invocation fails (contract, section 11).
pub struct FailedInvocation {
    error_code: &'static str,
    msg: String,
}

/// Only the code: the runtime logs it.
impl fmt::Debug for FailedInvocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed direct event: {}", self.error_code)
    }
}

impl From<FailedInvocation> for Diagnostic {
    fn from(failed: FailedInvocation) -> Self {
        Self { error_type: failed.error_code.to_owned(), error_message: failed.msg }
    }
}

impl Reply {
    /// The reply to an API event of this format, with the Lambda request ID.
    pub fn to_api(response: Response, format: Format, request_id: &str) -> Self {
        let own = [("Content-Type", "application/json"), ("X-Request-Id", request_id)];
        let headers: HashMap<_, _> =
            own.into_iter().chain(response.header).map(|(name, value)| (name, value.to_owned())).collect();
        Self::Api(ApiReply {
            status_code: response.status.as_u16(),
            multi_value_headers: (format == Format::Rest)
                .then(|| headers.iter().map(|(&name, value)| (name, [value.clone()])).collect()),
            cookies: (format == Format::Http).then_some([]),
            headers,
            body: response.body,
            is_base64_encoded: false,
        })
    }

    /// The reply to a direct event.
    ///
    /// # Errors
    /// The status is not 200.
    pub fn to_direct(response: Response) -> Result<Self, FailedInvocation> {
        if response.status.as_u16() != 200 {
            return Err(FailedInvocation { error_code: response.code, msg: response.msg });
        }
        let envelope = RawValue::from_string(response.body).expect("BUG: the envelope is JSON");
        Ok(Self::Direct(envelope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::StatusCode;
    use serde_json::json;

    fn response(status: StatusCode) -> Response {
        Response {
            code: "X",
            msg: "m".to_owned(),
            status,
            header: Some(("Allow", "POST")),
            body: "{}".to_owned(),
        }
    }

    #[test]
    fn reply_has_the_format_of_the_event() {
        let reply = |format| {
            let reply = Reply::to_api(response(StatusCode::METHOD_NOT_ALLOWED), format, "id");
            serde_json::to_value(reply).expect("serialises")
        };
        let headers = json!({"Content-Type": "application/json", "Allow": "POST", "X-Request-Id": "id"});
        assert_eq!(
            reply(Format::Http),
            json!({"statusCode": 405, "headers": headers, "cookies": [], "body": "{}", "isBase64Encoded": false})
        );
        let lists = json!({"Content-Type": ["application/json"], "Allow": ["POST"], "X-Request-Id": ["id"]});
        assert_eq!(
            reply(Format::Rest),
            json!({
                "statusCode": 405, "headers": headers, "body": "{}", "isBase64Encoded": false,
                "multiValueHeaders": lists,
            })
        );
    }

    #[test]
    fn direct_events_are_answered_with_the_envelope_or_fail() {
        let reply = Reply::to_direct(response(StatusCode::OK)).expect("a reply");
        assert_eq!(serde_json::to_string(&reply).expect("serialises"), "{}");
        for status in [StatusCode::CREATED, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE] {
            let failed = Reply::to_direct(response(status)).err().expect("a failed invocation");
            assert_eq!(format!("{failed:?}"), "failed direct event: X");
            let expected = Diagnostic { error_type: "X".to_owned(), error_message: "m".to_owned() };
            assert_eq!(Diagnostic::from(failed), expected);
        }
    }
}
