//! DynamoDB: all reads and writes. Independent of HTTP.
//!
//! - `client`: how calls are made
//! - `tables`: what is read and written

mod client;
mod tables;

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;

use self::client::{Calls, Pace};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::request::identifier::Identifier;

pub use client::{Connections, Stage, Tally, Usage, sdk_config};
pub use tables::{Claim, Claimed, Earlier, Key, TenantError, Writing, Written};

/// How long the start of the process waits for the first connection.
const CONNECTING: Duration = Duration::from_millis(250);

/// The tables, and the settings of their use.
pub struct Database {
    client: Client,
    config: Config,
    /// By identifier.
    look_ups: [Pace; Identifier::COUNT],
    checks: Pace,
    writes: Pace,
    /// When statements may be used again, after one was rejected.
    statements_from: Mutex<Option<Instant>>,
}

/// The database during one invocation.
#[derive(Clone, Copy)]
pub struct Session<'d> {
    database: &'d Database,
    calls: Calls<'d>,
}

impl Database {
    /// The database with the tables of `config` and these SDK settings.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        Self {
            client: client::client(sdk),
            config: config.clone(),
            look_ups: Default::default(),
            checks: Pace::default(),
            writes: Pace::default(),
            statements_from: Mutex::default(),
        }
    }

    /// Opens a connection and prepares whatever else the first call needs, so that no caller waits for it. Nothing is
    /// sent. Returns after at most 250 ms; a database that does not respond by then does not delay the start.
    pub async fn connect(&self, connections: &Connections) {
        // Ends where the request would be sent: dropped then, it leaves the connection to the first call. If it were
        // sent, the empty key would be rejected, at no cost.
        let call = self.client.get_item().table_name(&self.config.tables.tenants);
        let call = call.key("tokenHash", AttributeValue::S(String::new())).send();
        tokio::select! {
            biased;
            () = connections.opened() => {}
            () = tokio::time::sleep(CONNECTING) => {}
            _ = call => {}
        }
    }

    /// The database for an invocation with this deadline. Its calls are counted in `tally`.
    pub fn session<'d>(&'d self, deadline: Deadline, tally: &'d Tally) -> Session<'d> {
        Session { database: self, calls: Calls { deadline, tally, waiting: None, attempts: usize::MAX } }
    }
}

impl<'d> Session<'d> {
    /// The deadline of the invocation.
    pub fn deadline(&self) -> &Deadline {
        &self.calls.deadline
    }

    /// The same invocation with another deadline.
    fn until(self, deadline: Deadline) -> Self {
        Self { calls: Calls { deadline, ..self.calls }, ..self }
    }

    /// The same invocation, of which the calls that wait for their turn are counted, and throttled ones given up after so
    /// many attempts.
    fn counting(self, waiting: &'d AtomicUsize, attempts: usize) -> Self {
        Self { calls: Calls { waiting: Some(waiting), attempts, ..self.calls }, ..self }
    }
}
