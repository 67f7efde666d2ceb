//! Where the items are: an implementation of DynamoDB in this process, or one at an address.

use std::io;

use dynoxide::{Database, DynoxideError};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Response;
use crate::real_time;

/// A DynamoDB implementation.
#[derive(Clone)]
pub enum Store {
    /// Inside this process.
    Embedded(Database),
    /// At an address, such as Amazon's DynamoDB Local.
    Remote(Box<Remote>),
}

impl Store {
    /// An empty database in memory.
    pub fn memory() -> Self {
        Self::Embedded(Database::memory().expect("a database in memory"))
    }

    /// The implementation at an origin, such as `http://127.0.0.1:8000`.
    pub fn remote(origin: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self::Remote(Box::new(Remote { client, origin: origin.to_owned() }))
    }

    /// The response to a call.
    ///
    /// # Errors
    ///
    /// A remote implementation cannot be reached, or sends no JSON.
    pub async fn call(&self, operation: &str, body: &Value) -> io::Result<Response> {
        match self {
            Self::Embedded(database) => Ok(embedded(database, operation, body)),
            Self::Remote(remote) => remote.call(operation, body).await,
        }
    }
}

fn embedded(database: &Database, operation: &str, body: &Value) -> Response {
    let outcome = match operation {
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
        "CreateTable" => run(body, |request| database.create_table(request)),
        "DescribeTable" => run(body, |request| database.describe_table(request)),
        "DescribeTimeToLive" => run(body, |request| database.describe_time_to_live(request)),
        "ExecuteStatement" => run(body, |request| database.execute_statement(request)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "UpdateTimeToLive" => run(body, |request| database.update_time_to_live(request)),
        _ => Err(DynoxideError::SerializationException(format!("{operation} is not supported"))),
    };
    match outcome {
        Ok(body) => Response::ok(body),
        Err(error) => Response {
            status: error.status_code(),
            body: serde_json::from_str(&error.to_json()).expect("an error is JSON"),
        },
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &Value,
    call: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<Value> {
    let invalid = |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let response = call(Q::deserialize(body).map_err(invalid)?)?;
    serde_json::to_value(response).map_err(invalid)
}

/// A DynamoDB implementation at an address.
#[derive(Clone)]
pub struct Remote {
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
}

/// Emulators require a signature but do not verify it.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host;x-amz-date;x-amz-target, Signature=0";

impl Remote {
    async fn call(&self, operation: &str, body: &Value) -> io::Result<Response> {
        let request = Request::post(&self.origin)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", AUTHORIZATION)
            .body(Full::from(body.to_string()))
            .map_err(io::Error::other)?;
        let client = self.client.clone();
        real_time::run(async move {
            let response = client.request(request).await.map_err(io::Error::other)?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(io::Error::other)?;
            Ok(Response { status, body: serde_json::from_slice(&body.to_bytes())? })
        })
        .await
    }
}
