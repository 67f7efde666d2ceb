//! `cargo lambda watch`, and the function under it.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::sleep;

/// Ends `cargo lambda watch` when the shell's standard input is closed. The kernel closes it, too, when this process
/// is killed.
const UNTIL_STDIN_CLOSES: &str =
    r#"exec 3<&0; { read -r _ <&3; kill $$; } & exec cargo-lambda "$@" 3<&- </dev/null"#;

/// What a shell returns if there is no such program.
const NOT_FOUND: i32 = 127;

/// How long `cargo lambda watch` may take to end: it needs up to a second for requests that it still serves.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

const DRY_RUN: &str = r#"{"publicParams":{"isMatching":false,"optType":"add","dryRun":true},"data":[{}]}"#;

/// The running command. Dropping it ends the function as well.
pub struct Watch {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Watch {
    /// Serves the function on `port`, with the database at `endpoint`.
    pub fn start(port: u16, endpoint: &str) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", UNTIL_STDIN_CLOSES, "sh", "lambda", "watch"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
            // Its configuration is the one of the folder that it runs in, and so is what it watches.
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            // Counts more than the endpoint in CargoLambda.toml.
            .env("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
            .env("RUST_LOG", "cargo_lambda=warn")
            .stdin(Stdio::piped())
            // The terminal's Ctrl-C is for this process alone, which then ends that one.
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        tokio::spawn(serve_ipv6(port));
        Ok(Self { child, stdin })
    }

    /// Sends a dry run, with which the compilation begins, and returns once the function has responded.
    pub async fn first_response(&mut self, url: &str, token: &str) -> Result<(), Box<dyn Error>> {
        let response = tokio::select! {
            response = post(url, token) => response?,
            error = self.ended() => return Err(error),
        };
        match response.status() {
            StatusCode::OK => Ok(()),
            status => Err(format!("the function rejects a dry run: {status}").into()),
        }
    }

    /// Waits until the command ends by itself.
    pub async fn ended(&mut self) -> Box<dyn Error> {
        match self.child.wait().await {
            Ok(status) if status.code() == Some(NOT_FOUND) => {
                "cargo-lambda is not installed: `make local` installs it".into()
            }
            Ok(status) => format!("cargo lambda watch ended ({status}): see its messages above").into(),
            Err(error) => error.into(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let deadline = Instant::now() + ENDED_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.start_kill();
    }
}

/// Tries until a connection is accepted.
async fn post(url: &str, token: &str) -> Result<Response<Incoming>, Box<dyn Error>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    loop {
        let request = Request::post(url)
            .header("X-Token", token)
            .header("Content-Type", "application/json")
            .body(Full::from(DRY_RUN))?;
        match client.request(request).await {
            Err(error) if error.is_connect() => sleep(Duration::from_millis(50)).await,
            response => return Ok(response?),
        }
    }
}

/// `cargo lambda invoke` connects to ::1 by default, and `cargo lambda watch` listens on one address or on all of the
/// machine.
async fn serve_ipv6(port: u16) {
    // Some machines have none.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await else { return };
    while let Ok((mut caller, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            copy_bidirectional(&mut caller, &mut server).await
        });
    }
}
