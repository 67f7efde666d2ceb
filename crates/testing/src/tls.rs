//! TLS for servers on this machine, with a certificate generated at start.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The names of this machine in the server's certificate.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// The server's side of TLS. Clones share the count of handshakes.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: String,
    handshakes: Arc<AtomicUsize>,
}

impl Tls {
    /// TLS with a key and a certificate of its own.
    pub fn new() -> Self {
        const MADE: &str = "BUG: the certificate can be generated";
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).expect(MADE);
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect(MADE);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect(MADE)
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect(MADE);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate: made.cert.pem(),
            handshakes: Arc::default(),
        }
    }

    /// The certificates of the system and this one in PEM, for `SSL_CERT_FILE` and similar settings, which
    /// replace the system's: a client must parse as many as on Lambda.
    pub fn trusted(&self) -> String {
        let system = rustls_native_certs::load_native_certs().certs;
        let mut trusted: String = system
            .iter()
            .map(|certificate| pem::encode(&pem::Pem::new("CERTIFICATE", certificate.as_ref())))
            .collect();
        trusted.push_str(&self.certificate);
        trusted
    }

    /// The handshakes so far.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.acceptor.accept(stream).await?;
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}
