//! The Lambda Runtime API, as Lambda serves it to a function's process.

use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

/// How long a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A function's process and the Runtime API that feeds it. Dropping it kills the process.
pub struct Process {
    pub child: Child,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Answered>,
}

/// What the process told the Runtime API about an event.
#[derive(Debug)]
pub struct Answered {
    /// Which event, counted from 0 in the order sent.
    pub event: usize,
    /// `response`, or `error` where the invocation failed.
    pub kind: String,
    pub body: Value,
}

impl Process {
    /// Starts `executable` with these variables and nothing else in its environment. Each of its
    /// invocations has `time`.
    pub async fn start(executable: &Path, environment: &[(&str, &str)], time: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = listener.local_addr().expect("an address").to_string();
        let (events, waiting) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, time, Arc::new(Mutex::new((0, waiting))), answered));
        let child = Command::new(executable)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        Self { child, events, answers }
    }

    /// Hands the process an event, without waiting for the answer.
    pub fn send(&self, event: Value) {
        self.events.send(event).expect("the Runtime API is served");
    }

    /// Has the process handle an event.
    pub async fn invoke(&mut self, event: Value) -> Answered {
        self.send(event);
        self.answered().await
    }

    /// Waits for the next answer.
    pub async fn answered(&mut self) -> Answered {
        let answered = tokio::time::timeout(PATIENCE, self.answers.recv()).await;
        answered.expect("an answer in time").expect("the Runtime API is served")
    }
}

/// The events still to be handed out, after how many that were.
type Waiting = Arc<Mutex<(usize, mpsc::UnboundedReceiver<Value>)>>;

/// The request IDs of the invocations: this, and the number of the event.
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-";

async fn serve(
    listener: TcpListener,
    time: Duration,
    events: Waiting,
    answered: mpsc::UnboundedSender<Answered>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (events, answered) = (Arc::clone(&events), answered.clone());
        let service = service_fn(move |request| answer(request, time, Arc::clone(&events), answered.clone()));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    request: Request<Incoming>,
    time: Duration,
    events: Waiting,
    answered: mpsc::UnboundedSender<Answered>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/invocation/next") {
        let (number, event) = {
            let (number, events) = &mut *events.lock().await;
            let Some(event) = events.recv().await else {
                return Ok(Response::new(Full::default()));
            };
            *number += 1;
            (*number - 1, event)
        };
        let deadline = SystemTime::now() + time;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let invocation = Response::builder()
            .header("lambda-runtime-aws-request-id", format!("{REQUEST_ID}{number:012}"))
            .header("lambda-runtime-deadline-ms", deadline_ms.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:f",
            );
        return Ok(invocation.body(Full::from(event.to_string())).expect("the parts are sound"));
    }
    let body = request.into_body().collect().await.expect("the body arrives").to_bytes();
    let mut segments = path.rsplit('/');
    let kind = segments.next().expect("a path").to_owned();
    let number = segments.next().and_then(|id| id.strip_prefix(REQUEST_ID)).expect("the ID of an event");
    let event = number.parse().expect("a number");
    let body = serde_json::from_slice(&body).expect("the process sends JSON");
    answered.send(Answered { event, kind, body }).expect("the test waits");
    Ok(Response::builder().status(StatusCode::ACCEPTED).body(Full::default()).expect("the parts are sound"))
}
