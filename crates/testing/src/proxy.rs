//! A proxy between the real SDK and a real DynamoDB implementation.
//!
//! It forwards what it does not understand, and adds what emulators lack: it counts, delays and rejects calls,
//! breaks their responses, and pages and validates as DynamoDB on AWS does. A call is recorded, then checked (see
//! [`Proxy::strict_partiql`]), then matched by the first matching [`Rule`], then forwarded.
//!
//! # Layout
//!
//! - `proxy` (here): the server, its settings and its record of calls.
//! - [`rule`]: which faults affect which calls.
//! - [`in_process`]: the proxy without its socket, for a paused clock.
//! - [`wire`]: DynamoDB's requests and responses as HTTP messages, and the connection to the upstream.
//! - [`pages`]: small pages for `ExecuteStatement` and `Query`.
//! - [`batch`]: batches that are only partly processed.
//! - [`strict`]: what DynamoDB rejects and emulators accept.
//! - [`throughput`]: throttling beyond the capacity of a table.

mod batch;
mod in_process;
mod pages;
mod rule;
mod strict;
mod throughput;
mod wire;

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

pub use batch::Share;
pub use in_process::InProcess;
use pages::Pages;
pub use rule::{Action, Rule};
use strict::Keys;
pub use throughput::Throughput;
pub use wire::Upstream;
use wire::{Answer, Request};

use crate::serve::{self, Server};

/// A running proxy. It stops, and closes its connections, when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    server: Server,
}

/// One call as received, forwarded or not.
#[derive(Clone, Debug)]
pub struct Call {
    /// As in `X-Amz-Target`, without the service: `BatchWriteItem`.
    pub operation: String,
    pub body: Value,
    /// When it was received, relative to the start of the proxy.
    pub at: Duration,
}

impl Proxy {
    /// Starts on a free port of 127.0.0.1, on the runtime of the caller. `upstream` is an origin,
    /// `http://127.0.0.1:8000`.
    pub async fn start(upstream: &str) -> Self {
        let shared = Arc::new(Shared {
            upstream: Upstream::new(upstream),
            pages: Pages::default(),
            started: Instant::now(),
            state: Mutex::new(State { strict: true, ..State::default() }),
        });
        let server = Self::serve(serve::ANY, &shared).await;
        Self { shared, server }
    }

    async fn serve(address: SocketAddr, shared: &Arc<Shared>) -> Server {
        let shared = Arc::clone(shared);
        let server = Server::start(address, move |request| Arc::clone(&shared).read_and_respond(request));
        server.await.expect("the port is free")
    }

    /// Closes the connections and the port: new connections are rejected.
    pub async fn close(&mut self) {
        self.server.stop().await;
    }

    /// Listens again, at the same address.
    pub async fn open(&mut self) {
        self.server = Self::serve(self.server.address(), &self.shared).await;
    }

    /// What the SDK takes as `endpoint_url`.
    pub fn endpoint(&self) -> String {
        self.server.origin()
    }

    /// A replacement for the network under the SDK's client, for a paused clock. The proxy checks, counts and breaks
    /// the calls as usual; only [`close`](Self::close) does not affect them.
    pub fn in_process(&self) -> InProcess {
        InProcess::Proxy(Arc::clone(&self.shared))
    }

    /// The time on the clock of [`Call::at`].
    pub fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Every call since the start or the last [`reset`](Self::reset), in the order received.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// Every call that a rule acted on: its operation and the action.
    pub fn faults(&self) -> Vec<(String, Action)> {
        self.shared.state().faults.clone()
    }

    /// The number of calls of one operation, retries of the SDK included.
    pub fn count(&self, operation: &str) -> usize {
        let state = self.shared.state();
        let of_operation = |call: &&Call| call.operation == operation;
        state.calls.iter().filter(of_operation).count()
    }

    /// The peak of concurrent calls of one operation.
    pub fn peak(&self, operation: &str) -> usize {
        self.shared.state().load(operation).peak
    }

    /// Clears the calls, the faults and the peaks. Rules and settings remain.
    pub fn reset(&self) {
        let mut state = self.shared.state();
        state.calls.clear();
        state.faults.clear();
        for load in state.loads.values_mut() {
            load.peak = load.now;
        }
    }

