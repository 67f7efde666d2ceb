//! The function on a [`Stage`], called as API Gateway calls it, and its responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::reply::{self, Reply};
use aws_config::Region;
use aws_sdk_dynamodb::config::Credentials;
use group_import::config::{Config, Tables};
use group_import::database::{self, Database};
use group_import::hash::sha256_hex;
use group_import::http::handler::Handler;
use group_import::http::incoming::Incoming;
use lambda_http::Context;
use lambda_http::lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::log_search;
use crate::runtime_api::Outcome;
use crate::specification;
use crate::stage::{Stage, TOKEN};
use crate::tables::{ACCESS_KEY, REGION};

/// The address of the import.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// The Lambda request ID of every request.
pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

impl Stage {
    /// The default settings of a deployment, without the cache of tokens.
    pub fn config(&self) -> Config {
        let tables = Tables {
            tenants: self.names.tenants.clone(),
            customers: self.names.customers.clone(),
            memberships: self.names.memberships.clone(),
            imports: Some(self.names.imports.clone()),
        };
        Config { token_cache: Duration::ZERO, ..Config::new(tables) }
    }

    /// The function with the default settings.
    pub async fn function(&self) -> Function {
        self.function_with(|_| {}).await
    }

    /// The function with other settings.
    pub async fn function_with(&self, set: impl FnOnce(&mut Config)) -> Function {
        let mut config = self.config();
        set(&mut config);
        let credentials = Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test");
        let loader = database::sdk_config().region(Region::new(REGION)).credentials_provider(credentials);
        let sdk = loader.http_client(self.database.connector()).load().await;
        let database = Database::new(&sdk, &config);
        Function { handler: Handler::new(config, database), seconds: 30.0 }
    }
}

/// The function, and the duration of its invocations.
pub struct Function {
    pub handler: Handler,
    /// The duration of an invocation, in seconds.
    pub seconds: f64,
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

    /// Handles an event of either kind: its result as API Gateway gets it, or would get it.
    pub async fn invoke(&self, event: Value) -> Response {
        log_search::keep_event(&event);
        if event.get("requestContext").is_some() {
            return Response::read(&self.reply(&event.to_string()).await);
        }
        Response::read(&match self.handle(&event.to_string()).await {
            Ok(envelope) => reply::of_direct(200, &envelope),
            Err(failed) => reply::of_failed(&failed.error_type, &failed.error_message).unwrap(),
        })
    }

    /// Handles a direct event: its envelope, or the error of the failed invocation.
    pub async fn invoke_direct(&self, event: &Value) -> Result<Value, Diagnostic> {
        log_search::keep_event(event);
        let envelope = self.handle(&event.to_string()).await?;
        Ok(serde_json::from_str(&envelope).expect("a reply is JSON"))
    }

    /// The reply to an API event, given as JSON text.
    pub async fn reply(&self, event: &str) -> Value {
        let reply = self.handle(event).await.expect("every API event has a reply");
        serde_json::from_str(&reply).expect("a reply is JSON")
    }

    async fn handle(&self, event: &str) -> Result<String, Diagnostic> {
        let event: Incoming = serde_json::from_str(event).expect("every JSON text is an event");
        let mut context = Context::default();
        context.request_id = REQUEST_ID.to_owned();
        let deadline = SystemTime::now() + Duration::from_secs_f64(self.seconds);
        context.deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let reply = self.handler.handle(event, &context).await?;
        Ok(serde_json::to_string(&reply).expect("a reply is JSON"))
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

    /// The outcome of an invocation as API Gateway gets it, or would get it of a direct event.
    pub fn of_outcome(outcome: &Outcome, is_direct: bool) -> Self {
        let body = &outcome.body;
        Self::read(&match &*outcome.kind {
            "response" if is_direct => reply::of_direct(200, &body.to_string()),
            "error" if is_direct => {
                let text = |name: &str| body[name].as_str().expect("a text");
                reply::of_failed(text("errorType"), text("errorMessage")).unwrap()
            }
            kind => {
                assert_eq!(kind, "response", "{body}");
                body.clone()
            }
        })
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
