//! The database and its faults, in place of the network under the SDK's client.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::json;
use testing::memory::{Memory, error};

use crate::faults::{Fault, Faults, Token};
use crate::world::{TENANT, memory, world};

#[derive(Clone, Debug)]
pub struct Double(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    memory: Memory,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    met: Met,
}

/// Which faults have occurred.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    pub any: bool,
    pub malformed_tenant: bool,
}

/// HTTP status and body of a response.
type Response = (u16, String);

impl Double {
    pub fn new() -> Self {
        let state = Mutex::new(State { faults: Faults::NONE, met: Met::default() });
        Self(Arc::new(Shared { memory: memory(), state }))
    }

    /// Resets everything.
    pub fn begin(&self, faults: Faults) {
        self.0.memory.reset(world().memberships);
        *self.state() = State { faults, met: Met::default() };
    }

    /// Clears the faults, but keeps what is stored.
    pub fn heal(&self) {
        *self.state() = State { faults: Faults::NONE, met: Met::default() };
    }

    pub fn met(&self) -> Met {
        self.state().met
    }

    /// As (customer key, group name).
    pub fn memberships(&self) -> BTreeSet<(String, String)> {
        self.0.memory.memberships().into_iter().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn respond(self, operation: String, body: Vec<u8>) -> Result<HttpResponse, ConnectorError> {
        let fault = self.state().fault(&operation);
        let done = || self.act(&operation, &body, |all| all);
        let (status, body) = match fault {
            Fault::None => done(),
            Fault::Token(token) => tenant(token),
            Fault::Error(status, code) => (status, error(code, "a fault").to_string()),
            Fault::Reset => {
                return Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into()));
            }
            Fault::AnswerLost => {
                done();
                return Err(ConnectorError::io(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            Fault::Hang => pending().await,
            Fault::Slow(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                done()
            }
            Fault::Garbled => (200, "<html>".to_owned()),
            Fault::Truncated => {
                let (status, mut body) = done();
                let half = (0..=body.len() / 2).rev().find(|&end| body.is_char_boundary(end));
                body.truncate(half.unwrap_or_default());
                (status, body)
            }
            Fault::Unprocessed(divisor) => {
                self.act(&operation, &body, |all| all.checked_div(divisor).unwrap_or_default())
            }
        };
        let status = status.try_into().expect("a status");
        Ok(HttpResponse::new(status, SdkBody::from(body)))
    }

    /// Panics at a call that DynamoDB would reject: no input of a caller may cause one.
    fn act(&self, operation: &str, body: &[u8], processed: impl Fn(usize) -> usize) -> Response {
        match self.0.memory.call(operation, body, |entry| entry.place < processed(entry.of)) {
            Ok(response) => (response.status, response.body.to_string()),
            Err(violation) => panic!("{operation}: {violation}: {}", String::from_utf8_lossy(body)),
        }
    }
}

impl State {
    /// The fault of a call; none if it applies only to other kinds of calls.
    fn fault(&mut self, operation: &str) -> Fault {
        let fault = match self.faults.next() {
            // No other table is read by single items.
            Fault::Token(_) if operation != "GetItem" => Fault::None,
            Fault::Unprocessed(_) if !operation.starts_with("Batch") => Fault::None,
            fault => fault,
        };
        self.met.any |= fault != Fault::None;
        self.met.malformed_tenant |= fault == Fault::Token(Token::Malformed);
        fault
    }
}

/// The item of a token.
fn tenant(token: Token) -> Response {
    let response = match token {
        Token::Unknown => json!({}),
        Token::Disabled => json!({"Item": {"tenantId": {"S": TENANT}, "enabled": {"BOOL": false}}}),
        Token::Expired => json!({"Item": {"tenantId": {"S": TENANT}, "expiresAt": {"N": "1"}}}),
        Token::Malformed => json!({"Item": {"tenantId": {"S": "a#b"}}}),
    };
    (200, response.to_string())
}

impl HttpConnector for Double {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("every call has a target");
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().expect("a body in memory");
        HttpConnectorFuture::new(self.clone().respond(operation, body.to_vec()))
    }
}

impl HttpClient for Double {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
