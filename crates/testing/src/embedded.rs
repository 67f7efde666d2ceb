//! A DynamoDB inside this process: nothing to install, nothing left running when the process ends.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;

use dynoxide::Database;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::real_time;

/// The region of every client of a local database. An emulator may keep separate tables per region and key.
pub const REGION: &str = "us-east-1";

/// Access key and secret of every client of a local database. Emulators require a signature but do not verify it.
pub const ACCESS_KEY: &str = "local";

/// A running database. Dropping it stops the server once the requests in progress have ended.
pub struct Embedded {
    endpoint: String,
    /// The server runs until this end of the channel is dropped.
    _running: oneshot::Sender<()>,
}

impl Embedded {
    /// Serves `database` on `port` of 127.0.0.1, on any free port if that is 0, in the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// The port cannot be bound, most often because it is in use.
    pub async fn start(database: Database, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (running, stopped) = oneshot::channel();
        let shutdown = async {
            // An error means that the sender was dropped: that stops the server.
            let _ = stopped.await;
        };
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, shutdown));
        Ok(Self { endpoint, _running: running })
    }

    /// The address clients use, such as `http://127.0.0.1:8000`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// Why a call was not successful.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("the database did not respond: {0}")]
    NoResponse(Box<dyn Error + Send + Sync>),
    #[error("the database rejects {operation}: {response}")]
    Rejected { operation: &'static str, response: Value },
}

impl CallError {
    /// Whether the database rejected the call with this code.
    pub fn is(&self, code: &str) -> bool {
        matches!(self, Self::Rejected { response, .. }
            if response["__type"].as_str().is_some_and(|kind| kind.ends_with(code)))
    }
}

/// Calls the local database at `endpoint` without the SDK, which takes most of a minute to compile. In real time, also
/// where the clock is paused.
pub async fn call(endpoint: &str, operation: &'static str, body: Value) -> Result<Value, CallError> {
    // Nobody verifies the signature.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    );
    let request = Request::post(endpoint)
        .header("Authorization", authorization)
        .header("Content-Type", "application/x-amz-json-1.0")
        .header("X-Amz-Date", "20260101T000000Z")
        .header("X-Amz-Target", format!("DynamoDB_20120810.{operation}"))
        .body(Full::from(body.to_string()))
        .expect("the endpoint is a URL");
    let (status, response) = real_time::run(respond(request)).await.map_err(CallError::NoResponse)?;
    if status.is_success() { Ok(response) } else { Err(CallError::Rejected { operation, response }) }
}

async fn respond(request: Request<Full<Bytes>>) -> Result<(StatusCode, Value), Box<dyn Error + Send + Sync>> {
    let client: Client<HttpConnector, _> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&body)?))
}
