//! DynamoDB's JSON 1.0 protocol: a POST whose `X-Amz-Target` names the operation.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::{Method, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::real_time;

/// The prefix of the request ID in the proxy's own responses, followed by a number.
pub const REQUEST_ID_PREFIX: &str = "proxy-";

/// A complete call.
pub struct Request {
    pub operation: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Request {
    pub fn new(headers: HeaderMap, body: &[u8]) -> io::Result<Self> {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
        Ok(Self { operation, headers, body: serde_json::from_slice(body)? })
    }
}

/// A complete response.
pub type Answer = Response<Bytes>;

/// A response being sent, which may break off.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

pub async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    Request::new(head.headers, &body.to_bytes())
}

/// The connection to the DynamoDB implementation behind the proxy.
#[derive(Clone)]
pub struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
}

impl Upstream {
    pub fn new(origin: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            uri: origin.parse().expect("the upstream is an origin"),
        }
    }

    /// Sends a body with the headers of a call; an altered one no longer matches its signature, which
    /// no emulator verifies.
    pub async fn send(&self, request: &Request, body: &Value) -> io::Result<Answer> {
        let mut forwarded = hyper::Request::new(Full::from(serde_json::to_vec(body)?));
        *forwarded.method_mut() = Method::POST;
        *forwarded.uri_mut() = self.uri.clone();
        *forwarded.headers_mut() = end_to_end(request.headers.clone());
        let client = self.client.clone();
        real_time::run(async move {
            let answer = match client.request(forwarded).await {
                Ok(answer) => answer,
                Err(failure) => return Ok(error(502, "UpstreamUnreachable", &failure.to_string())),
            };
            let (mut head, body) = answer.into_parts();
            head.headers = end_to_end(head.headers);
            let body = body.collect().await.map_err(io::Error::other)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        })
        .await
    }
}

/// Removes the headers that apply to one connection only.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// A response of the proxy itself. It has no `x-amz-crc32`: the SDK does not look for one.
pub fn json(status: StatusCode, body: &Value) -> Answer {
    own(status, body.to_string().into())
}

/// An error in DynamoDB's form; SDKs distinguish errors by `__type`.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    let namespace = match code {
        "ValidationException" => "com.amazon.coral.validate",
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    let status = StatusCode::from_u16(status).expect("a rule names an HTTP status");
    let kind = format!("{namespace}#{code}");
    json(status, &json!({"__type": kind, "message": message}))
}

pub fn validation_error(message: &str) -> Answer {
    error(400, "ValidationException", message)
}

pub fn answer(body: &'static str) -> Answer {
    own(StatusCode::OK, body.into())
}

fn own(status: StatusCode, body: Bytes) -> Answer {
    static ANSWERS: AtomicUsize = AtomicUsize::new(1);
    let number = ANSWERS.fetch_add(1, Ordering::Relaxed);
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/x-amz-json-1.0")
        .header("x-amzn-requestid", format!("{REQUEST_ID_PREFIX}{number}"))
        .body(body)
        .expect("a valid status and valid headers")
}

pub fn whole(answer: Answer) -> Response<Body> {
    answer.map(|body| Full::from(body).map_err(|never: Infallible| match never {}).boxed_unsync())
}

/// Announces the whole body, sends half of it and breaks off.
pub fn truncated(answer: Answer) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    let half = body.slice(..body.len() / 2);
    let frames = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(Frame::data(half)), None)),
            None => {
                // Hyper sends what it holds when there is nothing to do, and drops it on an error.
                tokio::task::yield_now().await;
                Some((Err(io::ErrorKind::UnexpectedEof.into()), None))
            }
        }
    });
    Response::from_parts(head, StreamBody::new(frames).boxed_unsync())
}
