//! A DynamoDB for tests: a real implementation, and before it what emulators lack. It counts, delays and rejects calls,
//! breaks their responses, pages and validates as DynamoDB on AWS does, and throttles.
//!
//! # Layout
//!
//! A call passes these layers, from the top:
//!
//! - [`connector`] in this process, or [`http`]: how it arrives
//! - `dynamodb` (here): the record of calls, and the settings
//! - [`rules`]: what DynamoDB rejects and emulators accept
//! - [`fault`]: which faults affect which calls
//! - [`throughput`]: throttling beyond the capacity of a table
//! - [`statement`] and [`batch`]: small pages, and batches that are only partly processed
//! - [`store`]: where the items are: in an [`embedded`] database, a [`remote`] one, or [`maps`], which know
//!   [`expression`]s

mod batch;
mod call;
#[cfg(feature = "function")]
mod connector;
#[cfg(feature = "local")]
mod embedded;
mod expression;
mod fault;
mod http;
mod maps;
#[cfg(feature = "local")]
mod remote;
mod rules;
mod statement;
mod store;
mod throughput;

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

pub use batch::Share;
pub use call::{Call, Response, Sent};
#[cfg(feature = "function")]
pub use connector::Connector;
pub use fault::{Action, Rule};
pub use maps::Maps;
use statement::PAGE_ITEMS;
pub use store::Store;
pub use throughput::Throughput;

/// The database; clones are the same one.
#[derive(Clone)]
pub struct Dynamodb(Arc<Shared>);

struct Shared {
    store: Store,
    started: Instant,
    responses: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Arc<Call>>,
    forgetful: bool,
    faults: Vec<(String, Action)>,
    /// For each operation a value, of which each call under way has a clone; and the peak of such calls.
    under_way: HashMap<String, Arc<()>>,
    peaks: HashMap<String, usize>,
    rules: Vec<Rule>,
    page_size: Option<usize>,
    statements_by_key: bool,
    rejections: Vec<String>,
    throughput: Throughput,
    throttled: usize,
}

impl Dynamodb {
    pub fn new(store: Store) -> Self {
        let started = Instant::now();
        let state = State { statements_by_key: matches!(store, Store::Maps(_)), ..State::default() };
        Self(Arc::new(Shared { store, started, responses: AtomicUsize::new(1), state: state.into() }))
    }

    /// A replacement for the network under an SDK's client.
    #[cfg(feature = "function")]
    pub fn connector(&self) -> Connector {
        Connector(self.clone())
    }

