//! A DynamoDB inside this process: nothing to install, nothing left running when the process ends.

use std::io;
use std::net::Ipv4Addr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{self, BehaviorVersion, Credentials, Region};
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The region of every client of a local database. An emulator may keep separate tables per region and key.
pub const REGION: &str = "us-east-1";

/// Access key and secret of every client of a local database. Emulators require a signature but do not verify it.
pub const ACCESS_KEY: &str = "local";

/// A running database. Dropping it stops the server once the requests in progress have ended.
pub struct Embedded {
    endpoint: String,
    /// The server runs until this end of the channel is dropped.
    _running: oneshot::Sender<()>,
}

impl Embedded {
    /// Serves `database` on `port` of 127.0.0.1, on any free port if that is 0, in the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// The port cannot be bound, most often because it is in use.
    pub async fn start(database: Database, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (running, stopped) = oneshot::channel();
        let shutdown = async {
            // An error means that the sender was dropped: that stops the server.
            let _ = stopped.await;
        };
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, shutdown));
        Ok(Self { endpoint, _running: running })
    }

    /// The address clients use, such as `http://127.0.0.1:8000`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// A client of the local database at `endpoint`. It reads neither the environment nor a profile, so it cannot reach
/// an AWS account by mistake.
pub fn client(endpoint: &str) -> Client {
    Client::from_conf(settings(endpoint).build())
}

/// The settings of [`client`].
#[expect(
    deprecated,
    reason = "later behaviour versions send requests for 127.0.0.1, too, through the proxy that HTTP_PROXY names"
)]
pub fn settings(endpoint: &str) -> config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2025_01_17())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "local"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}
