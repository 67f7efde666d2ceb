//! HTTP servers on this machine, with TLS or without.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Any free port.
pub const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The body of a response, which may break off.
pub type Body = BoxBody<Bytes, io::Error>;

/// A body that does not.
pub fn whole(body: impl Into<Bytes>) -> Body {
    Full::from(body.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// A running server. It stops, and closes its connections, when dropped.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    accepting: JoinHandle<()>,
    fate: watch::Sender<Fate>,
    unanswered: Arc<AtomicUsize>,
}

/// What becomes of the connections that are open when it changes.
#[derive(Clone, Copy)]
enum Fate {
    Closed,
    Broken,
    Silent,
}

/// The transport below HTTP.
#[derive(Clone)]
pub enum Transport {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Tls),
}

impl Server {
    /// Serves HTTP/1.1 at `address` on the runtime of the caller. An error of `respond` closes the connection without a
    /// response.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn start<R, F>(transport: Transport, address: SocketAddr, respond: R) -> io::Result<Self>
    where
        R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = transport.scheme();
        let unanswered = Arc::new(AtomicUsize::new(0));
        let silent = Arc::clone(&unanswered);
        let (fate, of_now) = watch::channel(Fate::Closed);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                // Otherwise small responses wait for the acknowledgement of earlier ones.
                stream.set_nodelay(true).ok();
                let mut fate = of_now.clone();
                fate.mark_unchanged();
                let (respond, silent, changed) = (respond.clone(), Arc::clone(&silent), fate.clone());
                let respond = move |request| {
                    let response = respond(request);
                    let silent = Arc::clone(&silent);
                    let fate = changed.has_changed().is_ok_and(|it| it).then(|| *changed.borrow());
                    async move {
                        match fate {
                            None => response.await,
                            Some(Fate::Closed | Fate::Broken) => Err(io::ErrorKind::ConnectionReset.into()),
                            Some(Fate::Silent) => {
                                silent.fetch_add(1, Ordering::Relaxed);
                                pending().await
                            }
                        }
                    }
                };
                let connection = match &transport {
                    Transport::Plain => serve(stream, respond).boxed(),
                    #[cfg(feature = "tls")]
                    Transport::Tls(tls) => {
                        let tls = tls.clone();
                        async move {
                            // The client notices a failed handshake itself.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, respond).await;
                            }
                        }
                        .boxed()
                    }
                };
                let closed = async move {
                    while fate.changed().await.is_ok() && !matches!(*fate.borrow(), Fate::Closed) {}
                };
                connections.spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = closed => {}
                    }
                });
            }
        });
        Ok(Self { address, scheme, accepting, fate, unanswered })
    }

    /// Closes all connections; new ones are accepted.
    pub fn close_connections(&self) {
        self.fate.send_replace(Fate::Closed);
    }

    /// Breaks all connections so that the client notices only when it uses one: each closes at its next request,
    /// without a response.
    pub fn break_connections(&self) {
        self.fate.send_replace(Fate::Broken);
    }

    /// Silences all connections, as a firewall that has forgotten them: they stay open, and no request on them gets a
    /// response.
    pub fn silence_connections(&self) {
        self.fate.send_replace(Fate::Silent);
    }

    /// How many requests got no response from a silent connection.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients take as the server's URL: `http://127.0.0.1:8000`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Stops, and returns when the port is free.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        if !self.accepting.is_finished() {
            // It ends as cancelled.
            let _ = (&mut self.accepting).await;
        }
    }
}

impl Transport {
    fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }
}

async fn serve<S, R, F>(stream: S, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    // Fails if `respond` did or the client disconnected: the client notices it itself.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)).await;
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
