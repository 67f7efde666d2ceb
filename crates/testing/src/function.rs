//! The function on a [`Stage`], called as API Gateway calls it, and its responses.

use group_import::config::Config;
use group_import::hash::sha256_hex;
use lambda_http::lambda_runtime::Diagnostic;
use serde_json::{Value, json};

pub use crate::handler::{Function, REQUEST_ID};
use crate::log_search;
use crate::model::reply::Reply;
use crate::specification;
use crate::stage::{Stage, TOKEN};

/// The address of the import.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

impl Stage {
    /// The function with the default settings.
    pub async fn function(&self) -> Function {
        self.function_with(|_| {}).await
    }

    /// The function with other settings.
    pub async fn function_with(&self, set: impl FnOnce(&mut Config)) -> Function {
        Function::on(&self.database, &self.names, set).await
    }
}

impl Function {
    /// Posts an import as JSON, with the default token.
    pub async fn import(&self, params: Value, data: Value) -> Response {
        self.import_as(TOKEN, params, data).await
    }

    /// Posts an import as JSON, with this token.
    pub async fn import_as(&self, token: &str, params: Value, data: Value) -> Response {
        self.post(token, json!({"publicParams": params, "data": data}).to_string()).await
    }

    /// Posts a body, with this token.
    pub async fn post(&self, token: &str, body: impl Into<String>) -> Response {
        self.invoke(post_event(token, body)).await
    }

    /// Handles an event of either kind.
    pub async fn invoke(&self, event: Value) -> Response {
        log_search::keep_event(&event);
        Response::read(&self.respond(event.to_string().as_bytes()).await)
    }

    /// Handles a direct event: its envelope, or the error of the failed invocation.
    pub async fn invoke_direct(&self, event: &Value) -> Result<Value, Diagnostic> {
        log_search::keep_event(event);
        let event = serde_json::from_str(&event.to_string()).expect("every JSON text is an event");
        let envelope = self.handle(event).await?;
        Ok(serde_json::from_str(&envelope).expect("a reply is JSON"))
    }
}

/// An event of an HTTP API (payload format 2.0) that posts `body` to the import.
pub fn post_event(token: &str, body: impl Into<String>) -> Value {
    json!({
        "version": "2.0",
        "rawPath": ADDRESS,
        "headers": {"x-token": token, "content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": ADDRESS}, "stage": "$default"},
        "body": body.into(),
        "isBase64Encoded": false,
    })
}

/// An event that posts an import, with the default token.
pub fn import_event(params: Value, data: Value) -> Value {
    post_event(TOKEN, json!({"publicParams": params, "data": data}).to_string())
}

/// The event with an `Idempotency-Key`.
pub fn with_key(mut event: Value, key: &str) -> Value {
    event["headers"]["idempotency-key"] = key.into();
    event
}

/// A direct event (contract, section 11) with the hash of this token.
pub fn direct_event(token: &str, params: Value, data: Value) -> Value {
    json!({"tokenHash": sha256_hex(token.as_bytes()), "publicParams": params, "data": data})
}

/// A response, parsed.
#[derive(Debug)]
pub struct Response {
    pub status: u64,
    pub headers: Value,
    /// The envelope as it was sent.
    pub body: String,
    pub envelope: Value,
}

impl Response {
    /// Parses the reply to API Gateway, and checks what holds for every response (contract, section 2), and what
    /// `docs/openapi.yaml` says of it.
    pub fn read(reply: &Value) -> Self {
        let Reply { status, headers, body } = Reply::open(reply).unwrap_or_else(|wrong| panic!("{wrong}"));
        let envelope = serde_json::from_str(body).expect("the body is JSON");
        specification::check(status, headers, &envelope);
        Self { status, headers: headers.clone(), body: body.to_owned(), envelope }
    }

    /// The response in the form that the reference model checks.
    pub fn reply(&self) -> Reply<'_> {
        Reply { status: self.status, headers: &self.headers, body: &self.body }
    }

    /// `errorCode` of the envelope.
    pub fn code(&self) -> &str {
        self.envelope["errorCode"].as_str().expect("a string")
    }

    /// `msg` of the envelope.
    pub fn msg(&self) -> &str {
        self.envelope["msg"].as_str().expect("a string")
    }

    /// The result of a completed import.
    pub fn data(&self) -> &Value {
        assert_eq!((self.status, self.code(), self.msg()), (200, "SUCCESS", "ok"));
        &self.envelope["data"]
    }

    /// The codes of the failed records, in order.
    pub fn failures(&self) -> Vec<&str> {
        let failed = self.data()["errorData"].as_array();
        failed.into_iter().flatten().map(|record| record["errorCode"].as_str().expect("a code")).collect()
    }

    /// `errorData`, verbatim.
    pub fn error_data(&self) -> String {
        self.reply().error_data().expect("a result").to_owned()
    }
}
