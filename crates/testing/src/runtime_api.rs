//! An emulated Lambda Runtime API, and the function's process that polls it.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use crate::serve::{self, Server};

/// How long a test waits for a response.
const PATIENCE: Duration = Duration::from_secs(60);

/// The request IDs of the invocations: this, and the number of the event.
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-";

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// A function's process and the Runtime API that it polls. Dropping it kills the process.
pub struct Process {
    pub child: Child,
    events: mpsc::UnboundedSender<Bytes>,
    polls: mpsc::UnboundedReceiver<Instant>,
    sent: mpsc::UnboundedReceiver<Sent>,
    patience: Duration,
    _api: Server,
}

/// How long a process may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The duration of each invocation, from which its deadline follows.
    pub invocation: Duration,
    /// The time limit of each wait for the process.
    pub patience: Duration,
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Outcome {
    /// The number of the event, counted from 0 in the order sent.
    pub event: usize,
    /// `response`, or `error` where the invocation failed.
    pub kind: String,
    pub body: Value,
    /// When it was received.
    pub at: Instant,
}

/// Why waiting for a process failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("the process ended: {0}")]
    Ended(ExitStatus),
    #[error("the process did nothing for {0:?}")]
    Stale(Duration),
    #[error("the process sent no JSON to the Runtime API")]
    NoJson(#[from] serde_json::Error),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A command with only the environment variables of every function.
pub fn command(executable: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(executable);
    command
        .env_clear()
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024");
    command
}

impl Process {
    /// Starts `executable` with these variables, its standard output piped. Each of its invocations has `time`.
    pub async fn start(executable: &Path, environment: &[(&str, &str)], time: Duration) -> Self {
        let mut command = command(executable);
        command.envs(environment.iter().copied()).stdout(Stdio::piped());
        let times = Times { invocation: time, patience: PATIENCE };
        Self::spawn(command, times).await.expect("the function starts")
    }

    /// Starts a [`command`].
    ///
    /// # Errors
    ///
    /// The program does not exist, or no port is free.
    pub async fn spawn(mut command: Command, times: Times) -> Result<Self, ProcessError> {
        let (events, waiting) = mpsc::unbounded_channel();
        let (polled, polls) = mpsc::unbounded_channel();
        let (sender, sent) = mpsc::unbounded_channel();
        let waiting = Mutex::new(Waiting { number: 0, events: waiting });
        let api = Arc::new(Api { invocation: times.invocation, waiting, polled, sender });
        let respond = move |request| Arc::clone(&api).respond(request);
        let api = Server::start(serve::ANY, respond).await?;
        let child =
            command.env("AWS_LAMBDA_RUNTIME_API", api.address().to_string()).kill_on_drop(true).spawn()?;
        Ok(Self { child, events, polls, sent, patience: times.patience, _api: api })
    }

    /// Sends the process an event, without waiting for the outcome.
    pub fn send(&self, event: Value) {
        self.send_text(event.to_string().into());
    }

    /// Sends the process an event's JSON text, without waiting for the outcome.
    pub fn send_text(&self, event: Bytes) {
        self.events.send(event).expect("the Runtime API is served");
    }

    /// Lets the process handle an event.
    pub async fn invoke(&mut self, event: Value) -> Outcome {
        self.send(event);
        self.outcome().await.expect("an outcome")
    }

    /// Waits for the next outcome.
    ///
    /// # Errors
    ///
    /// The process ended, does nothing, or sends no JSON.
    pub async fn outcome(&mut self) -> Result<Outcome, ProcessError> {
        let Sent { event, kind, body, at } = next(&mut self.sent, &mut self.child, self.patience).await?;
        Ok(Outcome { event, kind, body: serde_json::from_slice(&body)?, at })
    }

    /// Waits until the process polls for an event, and returns the time of the poll.
    ///
    /// # Errors
    ///
    /// The process ended, or does nothing.
    pub async fn poll(&mut self) -> Result<Instant, ProcessError> {
        next(&mut self.polls, &mut self.child, self.patience).await
    }
}

async fn next<T>(
    waiting: &mut mpsc::UnboundedReceiver<T>,
    child: &mut Child,
    patience: Duration,
) -> Result<T, ProcessError> {
    tokio::select! {
        biased;
        Some(sent) = waiting.recv() => Ok(sent),
        ended = child.wait() => Err(ProcessError::Ended(ended?)),
        () = tokio::time::sleep(patience) => Err(ProcessError::Stale(patience)),
    }
}

/// What the process sent to the Runtime API about an event.
struct Sent {
    event: usize,
    kind: String,
    body: Bytes,
    at: Instant,
}

struct Api {
    invocation: Duration,
    waiting: Mutex<Waiting>,
    polled: mpsc::UnboundedSender<Instant>,
    sender: mpsc::UnboundedSender<Sent>,
}

/// The number of events sent so far, and the events still to be sent.
struct Waiting {
    number: usize,
    events: mpsc::UnboundedReceiver<Bytes>,
}

impl Api {
    /// If nothing waits for the process any more, it is about to be killed.
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        if path.ends_with("/invocation/next") {
            self.polled.send(Instant::now()).ok();
            let (number, event) = self.event().await;
            let deadline = SystemTime::now() + self.invocation;
            let deadline_ms = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
            let invocation = Response::builder()
                .header("content-type", "application/json")
                .header("lambda-runtime-aws-request-id", format!("{REQUEST_ID}{number:012}"))
                .header("lambda-runtime-deadline-ms", deadline_ms.to_string())
                .header("lambda-runtime-invoked-function-arn", ARN);
            return Ok(invocation.body(Full::from(event)).expect("the parts are valid"));
        }
        let body = request.into_body().collect().await.expect("the body arrives").to_bytes();
        let at = Instant::now();
        let mut segments = path.rsplit('/');
        let kind = segments.next().expect("a path").to_owned();
        let number = segments.next().and_then(|id| id.strip_prefix(REQUEST_ID)).expect("the ID of an event");
        let event = number.parse().expect("a number");
        self.sender.send(Sent { event, kind, body, at }).ok();
        let accepted = Response::builder().status(StatusCode::ACCEPTED);
        Ok(accepted.body(Full::default()).expect("the parts are valid"))
    }

    /// The next event and its number.
    async fn event(&self) -> (usize, Bytes) {
        let mut waiting = self.waiting.lock().await;
        // Without a sender the process is about to be killed.
        let Some(event) = waiting.events.recv().await else { std::future::pending().await };
        waiting.number += 1;
        (waiting.number - 1, event)
    }
}
