//! A DynamoDB implementation at an address.

use std::io;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::call::Response;
use crate::real_time;

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
    pub fn new(origin: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), origin: origin.to_owned() }
    }

    pub async fn call(&self, operation: &str, body: &Value) -> io::Result<Response> {
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
