//! The proxy under the SDK's HTTP client, without a socket between them: for a paused clock.

use std::io;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::Shared;
use super::wire::{self, Upstream};

/// What carries the SDK's calls.
#[derive(Clone)]
pub enum InProcess {
    /// To the proxy, with its checks and rules.
    Proxy(Arc<Shared>),
    /// To the database itself.
    Upstream(Box<Upstream>),
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

impl InProcess {
    async fn respond(self, request: HttpRequest) -> io::Result<HttpResponse> {
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let name = HeaderName::try_from(name).map_err(io::Error::other)?;
            headers.append(name, HeaderValue::try_from(value).map_err(io::Error::other)?);
        }
        let body = request.body().bytes().expect("the SDK holds the bodies of these calls in memory");
        let request = wire::Request::new(headers, body)?;
        let response = match self {
            Self::Proxy(shared) => shared.respond(request).await?,
            Self::Upstream(upstream) => wire::whole(upstream.send(&request, &request.body).await?),
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let status = head.status.as_u16().try_into().map_err(io::Error::other)?;
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &head.headers {
            response
                .headers_mut()
                .append(name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned());
        }
        Ok(response)
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            connector.respond(request).await.map_err(|error| ConnectorError::io(error.into()))
        })
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
