//! The database under the SDK's HTTP client, without a socket between them.

use std::io;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::Dynamodb;

/// What carries the SDK's calls to the database.
#[derive(Clone)]
pub struct Connector(pub(super) Dynamodb);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// Its body is a stream until it is read, as from a socket.
    async fn respond(self, request: HttpRequest) -> io::Result<HttpResponse> {
        let body = request.body().bytes().expect("the SDK holds the bodies of these calls in memory");
        let response = self.0.respond(request.headers().get("x-amz-target"), body).await?;
        response.map(SdkBody::from_body_1_x).try_into().map_err(io::Error::other)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            // A failure of the connection that the SDK does not repeat by itself.
            connector.respond(request).await.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
