//! Programs side by side: the same imports, one program after the other, again and again.

use std::time::Duration;

use hyper::body::Bytes;
use serde_json::Value;

use crate::Failure;
use crate::double::{Calls, Double, Tally};
use crate::process::{Process, Program, Run};
use crate::workload::{Expected, Scenario, Workload};

/// Runs before those that count: connections are opened, the tenant is read.
const WARM_UP: usize = 2;

/// Runs that count, whatever time they take, and the most of them.
const LEAST_RUNS: usize = 3;
const MOST_RUNS: usize = 1_000;

/// What one program was measured to do in one scenario.
pub struct Cell {
    pub delay_ms: u64,
    pub scenario: Scenario,
    pub program: &'static str,
    /// From the start of the process to its first poll.
    pub start: Duration,
    /// One each a run, in rising order.
    pub walls: Vec<Duration>,
    pub cpus: Vec<Duration>,
    /// Of one run.
    pub calls: Calls,
    /// In KiB, over all runs.
    pub peak_memory: u64,
}

/// What the programs are measured with.
pub struct Bench {
    pub workload: Workload,
    pub double: Double,
    /// The running time of one program in one scenario.
    pub time: Duration,
}

impl Bench {
    /// Measures the programs in a scenario, each in a fresh process.
    ///
    /// The program that has run for the least time so far is run next, so that whatever else the
    /// machine does meets all of them, and each gets the same time.
    pub async fn measure(
        &self,
        scenario: Scenario,
        delay_ms: u64,
        programs: &[Program],
    ) -> Result<Vec<Cell>, Failure> {
        self.double.delay(delay_ms);
        let import = Import::new(&self.workload, scenario);
        let mut runners = Vec::new();
        for program in programs {
            let mut process = Process::start(program, &self.double).await?;
            for _ in 0..WARM_UP {
                import.run(&mut process, &self.double).await.map_err(|error| named(program.name, error))?;
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
            let ran = import.run(&mut runner.process, &self.double).await;
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

/// An import that can be run again and again.
pub struct Import {
    event: Bytes,
    pub expected: Expected,
}

impl Import {
    pub fn new(workload: &Workload, scenario: Scenario) -> Self {
        Self { event: workload.event(scenario).into(), expected: workload.expected(scenario) }
    }

    /// Runs the import where none of its memberships is in place, and checks what came of it: a
    /// wrong program is not measured.
    pub async fn run(&self, process: &mut Process, double: &Double) -> Result<(Run, Tally), Failure> {
        let (run, tally) = self.run_once(process, double).await?;
        if tally.written != self.expected.written {
            let (written, expected) = (tally.written.len(), self.expected.written.len());
            return Err(format!("wrote {written} memberships, not the expected {expected}").into());
        }
        Ok((run, tally))
    }

    /// Runs the import and checks its answer.
    pub async fn run_once(&self, process: &mut Process, double: &Double) -> Result<(Run, Tally), Failure> {
        double.take_tally();
        let run = process.invoke(self.event.clone()).await?;
        self.check(&run.answer)?;
        Ok((run, double.take_tally()))
    }

    fn check(&self, reply: &[u8]) -> Result<(), Failure> {
        let reply: Value = serde_json::from_slice(reply)?;
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
