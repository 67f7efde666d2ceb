//! What the function costs: measured behind a Runtime API, in front of a DynamoDB of hash maps.
//!
//! `make bench` runs it, `make bench-ci` runs its deterministic part; `benches/README.md`
//! describes what is measured and how.
//!
//! # Layout
//!
//! - `workload`: the imports and their expected results
//! - `process`: a function's process, and the cost of an invocation
//! - `measure`: programs side by side; `report`: its tables, and JSON
//! - `resync`: the cost of memberships that exist already
//! - `shared`: values that thousands of customers share
//! - `throttled`: imports into a table whose capacity they exceed
//! - `tls`: the first imports of a process and later ones, over TLS
//! - `limits`: calls and instructions compared with their limits
//! - `machine`: figures of process and system; `options`: the flags

mod limits;
mod machine;
mod measure;
mod options;
mod process;
mod report;
mod resync;
mod shared;
mod throttled;
mod tls;
mod workload;

use std::fs;
use std::process::ExitCode;

use serde_json::Value;
use testing::memory::server::MemoryServer;

use crate::machine::{Machine, Size};
use crate::measure::Bench;
use crate::options::{Action, Options};
use crate::process::Program;
use crate::report::{QUERY, Report};
use crate::workload::{LARGEST, Matching, SIZES, Scenario, Workload};

/// Why the bench ended early, as a message for the user.
type Failure = Box<dyn std::error::Error>;

// One thread, so that a machine with two cores has one left for the function.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match act().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn act() -> Result<ExitCode, Failure> {
    let options = Options::parse()?;
    let workload = Workload::new();
    let database = MemoryServer::start(workload.memory()).await?;
    let bench = Bench { workload, database, time: options.time };
    match options.action {
        Action::Limits { update } => limits::check(&bench, &options, update).await,
        Action::Measure => measure(&bench, &options).await.map(|()| ExitCode::SUCCESS),
        Action::Tls => tls(&bench, &options).await.map(|_| ExitCode::SUCCESS),
        Action::Throttled => {
            throttled(&bench, &options).await?;
            throttled_again(&bench, &options).await.map(|_| ExitCode::SUCCESS)
        }
    }
}

async fn measure(bench: &Bench, options: &Options) -> Result<(), Failure> {
    let programs = [
        Program::function(options),
        Program {
            name: QUERY,
            environment: vec![("IDENTITY_LOOKUP", "query".into())],
            ..Program::function(options)
        },
        Program::python(options),
    ];
    let size = Size::of(&options.function, &options.python, &options.out).await?;
    let mut cells = Vec::new();
    for (delay_ms, scenario) in scenarios() {
        let Scenario { matching, records, dry_run } = scenario;
        let what = if dry_run { "look-ups alone" } else { "import" };
        eprintln!("{records} records, {} matching, {what}, {delay_ms} ms a call", matching.name());
        cells.extend(bench.measure(scenario, delay_ms, &programs).await?);
    }
    let report = Report { machine: Machine::this(), size, cells };
    println!("{}", report.tables());
    let mut run = report.json();
    let resyncs = resync::measure(bench, options).await?;
    println!("{}", resync::table(&resyncs));
    run["resync"] = resync::json(&resyncs);
    println!("{}", shared::table(&shared::measure(options).await?));
    run["tls"] = tls(bench, options).await?;
    run["throttled"] = throttled(bench, options).await?;
    run["throttledAgain"] = throttled_again(bench, options).await?;
    let file = options.out.join("bench.json");
    fs::write(&file, format!("{run:#}\n"))?;
    println!("Also in {}.", file.display());
    Ok(())
}

/// Prints what it measures, and returns it as JSON.
async fn tls(bench: &Bench, options: &Options) -> Result<Value, Failure> {
    let cells = tls::measure(bench, options).await?;
    println!("{}", tls::table(&cells));
    Ok(tls::json(&cells))
}

/// Likewise.
async fn throttled(bench: &Bench, options: &Options) -> Result<Value, Failure> {
    let runs = throttled::measure(bench, options).await?;
    println!("{}", throttled::table(&runs));
    Ok(throttled::json(&runs))
}

/// Likewise.
async fn throttled_again(bench: &Bench, options: &Options) -> Result<Value, Failure> {
    let runs = throttled::measure_again(bench, options).await?;
    println!("{}", throttled::table(&runs));
    Ok(throttled::json(&runs))
}

fn scenarios() -> Vec<(u64, Scenario)> {
    let mut scenarios = Vec::new();
    for matching in [Matching::Fuzzy, Matching::Exact] {
        for delay_ms in [0, 5] {
            for records in SIZES {
                scenarios.push((delay_ms, Scenario { matching, dry_run: false, records }));
            }
        }
        scenarios.push((0, Scenario { matching, dry_run: true, records: LARGEST }));
    }
    scenarios
}
