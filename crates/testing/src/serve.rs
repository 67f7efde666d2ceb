//! HTTP servers on this machine, with TLS or without.

use std::error::Error;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use hyper::body::{Body, Incoming};
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

/// A running server. It stops, and closes its connections, when dropped.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    accepting: JoinHandle<()>,
    closing: watch::Sender<()>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    /// How many times connections were broken.
    breaks: AtomicUsize,
    /// How many times connections fell silent.
    silences: AtomicUsize,
    /// How many requests got no response from a silent connection.
    unanswered: AtomicUsize,
}

/// What became of a connection.
enum Fate {
    Sound,
    Broken,
    Silent,
}

impl Faults {
    fn now(&self) -> [usize; 2] {
        [&self.breaks, &self.silences].map(|faults| faults.load(Ordering::Relaxed))
    }

    /// What became of a connection since these faults.
    fn fate(&self, [breaks, silences]: [usize; 2]) -> Fate {
        match self.now() {
            [now, _] if now != breaks => Fate::Broken,
            [_, now] if now != silences => Fate::Silent,
            _ => Fate::Sound,
        }
    }
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
    pub async fn start<R, F, B, E>(address: SocketAddr, respond: R) -> io::Result<Self>
    where
        R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        Self::start_over(Transport::Plain, address, respond).await
    }

    /// Like [`start`](Self::start), over this transport.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn start_over<R, F, B, E>(
        transport: Transport,
        address: SocketAddr,
        respond: R,
    ) -> io::Result<Self>
    where
        R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let faults = Arc::new(Faults::default());
        let served = Arc::clone(&faults);
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = transport.scheme();
        let (closing, close) = watch::channel(());
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                // Otherwise small responses wait for the acknowledgement of earlier ones.
                stream.set_nodelay(true).ok();
                let mut close = close.clone();
                close.mark_unchanged();
                let (faults, accepted) = (Arc::clone(&served), served.now());
                let respond = respond.clone();
                let respond = move |request| {
                    let faults = Arc::clone(&faults);
                    let fate = faults.fate(accepted);
                    let response = matches!(fate, Fate::Sound).then(|| respond(request));
                    async move {
                        match (fate, response) {
                            (Fate::Sound, Some(response)) => response.await.map_err(io::Error::other),
                            (Fate::Silent, _) => {
                                faults.unanswered.fetch_add(1, Ordering::Relaxed);
                                pending().await
                            }
                            _ => Err(io::Error::other("broken")),
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
                connections.spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        _ = close.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, scheme, accepting, closing, faults })
    }

    /// Closes all connections; new ones are accepted.
    pub fn close_connections(&self) {
        self.closing.send_replace(());
    }

    /// Breaks all connections so that the client notices only when it uses one: each closes at its next request,
    /// without a response.
    pub fn break_connections(&self) {
        self.faults.breaks.fetch_add(1, Ordering::Relaxed);
    }

    /// Silences all connections, as a firewall that has forgotten them: they stay open, and no request on them gets a
    /// response.
    pub fn silence_connections(&self) {
        self.faults.silences.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests got no response from a silent connection.
    pub fn unanswered(&self) -> usize {
        self.faults.unanswered.load(Ordering::Relaxed)
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

async fn serve<S, R, F, B, E>(stream: S, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    // Fails if `respond` did or the client disconnected: the client notices it itself.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)).await;
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
