//! The connections to DynamoDB: no more than there are calls at a time, one before the first call, and none that may be
//! broken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_http_client::pool::{Client, ConnectionEvent, ConnectionPool, HttpsBuilder};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::Notify;

use crate::config::Config;

/// The connections of the process: the SDK's HTTP client. Clones share them.
///
/// Not those of the SDK's own client: while a connection is on its way back to it after a call, the next call opens
/// another one, and a TLS handshake costs as much CPU time as ten calls.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: HttpsBuilder,
    current: Mutex<Pool>,
    /// Notified when a connection was opened, or could not be.
    opened: Arc<Notify>,
}

#[derive(Clone, Debug)]
struct Pool {
    client: Client,
    /// Whether it has ever opened a connection.
    is_used: Arc<AtomicBool>,
}

impl Connections {
    /// As many connections as these settings allow calls at a time.
    pub fn new(config: &Config) -> Self {
        let calls = config.lookup_concurrency.max(config.write_concurrency);
        let settings = ConnectionPool::builder()
            .max_connections_per_host(calls.saturating_mul(config.concurrent_requests))
            // As the SDK's own client.
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let opened = Arc::new(Notify::new());
        let current = Mutex::new(Pool::new(&settings, &opened));
        Self(Arc::new(Shared { settings, current, opened }))
    }

    /// Waits until a connection was opened, or could not be.
    pub(super) async fn opened(&self) {
        self.0.opened.notified().await;
    }

    /// A pool is complete whenever it is set, so a poisoned lock is ignored.
    fn current(&self) -> Pool {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses none of the pool's connections for further calls. They may all be broken without showing it: while Lambda
    /// froze the process, the other end may have given them up. The attempts at one call would try one after the other.
    fn replace(&self, broken: &Pool) {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current.is_used, &broken.is_used) && broken.is_used.load(Ordering::Relaxed) {
            *current = Pool::new(&self.0.settings, &self.0.opened);
        }
    }
}

impl Pool {
    fn new(settings: &HttpsBuilder, opened: &Arc<Notify>) -> Self {
        let is_used = Arc::new(AtomicBool::new(false));
        let (used, opened) = (Arc::clone(&is_used), Arc::clone(opened));
        let listener = move |event: &ConnectionEvent<'_>| match event {
            ConnectionEvent::Opened(_) => {
                used.store(true, Ordering::Relaxed);
                opened.notify_one();
            }
            ConnectionEvent::EstablishmentFailed(_) => opened.notify_one(),
            _ => {}
        };
        let pool = settings.clone().event_listener(listener).build_https();
        let pool = pool.expect("BUG: the settings of the pool are consistent");
        Self { client: Client::new(&pool).expect("BUG: the pool has no partitions"), is_used }
    }
}

impl HttpClient for Connections {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let pool = self.current();
        let connector = pool.client.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connections: self.clone(), pool, connector })
    }
}

/// A pool's connector, which has the pool replaced when a connection breaks.
#[derive(Debug)]
struct Connector {
    connections: Connections,
    pool: Pool,
    connector: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connections, pool) = (self.connections.clone(), self.pool.clone());
        let call = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let response = call.await;
            if response.as_ref().is_err_and(|error| !error.is_timeout()) {
                connections.replace(&pool);
            }
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tables;

    #[test]
    fn a_pool_is_replaced_once_and_only_after_use() {
        let [tenants, customers, memberships] = ["t", "c", "m"].map(str::to_owned);
        let tables = Tables { tenants, customers, memberships, imports: None };
        let connections = Connections::new(&Config::new(tables));
        let is_current = |pool: &Pool| Arc::ptr_eq(&connections.current().is_used, &pool.is_used);
        let first = connections.current();
        connections.replace(&first);
        assert!(is_current(&first), "none of its connections can be broken");
        first.is_used.store(true, Ordering::Relaxed);
        connections.replace(&first);
        let second = connections.current();
        assert!(!is_current(&first));
        // A call that used the first pool fails later.
        second.is_used.store(true, Ordering::Relaxed);
        connections.replace(&first);
        assert!(is_current(&second));
    }
}
