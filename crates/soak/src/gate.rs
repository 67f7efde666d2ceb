//! A relay in front of the proxy, whose connections can be cut and whose port can be closed.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub struct Gate {
    address: SocketAddr,
    upstream: String,
    relay: Option<JoinHandle<()>>,
}

impl Gate {
    /// Opens in front of `endpoint`, an origin such as `http://127.0.0.1:8000`.
    pub async fn open(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let relay = Some(tokio::spawn(relay(listener, upstream.clone())));
        Self { address, upstream, relay }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection and refuses new ones.
    pub async fn shut(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.abort();
            // Cancelled, which is no answer that matters: the port is free.
            let _ = relay.await;
        }
    }

    /// Takes connections again, on the same port.
    pub async fn reopen(&mut self) {
        self.shut().await;
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.relay = Some(tokio::spawn(relay(listener, self.upstream.clone())));
    }
}

/// Relays until aborted; the connections end with it.
async fn relay(listener: TcpListener, upstream: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let upstream = upstream.clone();
        connections.spawn(async move {
            if let Ok(mut to) = TcpStream::connect(upstream).await {
                // Otherwise small answers wait for the acknowledgement of earlier ones.
                from.set_nodelay(true).ok();
                to.set_nodelay(true).ok();
                copy_bidirectional(&mut from, &mut to).await.ok();
            }
        });
    }
}