    /// The implementation below; its calls are neither recorded nor checked nor broken.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The time on the clock of [`Call::at`].
    pub fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Every call since the start or the last [`reset`](Self::reset), in the order received.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().map(|call| Call::clone(call)).collect()
    }

    /// From now on calls are not recorded, as in a database that runs for hours.
    pub fn forget_calls(&self) {
        self.state().forgetful = true;
    }

    /// Every call that a rule acted on: its operation and the action.
    pub fn faults(&self) -> Vec<(String, Action)> {
        self.state().faults.clone()
    }

    /// The number of calls of one operation, retries of the SDK included.
    pub fn count(&self, operation: &str) -> usize {
        self.state().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// The peak of concurrent calls of one operation.
    pub fn peak(&self, operation: &str) -> usize {
        self.state().peaks.get(operation).copied().unwrap_or_default()
    }

    /// The calls that were not valid: operation and message. Not those that a rule rejected.
    pub fn rejections(&self) -> Vec<String> {
        self.state().rejections.clone()
    }

    /// Clears the record of calls, and the peaks. Rules and settings remain.
    pub fn reset(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.faults.clear();
        state.rejections.clear();
        state.peaks.clear();
    }

    /// Adds a rule after the existing ones: the first that matches a call acts.
    pub fn rule(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    pub fn clear_rules(&self) {
        self.state().rules.clear();
    }

    /// The maximum items of a page. By default, statements have DynamoDB's pages of ten, and queries those of the store;
    /// on DynamoDB a page of these ends at 1 MB.
    pub fn page_size(&self, items: usize) {
        self.state().page_size = Some(items);
    }

    /// From now on each value of an `IN` is read by its key, as on AWS and as always in hash maps: emulators scan the
    /// index for each statement, which takes minutes where tables are large.
    pub fn statements_by_key(&self) {
        self.state().statements_by_key = true;
    }

    /// The number of calls throttled entirely for lack of capacity.
    pub fn throttled(&self) -> usize {
        self.state().throttled
    }

    /// From now on the database throttles beyond these capacities. Calls for tokens and keys are not limited.
    pub fn throughput(&self, throughput: Throughput) {
        self.state().throughput = throughput;
    }

    /// A predicate that panicked fails its own test; the record is still valid.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request ID of the next response.
    fn request_id(&self) -> String {
        format!("response-{}", self.0.responses.fetch_add(1, Ordering::Relaxed))
    }

    /// The response to a call.
    ///
    /// # Errors
    ///
    /// The connection closes without a response.
    pub async fn call(&self, operation: &str, body: Value) -> io::Result<Sent> {
        let call = Arc::new(Call { operation: operation.to_owned(), body, at: self.now() });
        let _under_way = self.record(&call);
        // Calls that begin at the same time are under way at the same time: the store does not wait.
        tokio::task::yield_now().await;
        if let Some(message) = rules::rejection(&call) {
            return Ok(Sent::Whole(self.record_rejection(&call, Response::invalid(&message))));
        }
        let response = match self.action(&call) {
            None => match self.throttle(&call).await? {
                Some(response) => response,
                None => self.forward(&call).await?,
            },
            Some(Action::Delay(duration)) => {
                tokio::time::sleep(duration).await;
                self.forward(&call).await?
            }
            Some(Action::Error { status, code, message }) => Response::error(status, code, message),
            Some(Action::Hang) => pending().await,
            Some(Action::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Action::Truncate) => return Ok(Sent::Half(self.forward(&call).await?)),
            Some(Action::Garble) => return Ok(Sent::Text("<html>no JSON</html>")),
            Some(Action::Respond(body)) => return Ok(Sent::Text(body)),
            Some(Action::Unprocessed { processed }) => {
                batch::forward_share(self.store(), &call, processed).await?
            }
        };
        Ok(Sent::Whole(response))
    }

    /// What is returned counts the call as concurrent until its response or the client's disconnection.
    fn record(&self, call: &Arc<Call>) -> Arc<()> {
        let mut state = self.state();
        if !state.forgetful {
            state.calls.push(Arc::clone(call));
        }
        let under_way = Arc::clone(state.under_way.entry(call.operation.clone()).or_default());
        let now = Arc::strong_count(&under_way) - 1;
        let peak = state.peaks.entry(call.operation.clone()).or_default();
        *peak = now.max(*peak);
        under_way
    }

    fn action(&self, call: &Call) -> Option<Action> {
        let mut state = self.state();
        let action = state.rules.iter_mut().find_map(|rule| rule.act_on(call))?;
        state.faults.push((call.operation.clone(), action.clone()));
        Some(action)
    }

    async fn throttle(&self, call: &Call) -> io::Result<Option<Response>> {
        let throughput = self.state().throughput.clone();
        let response = throughput.throttle(self.store(), call).await?;
        let is_throttled = response.as_ref().is_some_and(|response| !response.is_ok());
        self.state().throttled += usize::from(is_throttled);
        Ok(response)
    }

    async fn forward(&self, call: &Call) -> io::Result<Response> {
        let (page_size, by_key) = {
            let state = self.state();
            (state.page_size, state.statements_by_key)
        };
        let response = match (call.operation.as_str(), page_size) {
            ("ExecuteStatement", size) => {
                statement::page(self.store(), &call.body, size.unwrap_or(PAGE_ITEMS), by_key).await
            }
            ("Query", Some(size)) => {
                let mut body = call.body.clone();
                let limit = body["Limit"].as_u64().unwrap_or(u64::MAX);
                body["Limit"] = limit.min(size as u64).into();
                self.store().call("Query", &body).await
            }
            _ => self.store().call(&call.operation, &call.body).await,
        };
        response.map(|response| self.record_rejection(call, response))
    }

    fn record_rejection(&self, call: &Call, response: Response) -> Response {
        if response.body["__type"].as_str().is_some_and(|code| code.ends_with("#ValidationException")) {
            let message = format!("{}: {}", call.operation, response.body["message"]);
            self.state().rejections.push(message);
        }
        response
    }
}

/// The operation of an `X-Amz-Target`.
fn operation(target: Option<&str>) -> &str {
    target.and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}
