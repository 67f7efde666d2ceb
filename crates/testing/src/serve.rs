//! HTTP servers on this machine.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// Any free port.
pub const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running server. It stops, and closes its connections, when dropped.
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves HTTP/1.1 at `address` on the runtime of the caller. An error of `respond` closes the connection without a
    /// response.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn start<R, F, B, E>(address: SocketAddr, respond: R) -> io::Result<Self>
    where
        R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                // Otherwise small responses wait for the acknowledgement of earlier ones.
                stream.set_nodelay(true).ok();
                let service = service_fn(respond.clone());
                connections.spawn(async move {
                    // Fails where `respond` did or the client hung up: the client's to notice.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients take as the server's URL: `http://127.0.0.1:8000`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops, and returns when the port is free.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        if !self.accepting.is_finished() {
            // Cancelled, as it should be.
            let _ = (&mut self.accepting).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
