//! A function's process, and the cost of an invocation.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testing::memory::server::MemoryServer;
use testing::memory::{CUSTOMERS, MEMBERSHIPS, TENANTS};
use testing::runtime_api::{self, Times};

use crate::options::Options;
use crate::report::{PYTHON, THIS};
use crate::{Failure, machine};

pub const TIMES: Times = Times {
    // Far more than any request takes, even under valgrind: no program runs out of time.
    invocation: Duration::from_secs(900),
    patience: Duration::from_secs(300),
};

/// A program that handles the Runtime API's events.
#[derive(Clone)]
pub struct Program {
    pub name: &'static str,
    pub command: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// The function with its default settings.
    pub fn function(options: &Options) -> Self {
        Self { name: THIS, command: vec![options.function.as_os_str().into()], environment: vec![] }
    }

    /// The handler in Python.
    pub fn python(options: &Options) -> Self {
        let handler = concat!(env!("CARGO_MANIFEST_DIR"), "/python/runtime.py");
        // -B: as on Lambda, nothing is written beside the handler.
        let command = vec![options.python.as_os_str().into(), "-B".into(), handler.into()];
        Self { name: PYTHON, command, environment: vec![] }
    }
}

pub struct Process {
    process: runtime_api::Process,
    /// From the start of the process to its first poll.
    pub start: Duration,
}

/// One invocation.
pub struct Run {
    /// From sending the event to receiving the response.
    pub wall: Duration,
    /// The CPU time of the process until its next poll.
    pub cpu: Duration,
    pub response: Value,
}

impl Process {
    /// Starts a program without the bench's environment, and waits until it polls.
    pub async fn start(program: &Program, database: &MemoryServer) -> Result<Self, Failure> {
        Self::start_with(program, database, TIMES).await
    }

    /// The same, with other limits of time.
    pub async fn start_with(
        program: &Program,
        database: &MemoryServer,
        times: Times,
    ) -> Result<Self, Failure> {
        let (executable, arguments) = program.command.split_first().ok_or("no command")?;
        let mut command = runtime_api::command(executable);
        command
            .args(arguments)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("AWS_ENDPOINT_URL_DYNAMODB", database.endpoint())
            .env("TENANTS_TABLE", TENANTS)
            .env("CUSTOMERS_TABLE", CUSTOMERS)
            .env("MEMBERSHIPS_TABLE", MEMBERSHIPS)
            // The tenant is read only once, however long the run.
            .env("TOKEN_CACHE_SECONDS", "86400")
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null());
        let started = Instant::now();
        let mut process = runtime_api::Process::spawn(command, times)
            .await
            .map_err(|error| format!("{} does not start: {error}", executable.display()))?;
        let start = process.poll().await? - started;
        Ok(Self { process, start })
    }

    /// Lets the process handle an event, and waits until it polls for the next one.
    pub async fn invoke(&mut self, event: Bytes) -> Result<Run, Failure> {
        let before = self.cpu()?;
        // The process is polling, so it gets the event now.
        let handed_out = Instant::now();
        self.process.send_text(event);
        let outcome = self.process.outcome().await?;
        self.process.poll().await?;
        let cpu = self.cpu()? - before;
        if outcome.kind != "response" {
            return Err(format!("the invocation failed: {}", outcome.body).into());
        }
        Ok(Run { wall: outcome.at - handed_out, cpu, response: outcome.body })
    }

    /// The CPU time that the process has spent so far.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        machine::cpu_time(self.pid()?)
    }

    /// The peak of resident memory so far, in KiB.
    pub fn peak_memory(&self) -> Result<u64, Failure> {
        machine::peak_memory(self.pid()?)
    }

    /// Ends the process so that valgrind writes its counts.
    pub async fn end(mut self) -> Result<ExitStatus, Failure> {
        kill(self.pid()?, Signal::SIGTERM).map_err(io::Error::from)?;
        Ok(self.process.child.wait().await?)
    }

    fn pid(&self) -> Result<Pid, Failure> {
        let id = self.process.child.id().ok_or("the process has ended")?;
        Ok(Pid::from_raw(id.try_into()?))
    }
}
