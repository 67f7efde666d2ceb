//! A function's process, and the Lambda Runtime API that feeds it.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::double::{CUSTOMERS_TABLE, Double, MEMBERSHIPS_TABLE, TENANTS_TABLE};
use crate::{Failure, machine};

/// Far more than any request takes, under valgrind too: no program cuts its work short.
const TIME: Duration = Duration::from_secs(900);

/// How long the bench waits for a process that may have died.
const PATIENCE: Duration = Duration::from_secs(300);

/// Something that serves the Runtime API's events.
pub struct Program {
    pub name: &'static str,
    pub command: Vec<OsString>,
    pub environment: Vec<(&'static str, &'static str)>,
}

pub struct Process {
    child: Child,
    polls: mpsc::UnboundedReceiver<oneshot::Sender<Bytes>>,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// Takes the event that the process waits for.
    poll: Option<oneshot::Sender<Bytes>>,
    /// From the start of the process to its first poll.
    pub start: Duration,
}

/// One invocation.
pub struct Run {
    /// From the event handed out to the answer received.
    pub wall: Duration,
    /// What the process spent until it was back for the next event.
    pub cpu: Duration,
    pub answer: Bytes,
}

struct Answer {
    at: Instant,
    /// `response`, or `error` where the invocation failed.
    kind: String,
    body: Bytes,
}

impl Process {
    /// Starts a program with nothing of the bench's environment, and waits until it polls.
    pub async fn start(program: &Program, double: &Double) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let api = listener.local_addr()?.to_string();
        let (poll_sender, mut polls) = mpsc::unbounded_channel();
        let (answer_sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(serve(listener, Arc::new(Senders { polls: poll_sender, answers: answer_sender })));

        let (executable, arguments) = program.command.split_first().ok_or("no command")?;
        let started = Instant::now();
        let mut child = Command::new(executable)
            .args(arguments)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("AWS_ENDPOINT_URL_DYNAMODB", &double.endpoint)
            .env("TENANTS_TABLE", TENANTS_TABLE)
            .env("CUSTOMERS_TABLE", CUSTOMERS_TABLE)
            .env("MEMBERSHIPS_TABLE", MEMBERSHIPS_TABLE)
            // No request of a long run asks for the tenant again.
            .env("TOKEN_CACHE_SECONDS", "86400")
            .envs(program.environment.iter().copied())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", executable.display()))?;
        let poll = next(&mut polls, &mut child).await?;
        Ok(Self { child, polls, answers, poll: Some(poll), start: started.elapsed() })
    }

    /// Has the process handle an event, and waits until it asks for the next one.
    pub async fn invoke(&mut self, event: Bytes) -> Result<Run, Failure> {
        let cpu = machine::cpu_time(self.pid()?)?;
        let poll = self.poll.take().ok_or("the process asks for no event")?;
        let handed_out = Instant::now();
        poll.send(event).map_err(|_| "the process is gone")?;
        let answer = next(&mut self.answers, &mut self.child).await?;
        self.poll = Some(next(&mut self.polls, &mut self.child).await?);
        if answer.kind != "response" {
            return Err(format!("the invocation failed: {}", String::from_utf8_lossy(&answer.body)).into());
        }
        Ok(Run {
            wall: answer.at - handed_out,
            cpu: machine::cpu_time(self.pid()?)? - cpu,
            answer: answer.body,
        })
    }

    /// The most memory that was resident at a time so far, in KiB.
    pub fn peak_memory(&self) -> Result<u64, Failure> {
        machine::peak_memory(self.pid()?)
    }

    /// Ends the process in a way that lets valgrind write down what it counted.
    pub async fn end(mut self) -> Result<ExitStatus, Failure> {
        kill(self.pid()?, Signal::SIGTERM).map_err(io::Error::from)?;
        Ok(self.child.wait().await?)
    }

    fn pid(&self) -> Result<Pid, Failure> {
        let id = self.child.id().ok_or("the process is gone")?;
        Ok(Pid::from_raw(id.try_into()?))
    }
}

/// Waits for what a process is to send.
async fn next<T>(waiting: &mut mpsc::UnboundedReceiver<T>, child: &mut Child) -> Result<T, Failure> {
    tokio::select! {
        sent = waiting.recv() => Ok(sent.ok_or("the Runtime API is gone")?),
        ended = child.wait() => Err(format!("the process ended: {}", ended?).into()),
        () = tokio::time::sleep(PATIENCE) => Err("the process does nothing".into()),
    }
}

struct Senders {
    polls: mpsc::UnboundedSender<oneshot::Sender<Bytes>>,
    answers: mpsc::UnboundedSender<Answer>,
}

async fn serve(listener: TcpListener, senders: Arc<Senders>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        let senders = Arc::clone(&senders);
        let service = service_fn(move |request| answer(request, Arc::clone(&senders)));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    senders: Arc<Senders>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/invocation/next") {
        let (poll, event) = oneshot::channel();
        senders.polls.send(poll).ok();
        // The bench is at its end when it drops the poll.
        let event = event.await.unwrap_or_default();
        let deadline = SystemTime::now() + TIME;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        return Ok(Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline_ms.to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
            .body(Full::from(event))
            .expect("BUG: the headers are valid"));
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
    senders.answers.send(Answer { at: Instant::now(), kind, body }).ok();
    Ok(Response::builder()
        .status(StatusCode::ACCEPTED)
        .body(Full::default())
        .expect("BUG: the status is valid"))
}
