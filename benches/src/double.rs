//! A DynamoDB of hash maps: it answers look-ups after a set delay, counts the calls, and keeps what
//! is written.
//!
//! It is made to be quick, so that it is never what is measured. What it would take and DynamoDB
//! would refuse is the integration tests' business.

mod operations;

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::operations::{BatchGet, Customers, Membership};
use crate::workload::Workload;

pub const TENANTS_TABLE: &str = "tenants";
pub const CUSTOMERS_TABLE: &str = "customers";
pub const MEMBERSHIPS_TABLE: &str = "memberships";

/// Calls by kind. A further page of a statement is a kind of its own.
pub type Calls = BTreeMap<&'static str, usize>;

pub const FURTHER_PAGE: &str = "ExecuteStatement, further page";
pub const OF_MEMBERSHIPS: &str = "BatchGetItem, memberships";

/// What was asked of the double since it was last asked for this.
#[derive(Default)]
pub struct Tally {
    pub calls: Calls,
    /// Every membership put.
    pub written: HashSet<Membership>,
    /// Read and write units of the memberships.
    pub units: Units,
}

/// What DynamoDB charges for.
#[derive(Clone, Copy, Default)]
pub struct Units {
    pub read: f64,
    pub write: f64,
}

pub struct Double {
    pub endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    customers: Customers,
    delay_ms: AtomicU64,
    /// The memberships that are there. What is written is told, not kept: each run finds the same.
    in_place: Mutex<HashSet<Membership>>,
    tally: Mutex<Tally>,
}

impl Double {
    /// Serves the customers of a workload on a free port, as long as the runtime lives.
    pub async fn start(workload: &Workload) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            customers: Customers::new(workload),
            delay_ms: AtomicU64::new(0),
            in_place: Mutex::default(),
            tally: Mutex::default(),
        });
        tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { endpoint, shared })
    }

    /// From now on every call takes this long, if not longer.
    pub fn delay(&self, delay_ms: u64) {
        self.shared.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// From now on these memberships are there.
    pub fn put_in_place(&self, memberships: HashSet<Membership>) {
        *lock(&self.shared.in_place) = memberships;
    }

    /// What was asked since the last time, and begins anew.
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut *lock(&self.shared.tally))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Otherwise small answers wait for the acknowledgement of earlier ones.
        stream.set_nodelay(true).ok();
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let answer = match body.collect().await {
        Ok(body) => shared.act(operation, &body.to_bytes()),
        Err(error) => Err(error.to_string()),
    };
    let delay = Duration::from_millis(shared.delay_ms.load(Ordering::Relaxed));
    if !delay.is_zero() {
        tokio::time::sleep_until(arrived + delay).await;
    }
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(message) => {
            eprintln!("the double cannot answer {operation}: {message}");
            let kind = "com.amazon.coral.validate#ValidationException";
            (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": message}))
        }
    };
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amzn-requestid", "0000000000000000000000000000000000000000000000000000")
        .body(Full::from(body.to_string()))
        .expect("BUG: the headers are valid"))
}

impl Shared {
    fn act(&self, operation: &str, body: &[u8]) -> Result<Value, String> {
        let mut written = Vec::new();
        let mut units = Units::default();
        let (kind, answer) = match operation {
            "ExecuteStatement" => {
                let (first, answer) = self.customers.execute_statement(body)?;
                (if first { "ExecuteStatement" } else { FURTHER_PAGE }, answer)
            }
            "Query" => ("Query", self.customers.query(body)?),
            "GetItem" => ("GetItem", operations::get_tenant(body)?),
            "BatchGetItem" => {
                let asked = BatchGet::parse(body)?;
                if asked.of_memberships {
                    units.read = asked.units;
                    (OF_MEMBERSHIPS, asked.of(&lock(&self.in_place))?)
                } else {
                    ("BatchGetItem", self.customers.batch_get_item(&asked))
                }
            }
            "BatchWriteItem" => {
                (written, units.write) = operations::batch_write_item(body)?;
                ("BatchWriteItem", json!({"UnprocessedItems": {}}))
            }
            _ => return Err("no such operation here".to_owned()),
        };
        let mut tally = lock(&self.tally);
        *tally.calls.entry(kind).or_default() += 1;
        tally.written.extend(written);
        tally.units.read += units.read;
        tally.units.write += units.write;
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
