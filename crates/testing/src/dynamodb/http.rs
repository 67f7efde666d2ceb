//! The database over HTTP.

use std::io;
use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};

use super::call::Sent;
use super::{Dynamodb, operation};
use crate::serve::{Body, Server, Transport, whole};

impl Dynamodb {
    /// Serves it at an address, on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn serve(&self, transport: Transport, address: SocketAddr) -> io::Result<Server> {
        let database = self.clone();
        Server::start(transport, address, move |request| database.clone().read_and_respond(request)).await
    }

    async fn read_and_respond(self, request: hyper::Request<Incoming>) -> io::Result<hyper::Response<Body>> {
        let (head, body) = request.into_parts();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let body = body.collect().await.map_err(io::Error::other)?;
        self.respond(target, &body.to_bytes()).await
    }

    /// The response to a request with this `X-Amz-Target` and body.
    ///
    /// # Errors
    ///
    /// The connection closes without a response.
    pub(super) async fn respond(
        &self,
        target: Option<&str>,
        body: &[u8],
    ) -> io::Result<hyper::Response<Body>> {
        let sent = self.call(operation(target), serde_json::from_slice(body)?).await?;
        let builder = |status: u16| {
            hyper::Response::builder()
                .status(status)
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amzn-requestid", self.request_id())
        };
        let response = match sent {
            Sent::Whole(response) => builder(response.status).body(whole(response.body.to_string())),
            Sent::Text(text) => builder(200).body(whole(text)),
            Sent::Half(response) => {
                let body = Bytes::from(response.body.to_string());
                builder(response.status).header("content-length", body.len()).body(half(&body))
            }
        };
        response.map_err(io::Error::other)
    }
}

/// Half of the body, and then an error.
fn half(body: &Bytes) -> Body {
    let half = stream::iter([Ok(Frame::data(body.slice(..body.len() / 2)))]);
    let broken = stream::once(async {
        // Hyper sends what it holds when there is nothing to do, and drops it on an error.
        tokio::task::yield_now().await;
        Err(io::ErrorKind::UnexpectedEof.into())
    });
    Body::new(StreamBody::new(half.chain(broken)))
}
