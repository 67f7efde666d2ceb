//! The connections to DynamoDB: no more than there are calls at a time, one before the first call, and none that may be
//! broken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

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

/// The most connections of a pool, and of all pools: a replaced one keeps its connections until its calls have ended.
/// Lambda gives a process 1,024 file descriptors (AWS Lambda quotas), and the Runtime API takes one for each concurrent
/// request.
const MAX_CONNECTIONS: usize = 400;
const MAX_OF_ALL_POOLS: usize = 800;

/// How long a connection may be unused.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// The connections of the process: the SDK's HTTP client. Clones share them.
///
/// Not those of the SDK's own client: while a connection is on its way back to it after a call, the next call opens
/// another one, and a TLS handshake costs as much CPU time as ten calls.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: HttpsBuilder,
    /// The most connections of a pool.
    most: usize,
    current: Mutex<Current>,
    /// Notified when a connection was opened, or could not be.
    opened: Arc<Notify>,
}

/// The pool that the next call uses.
#[derive(Debug)]
struct Current {
    pool: Pool,
    /// By their `is_used`, the pools before it of which some may still have calls.
    replaced: Vec<Weak<AtomicBool>>,
    /// When the latest call started. By the wall clock: the monotonic one may stop while Lambda froze the process.
    used_at: SystemTime,
}

#[derive(Clone, Debug)]
struct Pool {
    client: Client,
    /// Whether it has ever opened a connection.
    is_used: Arc<AtomicBool>,
}

impl Connections {
    /// As many connections as these settings allow calls at a time, up to 400: then calls wait for one.
    pub fn new(config: &Config) -> Self {
        let most = most_connections(config);
        let settings = ConnectionPool::builder()
            .max_connections_per_host(most)
            .idle_timeout(MAX_IDLE)
            // As the SDK's own client.
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let opened = Arc::new(Notify::new());
        let pool = Pool::new(&settings, &opened);
        let current = Current { pool, replaced: Vec::new(), used_at: SystemTime::UNIX_EPOCH };
        Self(Arc::new(Shared { settings, most, current: Mutex::new(current), opened }))
    }

    /// Waits until a connection was opened, or could not be.
    pub async fn opened(&self) {
        self.0.opened.notified().await;
    }

    /// The pool for a call that starts now. One that was unused for long is replaced: its idle timeout needs a task that
    /// does not run while Lambda froze the process, and a firewall may have dropped the connections without a word.
    fn at(&self, now: SystemTime) -> Pool {
        let mut current = self.current();
        if now.duration_since(current.used_at).is_ok_and(|idle| idle >= MAX_IDLE) {
            self.renew(&mut current);
        }
        current.used_at = now;
        current.pool.clone()
    }

    /// Uses none of the pool's connections for further calls. They may all be broken without showing it: while Lambda
    /// froze the process, the other end may have given them up. The attempts at one call would try one after the other.
    fn replace(&self, broken: &Pool) {
        let mut current = self.current();
        if Arc::ptr_eq(&current.pool.is_used, &broken.is_used) {
            self.renew(&mut current);
        }
    }

    fn renew(&self, current: &mut Current) {
        current.replaced.retain(|pool| pool.strong_count() > 0);
        let pools = current.replaced.len() + 2;
        if current.pool.is_used.load(Ordering::Relaxed) && pools * self.0.most <= MAX_OF_ALL_POOLS {
            current.replaced.push(Arc::downgrade(&current.pool.is_used));
            current.pool = Pool::new(&self.0.settings, &self.0.opened);
        }
    }

    /// It is complete whenever it is set, so a poisoned lock is ignored.
    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn most_connections(config: &Config) -> usize {
    let calls = config.lookup_concurrency.max(config.write_concurrency);
    calls.saturating_mul(config.concurrent_requests).min(MAX_CONNECTIONS)
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
        let pool = self.at(SystemTime::now());
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
            // Not where the call is dropped: at the end of an import's time its connections are sound.
            if response.is_err() {
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

    fn config() -> Config {
        let [tenants, customers, memberships] = ["t", "c", "m"].map(str::to_owned);
        Config::new(Tables { tenants, customers, memberships, imports: None })
    }

    #[test]
    fn connections_are_as_many_as_calls_up_to_a_limit() {
        let most = |lookup_concurrency, write_concurrency, concurrent_requests| {
            most_connections(&Config {
                lookup_concurrency,
                write_concurrency,
                concurrent_requests,
                ..config()
            })
        };
        assert_eq!([most(32, 8, 1), most(8, 32, 2), most(200, 200, 1)], [32, 64, 200]);
        assert_eq!([most(32, 32, 128), most(1, 1, 1_600), most(200, 1, usize::MAX)], [MAX_CONNECTIONS; 3]);
    }

    #[test]
    fn a_pool_is_replaced_once_and_only_after_use() {
        let connections = Connections::new(&config());
        let is_current = |pool: &Pool| Arc::ptr_eq(&connections.current().pool.is_used, &pool.is_used);
        let first = connections.current().pool.clone();
        connections.replace(&first);
        assert!(is_current(&first), "none of its connections can be broken");
        first.is_used.store(true, Ordering::Relaxed);
        connections.replace(&first);
        let second = connections.current().pool.clone();
        assert!(!is_current(&first));
        // A call that used the first pool fails later.
        second.is_used.store(true, Ordering::Relaxed);
        connections.replace(&first);
        assert!(is_current(&second));
    }

    #[test]
    fn replaced_pools_with_calls_are_few() {
        let connections = Connections::new(&Config { lookup_concurrency: 400, ..config() });
        let replaced = || {
            let pool = connections.current().pool.clone();
            pool.is_used.store(true, Ordering::Relaxed);
            connections.replace(&pool);
            (!Arc::ptr_eq(&connections.current().pool.is_used, &pool.is_used)).then_some(pool)
        };
        let first = replaced().expect("there is none with calls");
        assert!(replaced().is_none(), "the first has calls");
        drop(first);
        assert!(replaced().is_some());
    }

    #[test]
    fn a_pool_unused_for_long_is_replaced() {
        let connections = Connections::new(&config());
        let start = SystemTime::now();
        let at = |seconds: u64| connections.at(start + Duration::from_secs(seconds));
        let is_same = |one: &Pool, other: &Pool| Arc::ptr_eq(&one.is_used, &other.is_used);
        let first = at(0);
        assert!(is_same(&first, &at(600)), "it has no connection yet");
        first.is_used.store(true, Ordering::Relaxed);
        for seconds in [600, 659, 718, 100] {
            assert!(is_same(&first, &at(seconds)), "{seconds}");
        }
        assert!(!is_same(&first, &at(160)));
    }
}
