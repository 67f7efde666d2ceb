//! DynamoDB's JSON 1.0 protocol: calls, and the responses to them.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

/// One call as received, whatever became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// As in `X-Amz-Target`, without the service: `BatchWriteItem`.
    pub operation: String,
    pub body: Value,
    /// When it was received, relative to the start of the database.
    pub at: Duration,
}

/// A complete response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    pub body: Value,
}

impl Response {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// An error in DynamoDB's form; SDKs distinguish errors by `__type`.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let namespace = match code {
            "ValidationException" => "com.amazon.coral.validate",
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        Self { status, body: json!({"__type": format!("{namespace}#{code}"), "message": message}) }
    }

    pub fn invalid(message: &str) -> Self {
        Self::error(400, "ValidationException", message)
    }

    pub fn is_ok(&self) -> bool {
        self.status == 200
    }

    /// The body of a success.
    ///
    /// # Errors
    ///
    /// It is an error of the database.
    pub fn expect_ok(self) -> io::Result<Value> {
        if self.is_ok() { Ok(self.body) } else { Err(io::Error::other(self.body.to_string())) }
    }
}

/// What is sent in response to a call.
#[derive(Debug)]
pub enum Sent {
    Whole(Response),
    /// A body that need not be JSON, with status 200.
    Text(&'static str),
    /// The whole response is announced; it breaks off in the middle.
    Half(Response),
}
