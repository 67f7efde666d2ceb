//! API Gateway in front of the function: an HTTP API that can fail as the real one does.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::function::{ADDRESS, Function};
use crate::serve::{self, Server};

/// What a caller gets instead of the function's response.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// API Gateway responds itself, without invoking the function: status, `Retry-After`, body.
    Answer(u16, Option<&'static str>, &'static str),
    /// The function runs, but the connection breaks before its response.
    Reset,
    /// The function runs, but its response never arrives.
    Silence,
}

/// A request as received, and the status that was returned, if any.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub key: String,
    pub body: String,
    pub status: Option<u16>,
    pub at: Instant,
}

type Faults = Box<dyn Fn(usize) -> Option<Fault> + Send + Sync>;

/// A running API. It stops, and closes its connections, when dropped.
pub struct Gateway {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    function: Arc<Function>,
    faults: Faults,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Gateway {
    /// Every request reaches the function.
    pub async fn start(function: Function) -> Self {
        Self::with_faults(function, |_| None).await
    }

    /// Request number n, counted from 0, gets the fault `faults(n)`.
    pub async fn with_faults(
        function: Function,
        faults: impl Fn(usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let exchanges = Mutex::default();
        let shared = Arc::new(Shared { function: Arc::new(function), faults: Box::new(faults), exchanges });
        let served = Arc::clone(&shared);
        let server = Server::start(serve::ANY, move |request| Arc::clone(&served).answer(request)).await;
        Self { server: server.expect("a free port"), shared }
    }

    /// The address of the import, behind a stage.
    pub fn url(&self) -> String {
        format!("{}/prod{ADDRESS}", self.server.origin())
    }

    /// The number of requests received so far.
    pub fn received(&self) -> usize {
        self.shared.exchanges.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Every request so far, in the order received.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// An error closes the connection without a response.
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("the client sends text");
        let headers: HashMap<_, _> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("the client sends ASCII")))
            .collect();
        let key = headers.get("idempotency-key").copied().unwrap_or_default().to_owned();
        let number = self.record(Exchange { key, body: body.clone(), status: None, at: Instant::now() });
        let fault = (self.faults)(number);
        if let Some(Fault::Answer(status, retry_after, body)) = fault {
            self.sent(number, status);
            let answer = Response::builder().status(status).header("content-type", "application/json");
            let answer =
                retry_after.into_iter().fold(answer, |answer, value| answer.header("retry-after", value));
            return Ok(answer.body(Full::from(body)).expect("the parts are valid"));
        }
        let path = parts.uri.path();
        let event = json!({
            "version": "2.0",
            "rawPath": path,
            "headers": headers,
            "requestContext": {"http": {"method": parts.method.as_str(), "path": path}, "stage": "prod"},
            "body": body,
            "isBase64Encoded": false,
        });
        // A separate task: the function continues when the client has disconnected.
        let function = Arc::clone(&self.function);
        let answered = tokio::spawn(async move { function.invoke(event).await });
        match fault {
            Some(Fault::Silence) => pending().await,
            Some(Fault::Reset) => {
                answered.await.expect("no panic");
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            _ => {}
        }
        let answered = answered.await.expect("no panic");
        self.sent(number, u16::try_from(answered.status).expect("a status"));
        let mut answer = Response::builder().status(u16::try_from(answered.status).expect("a status"));
        for (name, value) in answered.headers.as_object().expect("an object") {
            answer = answer
                .header(name, value.as_str().map(str::to_owned).unwrap_or_else(|| Value::to_string(value)));
        }
        Ok(answer.body(Full::from(answered.body)).expect("the parts are valid"))
    }

    fn record(&self, exchange: Exchange) -> usize {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.push(exchange);
        exchanges.len() - 1
    }

    fn sent(&self, number: usize, status: u16) {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)[number].status = Some(status);
    }
}
