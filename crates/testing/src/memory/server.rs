//! The database over HTTP: it responds after a set delay, and counts the calls.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use tokio::time::Instant;

use super::{Entry, Memory, Units, Violation, error};
use crate::capacity::{Capacity, EXCEEDED};
use crate::serve::{self, Server, Transport};

pub use super::batch::OF_MEMBERSHIPS;
pub use super::customers::FURTHER_PAGE;

/// Calls by kind: further pages of a statement and `BatchGetItem` of memberships are counted separately.
pub type Calls = BTreeMap<&'static str, usize>;

/// The calls since they were last counted.
#[derive(Debug, Default)]
pub struct Tally {
    pub calls: Calls,
    pub units: Units,
    /// A request that was rejected, as DynamoDB would have.
    pub violations: Vec<String>,
}

/// A running server. It stops when dropped.
pub struct MemoryServer {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    memory: Memory,
    delay_ms: AtomicU64,
    /// Writes beyond it are throttled.
    writes: Mutex<Option<Capacity>>,
    tally: Mutex<Tally>,
}

impl MemoryServer {
    /// Serves a database on a free port.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start(memory: Memory) -> io::Result<Self> {
        Self::start_over(Transport::Plain, memory).await
    }

    /// Like [`start`](Self::start), over this transport.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start_over(transport: Transport, memory: Memory) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            memory,
            delay_ms: AtomicU64::new(0),
            writes: Mutex::default(),
            tally: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let respond = move |request| Arc::clone(&served).respond(request);
        let server = Server::start_over(transport, serve::ANY, respond).await?;
        Ok(Self { server, shared })
    }

    /// Closes all connections, as a server does with idle ones; new ones are accepted.
    pub fn close_connections(&self) {
        self.server.close_connections();
    }

    /// Breaks all connections, see [`Server::break_connections`].
    pub fn break_connections(&self) {
        self.server.break_connections();
    }

    /// Silences all connections, see [`Server::silence_connections`].
    pub fn silence_connections(&self) {
        self.server.silence_connections();
    }

    /// How many requests got no response from a silent connection.
    pub fn unanswered(&self) -> usize {
        self.server.unanswered()
    }

    /// What the SDK takes as `endpoint_url`.
    pub fn endpoint(&self) -> String {
        self.server.origin()
    }

    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// From now on every call takes at least this long.
    pub fn delay(&self, delay_ms: u64) {
        self.shared.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// From now on writes beyond the capacity are throttled; `None` means no limit.
    pub fn limit_writes(&self, capacity: Option<Capacity>) {
        *self.shared.writes.lock().unwrap_or_else(PoisonError::into_inner) = capacity;
    }

    /// The calls since the last tally; resets the counts.
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut *self.shared.tally())
    }
}

impl Shared {
    async fn respond(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
        let arrived = Instant::now();
        let (head, body) = request.into_parts();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
        let (status, body) = match body.collect().await {
            Ok(body) => self.call(operation, &body.to_bytes()),
            Err(error) => self.reject(operation, &Violation::new(error.to_string())),
        };
        let delay = Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep_until(arrived + delay).await;
        }
        let response = hyper::Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amzn-requestid", "0000000000000000000000000000000000000000000000000000");
        Ok(response.body(Full::from(body)).expect("the parts are valid"))
    }

    fn call(&self, operation: &str, body: &[u8]) -> (u16, String) {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let capacity = writes.as_ref().filter(|_| operation == "BatchWriteItem");
        let mut admitted = capacity.is_none();
        let admit = |entry: Entry<'_>| {
            let is_admitted = capacity.is_none_or(|capacity| capacity.take(entry.hash_key, 1.0));
            admitted |= is_admitted;
            is_admitted
        };
        match self.memory.call(operation, body, admit) {
            // No entry was admitted.
            Ok(response) if !admitted => {
                *self.tally().calls.entry(response.kind).or_default() += 1;
                (400, error(EXCEEDED, EXCEEDED).to_string())
            }
            Ok(response) => {
                let mut tally = self.tally();
                *tally.calls.entry(response.kind).or_default() += 1;
                tally.units.read += response.units.read;
                tally.units.write += response.units.write;
                drop(tally);
                (response.status, response.body.to_string())
            }
            Err(violation) => self.reject(operation, &violation),
        }
    }

    fn reject(&self, operation: &str, violation: &Violation) -> (u16, String) {
        let message = violation.to_string();
        let body = error("ValidationException", &message).to_string();
        self.tally().violations.push(format!("{operation}: {message}"));
        (400, body)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
