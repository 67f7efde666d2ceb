//! Runs the function as on Lambda: a process of its own, fed by an emulated Runtime API that also serves HTTP.
//!
//! `cargo lambda watch` serves only the two interfaces (`--only-lambda-apis`); the function is started from here.
//! If `watch` started it, it would stay alive when the function dies or does not compile, with every request
//! waiting forever, and would keep the function in a process group of which this program does not know.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::log;
use crate::ports::Reserved;
use crate::processes::Group;
use testing::demo::TOKEN;
use testing::embedded::{ACCESS_KEY, REGION};
use testing::tables::TableNames;

/// The address of the API.
pub const PATH: &str = "/api/integrate/audience/info/batchAdd";

/// How long the emulated Lambda and the function may take to respond together. Both are compiled by then.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// Why the function does not respond, or no longer does.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    #[error("cargo-lambda is not installed: `make local` installs it")]
    NoCargoLambda,
    #[error("{0} could not be started")]
    Start(&'static str, #[source] io::Error),
    #[error("{0} ended ({1}): see its last messages above")]
    Ended(&'static str, ExitStatus),
    #[error("waiting for {0} failed")]
    Wait(&'static str, #[source] io::Error),
    #[error("the function did not respond within {} s", STARTED_WITHIN.as_secs())]
    Silent,
    #[error("no request could be sent to the function")]
    Ask(#[source] io::Error),
    #[error("the function rejects a dry run: {0}")]
    Rejected(String),
}

impl FunctionError {
    /// Whether the function itself ended, which the emulated Lambda survives.
    pub fn is_of_the_function(&self) -> bool {
        matches!(self, Self::Ended(FUNCTION, _))
    }
}

const LAMBDA: &str = "cargo lambda watch";
const FUNCTION: &str = "the function";

/// The function and the emulated Lambda around it. Dropping it ends both.
pub struct Running {
    // The function goes first: without it there is no request that the emulated Lambda would have to finish.
    function: Group,
    lambda: Group,
    settings: Settings,
}

/// The parameters of each start of the function.
struct Settings {
    port: u16,
    database: String,
    names: TableNames,
}

impl Running {
    /// Starts both and returns when the function has responded to a request.
    ///
    /// `executable` is the compiled function, `database` the address of its database.
    pub async fn start(
        executable: &Path,
        port: Reserved,
        database: &str,
        names: &TableNames,
    ) -> Result<Self, FunctionError> {
        let port = port.release();
        let mut lambda = Group::spawn(&mut lambda_command(port)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FunctionError::NoCargoLambda,
            _ => FunctionError::Start(LAMBDA, error),
        })?;
        // The function gives up at once if nothing listens when it polls for its first request.
        tokio::select! {
            listens = timeout(STARTED_WITHIN, listening(port)) => listens.map_err(|_| FunctionError::Silent)?,
            error = ended(LAMBDA, &mut lambda) => return Err(error),
        }
        let settings = Settings { port, database: database.to_owned(), names: names.clone() };
        let mut running = Self { function: settings.start(executable)?, lambda, settings };
        running.responds().await?;
        Ok(running)
    }

    /// Starts the function again, from an executable that was compiled anew.
    pub async fn restart(&mut self, executable: &Path) -> Result<(), FunctionError> {
        self.function.kill();
        self.function = self.settings.start(executable)?;
        self.responds().await
    }

    async fn responds(&mut self) -> Result<(), FunctionError> {
        tokio::select! {
            asked = timeout(STARTED_WITHIN, ask(self.settings.port)) => asked.map_err(|_| FunctionError::Silent)?,
            error = self.ended() => Err(error),
        }
    }

    /// Waits until one of the two processes has ended, which neither does on its own.
    pub async fn ended(&mut self) -> FunctionError {
        tokio::select! {
            error = ended(FUNCTION, &mut self.function) => error,
            error = ended(LAMBDA, &mut self.lambda) => error,
        }
    }

    /// The port of the emulated Lambda.
    pub fn port(&self) -> u16 {
        self.settings.port
    }

    /// The address that callers post to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.settings.port)
    }
}

impl Settings {
    fn start(&self, executable: &Path) -> Result<Group, FunctionError> {
        let mut function = Group::spawn(&mut self.command(executable))
            .map_err(|error| FunctionError::Start(FUNCTION, error))?;
        let output = function.take_stdout().expect("BUG: the output is piped");
        tokio::spawn(log::forward(output));
        Ok(function)
    }

    fn command(&self, executable: &Path) -> Command {
        let Self { port, database, names } = self;
        let mut command = Command::new(executable);
        // A profile, a session token or an ignored endpoint of the user's shell would lead to a real account.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .stdout(Stdio::piped())
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/_"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "customer-group-import")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_ENDPOINT_URL_DYNAMODB", database)
            // Otherwise the SDK sends requests for the local database, too, through the proxy that HTTP_PROXY names.
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
            .env("TENANTS_TABLE", &names.tenants)
            .env("CUSTOMERS_TABLE", &names.customers)
            .env("MEMBERSHIPS_TABLE", &names.memberships)
            .env("IMPORTS_TABLE", &names.imports);
        command
    }
}

async fn ended(name: &'static str, group: &mut Group) -> FunctionError {
    match group.ended().await {
        Ok(status) => FunctionError::Ended(name, status),
        Err(error) => FunctionError::Wait(name, error),
    }
}

fn lambda_command(port: u16) -> Command {
    let mut command = Command::new("cargo-lambda");
    command
        .args(["lambda", "watch", "--only-lambda-apis"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
        .args(["--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string()])
        // Its start message concerns variables that are set below.
        .env("RUST_LOG", "cargo_lambda=warn");
    command
}

async fn listening(port: u16) {
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Posts a dry run of the demo tenant: it exercises every part, and logs a success.
async fn ask(port: u16) -> Result<(), FunctionError> {
    let status = status_line(port).await.map_err(FunctionError::Ask)?;
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(FunctionError::Rejected(status.trim_end().to_owned()))
}

async fn status_line(port: u16) -> io::Result<String> {
    const BODY: &str = r#"{"publicParams":{"isMatching":false,"optType":"add","dryRun":true},"data":[{}]}"#;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Token: {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(line)
}