    /// Adds a rule after the existing ones: the first that matches a call acts.
    pub fn rule(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    pub fn clear_rules(&self) {
        self.shared.state().rules.clear();
    }

    /// The maximum items of a page of `ExecuteStatement`; `None`, the default, leaves paging to the upstream. DynamoDB
    /// returns the results of an `IN` in pages of ten.
    pub fn page_size(&self, items: Option<usize>) {
        self.shared.state().page_size = items;
    }

    /// The maximum items of a page of `Query`; `None`, the default, leaves paging to the upstream. On DynamoDB a page
    /// ends at 1 MB.
    pub fn query_page_size(&self, items: Option<usize>) {
        self.shared.state().query_page_size = items;
    }

    /// From now on each value of an `IN` is read by its key, as on AWS: emulators scan the index for each statement,
    /// which takes minutes where tables are large. Needs a [`page_size`](Self::page_size).
    pub fn statements_by_key(&self) {
        self.shared.state().statements_by_key = true;
    }

    /// Whether to reject what DynamoDB rejects and emulators accept, in statements, index reads
    /// and batches; on by default.
    pub fn strict_partiql(&self, strict: bool) {
        self.shared.state().strict = strict;
    }

    /// The number of calls throttled entirely for lack of capacity.
    pub fn throttled(&self) -> usize {
        self.shared.state().throttled
    }

    /// From now on the database throttles beyond these capacities. Calls for tokens and keys are not limited.
    pub fn throughput(&self, throughput: Throughput) {
        self.shared.state().throughput = throughput;
    }

    /// Names the key attributes of a table, so that a repeated key in a batch can be rejected.
    pub fn table_key(&self, table: &str, attributes: &[&str]) {
        let attributes = attributes.iter().map(ToString::to_string).collect();
        self.shared.state().keys.insert(table.to_owned(), attributes);
    }
}

/// The state that the connections share with the handle.
pub struct Shared {
    upstream: Upstream,
    pages: Pages,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    faults: Vec<(String, Action)>,
    loads: HashMap<String, Load>,
    rules: Vec<Rule>,
    page_size: Option<usize>,
    query_page_size: Option<usize>,
    statements_by_key: bool,
    strict: bool,
    keys: Keys,
    throughput: Throughput,
    throttled: usize,
}

/// The concurrent calls of one operation, now and at their peak.
#[derive(Default)]
struct Load {
    now: usize,
    peak: usize,
}

impl State {
    fn load(&mut self, operation: &str) -> &mut Load {
        self.loads.entry(operation.to_owned()).or_default()
    }
}

/// Counts a call as concurrent until its response or the client's disconnection.
struct UnderWay<'a> {
    shared: &'a Shared,
    operation: &'a str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.shared.state().load(self.operation).now -= 1;
    }
}

impl Shared {
    /// A predicate that panicked fails its own test; the record is still valid.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error closes the connection without a response.
    async fn read_and_respond(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> io::Result<hyper::Response<wire::Body>> {
        self.respond(wire::read(request).await?).await
    }

    async fn respond(&self, request: Request) -> io::Result<hyper::Response<wire::Body>> {
        let _under_way = self.record(&request);
        if let Some(message) = self.rejection(&request) {
            return Ok(wire::whole(wire::validation_error(&message)));
        }
        let answer = match self.action(&request) {
            None => {
                let throughput = self.state().throughput.clone();
                match throughput.throttle(&self.upstream, &request).await? {
                    Some(answer) => {
                        let is_throttled = !answer.status().is_success();
                        self.state().throttled += usize::from(is_throttled);
                        answer
                    }
                    None => self.forward(&request).await?,
                }
            }
            Some(Action::Delay(duration)) => {
                tokio::time::sleep(duration).await;
                self.forward(&request).await?
            }
            Some(Action::Error { status, code, message }) => wire::error(status, code, message),
            Some(Action::Hang) => pending().await,
            Some(Action::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Action::Truncate) => return Ok(wire::truncated(self.forward(&request).await?)),
            Some(Action::Garble) => wire::answer("<html>not what you asked for</html>"),
            Some(Action::Answer(body)) => wire::answer(body),
            Some(Action::Unprocessed { processed }) => {
                batch::forward_share(&self.upstream, &request, processed).await?
            }
        };
        Ok(wire::whole(answer))
    }

    fn record<'a>(&'a self, request: &'a Request) -> UnderWay<'a> {
        let mut state = self.state();
        state.calls.push(Call {
            operation: request.operation.clone(),
            body: request.body.clone(),
            at: self.started.elapsed(),
        });
        let load = state.load(&request.operation);
        load.now += 1;
        load.peak = load.peak.max(load.now);
        UnderWay { shared: self, operation: &request.operation }
    }

    fn rejection(&self, request: &Request) -> Option<String> {
        let state = self.state();
        state.strict.then(|| strict::rejection(request, &state.keys))?
    }

    fn action(&self, request: &Request) -> Option<Action> {
        let mut state = self.state();
        let action = state.rules.iter_mut().find_map(|rule| rule.act_on(request))?;
        state.faults.push((request.operation.clone(), action.clone()));
        Some(action)
    }

    async fn forward(&self, request: &Request) -> io::Result<Answer> {
        let (page_size, query_page_size, by_key) = {
            let state = self.state();
            (state.page_size, state.query_page_size, state.statements_by_key)
        };
        match (request.operation.as_str(), page_size, query_page_size) {
            ("ExecuteStatement", Some(size), _) => {
                self.pages.statement(&self.upstream, request, size, by_key).await
            }
            ("Query", _, Some(size)) => pages::query(&self.upstream, request, size).await,
            _ => self.upstream.send(request, &request.body).await,
        }
    }
}
