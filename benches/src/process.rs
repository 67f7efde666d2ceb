//! A program's process, and what an invocation of it costs.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testing::runtime_api;
use testing::tables::REGION;

use crate::Failure;
use crate::database::Database;

/// Below the project's root, where `make` runs the bench, as all its files are.
const FUNCTION: &str = "target/release/customer-group-import";
const PYTHON: &str = ".local/aws/bin/python";

/// A program that handles the Runtime API's events.
#[derive(Clone)]
pub struct Program {
    pub name: &'static str,
    pub command: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    /// The time limit of an invocation.
    pub invocation: Duration,
}

impl Program {
    /// The function with its default settings, and more time than any import takes, even under valgrind.
    pub fn function() -> Self {
        let command = vec![FUNCTION.to_owned()];
        Self { name: "function", command, environment: vec![], invocation: Duration::from_secs(900) }
    }

    /// The handler in Python. `-B`: as on Lambda, nothing is written beside the handler.
    pub fn python() -> Self {
        let command = [PYTHON, "-B", "benches/python/runtime.py"].map(str::to_owned).to_vec();
        Self { name: "Python", command, ..Self::function() }
    }

    /// The same program with one more environment variable.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }
}

/// What something took. CPU time is that of all threads, kernel included.
#[derive(Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

/// A running program. It is killed when dropped.
pub struct Process {
    process: runtime_api::Process,
    /// From starting the process to its first poll.
    pub start: Cost,
}

impl Process {
    /// Starts a program without the bench's environment, and waits until it polls for an event.
    pub async fn start(program: &Program, database: &Database) -> Result<Self, Failure> {
        let (executable, arguments) = program.command.split_first().ok_or("no command")?;
        let mut command = runtime_api::command(executable);
        command
            .args(arguments)
            .envs(database.names.environment(&database.server.origin()))
            // For boto3.
            .env("AWS_DEFAULT_REGION", REGION)
            // The tenant is read only once, however long the bench runs.
            .env("TOKEN_CACHE_SECONDS", "86400")
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null());
        let started = Instant::now();
        let mut process = runtime_api::Process::spawn(command, program.invocation)
            .await
            .map_err(|error| format!("{executable} does not start: {error}"))?;
        let wall = process.poll().await? - started;
        let cpu = cpu_time(pid(&process)?)?;
        Ok(Self { process, start: Cost { wall, cpu } })
    }

    /// Lets the process handle an event, and returns its response. The wall time ends with the response, the CPU time
    /// with the next poll.
    pub async fn invoke(&mut self, event: &str) -> Result<(Cost, Value), Failure> {
        let pid = pid(&self.process)?;
        let event = event.to_owned().into();
        let before = cpu_time(pid)?;
        // The process is polling, so it receives the event now.
        let sent = Instant::now();
        self.process.send_text(event);
        let outcome = self.process.outcome().await?;
        self.process.poll().await?;
        let cpu = cpu_time(pid)? - before;
        if outcome.kind != "response" {
            return Err(format!("the invocation failed: {}", outcome.body).into());
        }
        Ok((Cost { wall: outcome.at - sent, cpu }, outcome.body))
    }

    /// The peak of resident memory so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        self.process.memory("VmHWM:")
    }

    /// Ends the process by a signal that lets valgrind write its counts.
    pub async fn end(mut self) -> Result<(), Failure> {
        kill(pid(&self.process)?, Signal::SIGTERM).map_err(io::Error::from)?;
        self.process.child.wait().await?;
        Ok(())
    }
}

fn pid(process: &runtime_api::Process) -> Result<Pid, Failure> {
    let id = process.child.id().ok_or("the process has ended")?;
    Ok(Pid::from_raw(id.try_into()?))
}

/// The CPU time that a process has spent so far, including threads that have ended. The clock counts nanoseconds, where
/// `/proc/PID/stat` counts in steps of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_time(process: Pid) -> Result<Duration, Failure> {
    Ok(nix::time::ClockId::pid_cpu_clock_id(process)?.now()?.into())
}

#[cfg(not(target_os = "linux"))]
fn cpu_time(_: Pid) -> Result<Duration, Failure> {
    Err("the CPU time of another process is read on Linux only".into())
}
