//! The database under the SDK's HTTP client, without a socket between them.

use std::io;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Full;
use hyper::body::Bytes;

use super::call::Sent;
use super::{Dynamodb, operation};

/// What carries the SDK's calls to the database.
#[derive(Clone)]
pub struct Connector(pub(super) Dynamodb);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    async fn respond(self, request: HttpRequest) -> io::Result<HttpResponse> {
        let operation = operation(request.headers().get("x-amz-target"));
        let body = request.body().bytes().expect("the SDK holds the bodies of these calls in memory");
        let sent = self.0.call(operation, serde_json::from_slice(body)?).await?;
        let (status, body) = match sent {
            Sent::Whole(response) => (response.status, response.body.to_string()),
            Sent::Text(text) => (200, text.to_owned()),
            Sent::Half(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        // A stream until it is read, as from a socket.
        let body = SdkBody::from_body_1_x(Full::<Bytes>::from(body));
        let mut response = HttpResponse::new(status.try_into().map_err(io::Error::other)?, body);
        response.headers_mut().insert("x-amzn-requestid", self.0.request_id());
        Ok(response)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            connector.respond(request).await.map_err(|error| ConnectorError::io(error.into()))
        })
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
