//! Compares programs: the same imports, repeated, in alternation between the programs.

use std::collections::HashSet;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::Value;
use testing::memory::Membership;
use testing::memory::server::{Calls, MemoryServer, Tally};

use crate::Failure;
use crate::process::{Process, Program, Run};
use crate::workload::{Expected, Scenario, Workload};

/// Warm-up runs: connections are opened, the tenant is read.
const WARM_UP: usize = 2;

/// The minimum of measured runs, whatever time they take, and the maximum.
const LEAST_RUNS: usize = 3;
const MOST_RUNS: usize = 1_000;

/// The measurements of one program in one scenario.
pub struct Cell {
    pub delay_ms: u64,
    pub scenario: Scenario,
    pub program: &'static str,
    /// From the start of the process to its first poll.
    pub start: Duration,
    /// One per run, in ascending order.
    pub walls: Vec<Duration>,
    pub cpus: Vec<Duration>,
    /// Of one run.
    pub calls: Calls,
    /// In KiB, over all runs.
    pub peak_memory: u64,
}

/// The environment of the measurements.
pub struct Bench {
    pub workload: Workload,
    pub database: MemoryServer,
    /// The running time of one program in one scenario.
    pub time: Duration,
}

impl Bench {
    /// Measures the programs in a scenario, each in a fresh process.
    ///
    /// The program that has run for the least time so far is run next, so that other load on the
    /// machine affects all of them, and each gets the same time.
    pub async fn measure(
        &self,
        scenario: Scenario,
        delay_ms: u64,
        programs: &[Program],
    ) -> Result<Vec<Cell>, Failure> {
        self.database.delay(delay_ms);
        let import = Import::new(&self.workload, scenario);
        let mut runners = Vec::new();
        for program in programs {
            let mut process = Process::start(program, &self.database).await?;
            for _ in 0..WARM_UP {
                import.run(&mut process, &self.database).await.map_err(|error| named(program.name, error))?;
            }
            let cell = Cell {
                delay_ms,
                scenario,
                program: program.name,
                start: process.start,
                walls: Vec::new(),
                cpus: Vec::new(),
                calls: Calls::new(),
                peak_memory: 0,
            };
            runners.push(Runner { process, cell, spent: Duration::ZERO });
        }
        let due = |runner: &&mut Runner| match runner.cell.walls.len() {
            ..LEAST_RUNS => true,
            runs => runs < MOST_RUNS && runner.spent < self.time,
        };
        while let Some(runner) = runners.iter_mut().filter(due).min_by_key(|runner| runner.spent) {
            let ran = import.run(&mut runner.process, &self.database).await;
            let (run, tally) = ran.map_err(|error| named(runner.cell.program, error))?;
            runner.spent += run.wall;
            runner.cell.walls.push(run.wall);
            runner.cell.cpus.push(run.cpu);
            runner.cell.calls = tally.calls;
        }
        let mut cells = Vec::new();
        for Runner { process, mut cell, .. } in runners {
            cell.peak_memory = process.peak_memory()?;
            cell.walls.sort_unstable();
            cell.cpus.sort_unstable();
            process.end().await?;
            cells.push(cell);
        }
        Ok(cells)
    }
}

struct Runner {
    process: Process,
    cell: Cell,
    spent: Duration,
}

fn named(program: &str, error: Failure) -> Failure {
    format!("{program}: {error}").into()
}

/// An import that can be run repeatedly.
pub struct Import {
    event: Bytes,
    pub expected: Expected,
    /// The memberships that are stored before each run.
    pub before: HashSet<Membership>,
}

impl Import {
    pub fn new(workload: &Workload, scenario: Scenario) -> Self {
        let (event, expected) = (workload.event(scenario).into(), workload.expected(scenario));
        Self { event, expected, before: HashSet::new() }
    }

    pub fn event(&self) -> Bytes {
        self.event.clone()
    }

    /// How many records failed that should not have.
    pub fn failed(&self, reply: &Value) -> Result<u64, Failure> {
        let body: Value = serde_json::from_str(reply["body"].as_str().unwrap_or_default())?;
        let failed = body["data"]["importFailNum"].as_u64();
        Ok(failed.ok_or_else(|| format!("no result: {}", body["errorCode"]))? - self.expected.failed as u64)
    }

    /// Runs the import, and checks its result: an incorrect program is not measured.
    pub async fn run(&self, process: &mut Process, database: &MemoryServer) -> Result<(Run, Tally), Failure> {
        database.memory().reset(self.before.clone());
        database.take_tally();
        let run = process.invoke(self.event.clone()).await?;
        let tally = database.take_tally();
        if let Some(violation) = tally.violations.first() {
            return Err(format!("the database rejected {violation}").into());
        }
        self.check(&run.response)?;
        let stored = database.memory().memberships();
        if stored != self.expected.memberships {
            let (stored, expected) = (stored.len(), self.expected.memberships.len());
            return Err(format!("{stored} memberships are stored, not the expected {expected}").into());
        }
        Ok((run, tally))
    }

    fn check(&self, reply: &Value) -> Result<(), Failure> {
        let body: Value = serde_json::from_str(reply["body"].as_str().unwrap_or_default())?;
        let data = &body["data"];
        let errors = data["errorData"].as_array().map_or(0, Vec::len);
        let counts = [&data["importSuccessNum"], &data["importFailNum"]].map(Value::as_u64);
        let expected = [self.expected.succeeded, self.expected.failed];
        if reply["statusCode"] != 200
            || counts != expected.map(|count| Some(count as u64))
            || errors != self.expected.failed
        {
            let answered = format!("{} {}: {counts:?}", body["code"], body["errorCode"]);
            return Err(format!("answered {answered} with {errors} errors, not {expected:?}").into());
        }
        Ok(())
    }
}
