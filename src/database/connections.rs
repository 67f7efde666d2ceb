//! The connections to DynamoDB: no more than there are calls at a time, and one before the first call.

use std::sync::Arc;

use aws_smithy_http_client::pool::{Client, ConnectionEvent, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::sync::Notify;

use crate::config::Config;

/// The connections of the process.
///
/// Not those of the SDK's own client: while a connection is on its way back to it after a call, the next call opens
/// another one, and a TLS handshake costs as much CPU time as ten calls.
pub struct Connections {
    pool: ConnectionPool,
    /// Notified when a connection was opened, or could not be.
    opened: Arc<Notify>,
}

impl Connections {
    /// As many connections as these settings allow calls at a time.
    pub fn new(config: &Config) -> Self {
        let calls = config.lookup_concurrency.max(config.write_concurrency);
        let opened = Arc::new(Notify::new());
        let notify = Arc::clone(&opened);
        let pool = ConnectionPool::builder()
            .max_connections_per_host(calls.saturating_mul(config.concurrent_requests))
            // As the SDK's own client.
            .proxy_config(ProxyConfig::from_env())
            .event_listener(move |event: &ConnectionEvent<'_>| match event {
                ConnectionEvent::Opened(_) | ConnectionEvent::EstablishmentFailed(_) => notify.notify_one(),
                _ => {}
            })
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https()
            .expect("BUG: the settings of the pool are consistent");
        Self { pool, opened }
    }

    /// A client for the SDK.
    pub fn client(&self) -> Client {
        Client::new(&self.pool).expect("BUG: the pool has no partitions")
    }

    /// Waits until a connection was opened, or could not be.
    pub(super) async fn opened(&self) {
        self.opened.notified().await;
    }
}
