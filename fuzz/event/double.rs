//! A DynamoDB in memory, in the place of the network under the SDK's client.

mod operations;

use std::collections::{BTreeMap, BTreeSet};
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
use serde_json::{Value, json};

use crate::expected::world;
use crate::faults::{Fault, Faults, Token};

pub const TENANTS: &str = "tenants";
pub const CUSTOMERS: &str = "customers";
pub const MEMBERSHIPS: &str = "memberships";
pub const IMPORTS: &str = "imports";

/// The tenant of every token that is good.
pub const TENANT: &str = "demo";

#[derive(Clone, Debug, Default)]
pub struct Double(Arc<Mutex<State>>);

/// What is stored, and what has happened.
#[derive(Debug)]
pub struct State {
    faults: Faults,
    pub met: Met,
    /// As (customer key, group name).
    pub memberships: BTreeSet<(String, String)>,
    /// The items of `imports` by their key.
    imports: BTreeMap<String, Value>,
}

/// The faults that calls have met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    pub any: bool,
    pub malformed_tenant: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            faults: Faults::NONE,
            met: Met::default(),
            memberships: world().memberships,
            imports: BTreeMap::new(),
        }
    }
}

/// An answer: HTTP status and body.
type Answer = (u16, String);

impl Double {
    /// Begins anew.
    pub fn begin(&self, faults: Faults) {
        *self.state() = State { faults, ..State::default() };
    }

    /// Has no more faults, and keeps what is stored.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults = Faults::NONE;
        state.met = Met::default();
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self, operation: String, body: Value) -> Result<HttpResponse, ConnectorError> {
        let fault = self.state().fault(&operation, &body);
        let done = || self.state().act(&operation, &body);
        let (status, body) = match fault {
            Fault::None => done(),
            Fault::Token(token) => operations::tenant(token),
            Fault::Error(status, code) => error(status, code),
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
            Fault::Unprocessed(divisor) => self.state().act_in_part(&operation, &body, divisor),
        };
        let status = status.try_into().expect("a status");
        Ok(HttpResponse::new(status, SdkBody::from(body)))
    }
}

impl State {
    /// The fault of a call; none where it is of a kind that other calls have.
    fn fault(&mut self, operation: &str, body: &Value) -> Fault {
        let fault = match self.faults.next() {
            Fault::Token(_) if body["TableName"] != TENANTS => Fault::None,
            Fault::Unprocessed(_) if !operation.starts_with("Batch") => Fault::None,
            fault => fault,
        };
        self.met.any |= fault != Fault::None;
        self.met.malformed_tenant |= fault == Fault::Token(Token::Malformed);
        fault
    }
}

fn error(status: u16, code: &str) -> Answer {
    (
        status,
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "a fault"})
            .to_string(),
    )
}

impl HttpConnector for Double {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("every call has a target");
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().expect("a body in memory");
        let body = serde_json::from_slice(body).expect("a body is JSON");
        HttpConnectorFuture::new(self.clone().answer(operation, body))
    }
}

impl HttpClient for Double {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
