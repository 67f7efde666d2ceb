//! Imports into a table that throttles: failed records, and time and calls relative to the
//! minimum.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testing::capacity::Capacity;
use testing::runtime_api::Times;

use crate::Failure;
use crate::measure::{Bench, Import};
use crate::options::Options;
use crate::process::{Process, Program, TIMES};
use crate::report;
use crate::workload::{LARGEST, Matching, Scenario};

/// The throughput of a new on-demand table (Amazon DynamoDB developer guide): four partitions of 1,000 writes a second.
/// The burst of DynamoDB is longer, but consists only of unused capacity.
const PARTITIONS: usize = 4;
const WRITES_PER_PARTITION: f64 = 1_000.0;
const BURST_SECONDS: f64 = 1.0;

/// The duration of a call.
const DELAY_MS: u64 = 5;

/// The time limit of the template's function.
const INVOCATION: Duration = Duration::from_secs(29);

const AT_ONCE: [usize; 4] = [1, 2, 4, 8];

/// The maximum items of a `BatchWriteItem`.
const BATCH: usize = 25;

/// How long imports go on without throttling before a table throttles again, and what that one takes.
const CALM: Duration = Duration::from_secs(40);
const FEWER_WRITES_PER_PARTITION: f64 = 125.0;

/// Concurrent imports of 5,000 records, each in its own process.
pub struct Throttled {
    at_once: usize,
    failed: u64,
    seconds: f64,
    /// Units divided by capacity.
    floor: f64,
    calls: usize,
    fewest: usize,
}

/// Runs concurrent imports, which write even existing memberships.
pub async fn measure(bench: &Bench, options: &Options) -> Result<Vec<Throttled>, Failure> {
    let import = import(bench);
    let mut all = Vec::new();
    for at_once in AT_ONCE {
        eprintln!("{at_once} imports at once into a table that throttles");
        let mut processes = start(bench, options, at_once).await?;
        all.push(run(bench, &import, &mut processes, WRITES_PER_PARTITION).await?);
        end(bench, processes).await?;
    }
    Ok(all)
}

/// Runs an import in a process that was throttled, but not in the last 40 seconds of imports, into a smaller table.
pub async fn measure_again(bench: &Bench, options: &Options) -> Result<Vec<Throttled>, Failure> {
    eprintln!("an import into a table that throttles again after {} s", CALM.as_secs());
    let import = import(bench);
    let mut processes = start(bench, options, 1).await?;
    run(bench, &import, &mut processes, WRITES_PER_PARTITION).await?;
    let started = Instant::now();
    while started.elapsed() < CALM {
        import.failed(&processes[0].invoke(import.event()).await?.response)?;
    }
    let throttled = run(bench, &import, &mut processes, FEWER_WRITES_PER_PARTITION).await?;
    end(bench, processes).await?;
    Ok(vec![throttled])
}

fn import(bench: &Bench) -> Import {
    let scenario = Scenario { matching: Matching::Fuzzy, dry_run: false, records: LARGEST };
    Import::new(&bench.workload, scenario)
}

async fn start(bench: &Bench, options: &Options, processes: usize) -> Result<Vec<Process>, Failure> {
    let program =
        Program { environment: vec![("SKIP_UNCHANGED", "never".into())], ..Program::function(options) };
    let times = Times { invocation: INVOCATION, ..TIMES };
    bench.database.delay(DELAY_MS);
    bench.database.memory().reset([]);
    try_join_all((0..processes).map(|_| Process::start_with(&program, &bench.database, times))).await
}

async fn end(bench: &Bench, processes: Vec<Process>) -> Result<(), Failure> {
    bench.database.delay(0);
    for process in processes {
        process.end().await?;
    }
    Ok(())
}

/// Runs an import in each process.
async fn run(
    bench: &Bench,
    import: &Import,
    processes: &mut [Process],
    writes_per_partition: f64,
) -> Result<Throttled, Failure> {
    let at_once = processes.len();
    bench.database.take_tally();
    bench.database.limit_writes(Some(Capacity::new(PARTITIONS, writes_per_partition, BURST_SECONDS)));
    let started = Instant::now();
    let runs = try_join_all(processes.iter_mut().map(|process| process.invoke(import.event()))).await?;
    let seconds = started.elapsed().as_secs_f64();
    bench.database.limit_writes(None);
    let tally = bench.database.take_tally();
    let mut failed = 0;
    for run in runs {
        failed += import.failed(&run.response)?;
    }
    let memberships = import.expected.memberships.len();
    Ok(Throttled {
        at_once,
        failed,
        seconds,
        floor: (at_once * memberships) as f64 / (PARTITIONS as f64 * writes_per_partition),
        calls: tally.calls.get("BatchWriteItem").copied().unwrap_or_default(),
        fewest: at_once * memberships.div_ceil(BATCH),
    })
}

pub fn json(all: &[Throttled]) -> Value {
    all.iter()
        .map(|run| {
            json!({
                "importsAtOnce": run.at_once,
                "records": LARGEST,
                "recordsFailed": run.failed,
                "seconds": run.seconds,
                "secondsAtLeast": run.floor,
                "writingCalls": run.calls,
                "writingCallsAtLeast": run.fewest,
            })
        })
        .collect()
}

pub fn table(all: &[Throttled]) -> String {
    let head =
        ["imports at once", "records failed", "s", "s at least", "x", "writing calls", "at least", "x"];
    let rows = all.iter().map(|run| {
        vec![
            run.at_once.to_string(),
            run.failed.to_string(),
            format!("{:.2}", run.seconds),
            format!("{:.2}", run.floor),
            format!("{:.2}", run.seconds / run.floor),
            run.calls.to_string(),
            run.fewest.to_string(),
            format!("{:.2}", run.calls as f64 / run.fewest as f64),
        ]
    });
    report::table(&head, rows)
}
