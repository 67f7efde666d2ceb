//! An emulated Lambda Runtime API, and the function's process that polls it.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use crate::serve::{self, Body, Server, Transport, whole};

/// The limit of each wait for a process, which valgrind may slow down.
const PATIENCE: Duration = Duration::from_secs(300);

/// The request IDs of the invocations: this, and the number of the event.
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-";

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// A function's process and the Runtime API that it polls. Dropping it kills the process.
pub struct Process {
    pub child: Child,
    events: mpsc::UnboundedSender<Bytes>,
    polls: mpsc::UnboundedReceiver<Instant>,
    outcomes: mpsc::UnboundedReceiver<io::Result<Outcome>>,
    _api: Server,
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
    /// Starts a [`command`], each of whose invocations has `time`.
    ///
    /// # Errors
    ///
    /// The program does not exist, or no port is free.
    pub async fn spawn(mut command: Command, time: Duration) -> io::Result<Self> {
        let (events, waiting) = mpsc::unbounded_channel();
        let (polled, polls) = mpsc::unbounded_channel();
        let (ended, outcomes) = mpsc::unbounded_channel();
        let api = Arc::new(Api { time, waiting: Mutex::new((0, waiting)), polled, ended });
        let respond = move |request| Arc::clone(&api).respond(request);
        let api = Server::start(Transport::Plain, serve::ANY, respond).await?;
        let child =
            command.env("AWS_LAMBDA_RUNTIME_API", api.address().to_string()).kill_on_drop(true).spawn()?;
        Ok(Self { child, events, polls, outcomes, _api: api })
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
    pub async fn outcome(&mut self) -> io::Result<Outcome> {
        next(&mut self.outcomes, &mut self.child).await?
    }

    /// A figure of the process's memory in KiB: `VmRSS:` for what is resident, `VmHWM:` for its peak. On Linux only.
    pub fn memory(&self, figure: &str) -> u64 {
        let process = self.child.id().expect("the process lives");
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).expect("it is reported");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Waits until the process polls for an event, and returns the time of the poll.
    ///
    /// # Errors
    ///
    /// The process ended, or does nothing.
    pub async fn poll(&mut self) -> io::Result<Instant> {
        next(&mut self.polls, &mut self.child).await
    }
}

async fn next<T>(waiting: &mut mpsc::UnboundedReceiver<T>, child: &mut Child) -> io::Result<T> {
    tokio::select! {
        biased;
        Some(sent) = waiting.recv() => Ok(sent),
        ended = child.wait() => Err(io::Error::other(format!("the process ended: {}", ended?))),
        () = tokio::time::sleep(PATIENCE) => Err(io::ErrorKind::TimedOut.into()),
    }
}

struct Api {
    /// The duration of each invocation, from which its deadline follows.
    time: Duration,
    /// The number of events sent so far, and the events still to be sent.
    waiting: Mutex<(usize, mpsc::UnboundedReceiver<Bytes>)>,
    polled: mpsc::UnboundedSender<Instant>,
    ended: mpsc::UnboundedSender<io::Result<Outcome>>,
}

impl Api {
    /// If nothing waits for the process any more, it is about to be killed.
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        if path.ends_with("/invocation/next") {
            self.polled.send(Instant::now()).ok();
            let (number, event) = self.event().await;
            let deadline = SystemTime::now() + self.time;
            let deadline_ms = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
            let invocation = Response::builder()
                .header("content-type", "application/json")
                .header("lambda-runtime-aws-request-id", format!("{REQUEST_ID}{number:012}"))
                .header("lambda-runtime-deadline-ms", deadline_ms.to_string())
                .header("lambda-runtime-invoked-function-arn", ARN);
            return invocation.body(whole(event)).map_err(io::Error::other);
        }
        let body = request.into_body().collect().await.expect("the body arrives").to_bytes();
        let at = Instant::now();
        let mut segments = path.rsplit('/');
        let kind = segments.next().expect("a path").to_owned();
        let number = segments.next().and_then(|id| id.strip_prefix(REQUEST_ID)).expect("the ID of an event");
        let event = number.parse().expect("a number");
        let outcome = serde_json::from_slice(&body).map(|body| Outcome { event, kind, body, at });
        self.ended.send(outcome.map_err(io::Error::from)).ok();
        let accepted = Response::builder().status(StatusCode::ACCEPTED);
        accepted.body(whole("")).map_err(io::Error::other)
    }

    /// The next event and its number.
    async fn event(&self) -> (usize, Bytes) {
        let (number, events) = &mut *self.waiting.lock().await;
        // Without a sender the process is about to be killed.
        let Some(event) = events.recv().await else { std::future::pending().await };
        *number += 1;
        (*number - 1, event)
    }
}
