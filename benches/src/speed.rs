//! The time of an import: by size, by the duration of a call, by program; and over TLS.

use std::time::{Duration, Instant};

use crate::database::Database;
use crate::process::{Process, Program};
use crate::report::medians;
use crate::workload::{Import, LARGEST, Matching, SIZES};
use crate::{Bench, Failure, tls};

/// The imports of a process: a first one, for which a caller waits after a cold start, and later ones.
pub const IMPORTS: usize = 4;

/// The programs that are measured side by side.
fn programs() -> [Program; 3] {
    let query = Program { name: "query", ..Program::function().with("IDENTITY_LOOKUP", "query") };
    [Program::function(), query, Program::python()]
}

/// Lets each program run an import of each kind, whose result is checked.
pub async fn check(bench: &Bench) -> Result<(), Failure> {
    for program in programs() {
        let mut process = Process::start(&program, &bench.database).await?;
        for matching in [Matching::Fuzzy, Matching::Exact] {
            bench.workload.import(matching, 100).run(&mut process, &bench.database).await?;
        }
    }
    Ok(())
}

/// Measures processes of each program for some time, or one of them if that takes longer.
pub async fn measure(bench: &Bench, time: Duration) -> Result<(), Failure> {
    println!(
        "\n| records | matching | call, ms | program | processes | start, ms | CPU, ms | first import, ms | CPU, ms \
         | later, ms | CPU, ms | calls | peak MB |"
    );
    println!("| ---: | --- | ---: | --- |{}", " ---: |".repeat(9));
    let fuzzy = [0, 5].into_iter().flat_map(|delay| SIZES.map(|records| (records, Matching::Fuzzy, delay)));
    for (records, matching, delay_ms) in fuzzy.chain([(LARGEST, Matching::Exact, 5)]) {
        let import = bench.workload.import(matching, records);
        for program in programs() {
            print!("| {records} | {matching:?} | {delay_ms} ");
            of_program(&program, &bench.database, &import, delay_ms, time).await?;
        }
    }
    bench.database.set(0, None);
    let (database, _) = tls::secured(bench).await?;
    for (records, delay_ms) in [(1, 5), (LARGEST, 5), (LARGEST, 0)] {
        let import = bench.workload.import(Matching::Fuzzy, records);
        print!("| {records} | {:?} | {delay_ms} ", Matching::Fuzzy);
        of_program(&tls::program(), &database, &import, delay_ms, time).await?;
    }
    Ok(())
}

async fn of_program(
    program: &Program,
    database: &Database,
    import: &Import,
    delay_ms: u64,
    time: Duration,
) -> Result<(), Failure> {
    database.set(delay_ms, None);
    let (mut starts, mut firsts, mut later, mut calls, mut peak) = (vec![], vec![], vec![], 0, 0);
    let begun = Instant::now();
    while starts.is_empty() || begun.elapsed() < time {
        let mut process = Process::start(program, database).await?;
        starts.push(process.start);
        firsts.push(import.run(&mut process, database).await?.0);
        for _ in 1..IMPORTS {
            let (cost, made) = import.run(&mut process, database).await?;
            later.push(cost);
            calls = made.values().sum();
        }
        peak = peak.max(process.peak_memory());
    }
    let costs = [&starts, &firsts, &later].map(|costs| medians(costs).join(" | ")).join(" | ");
    let (name, processes, megabytes) = (program.name, starts.len(), peak as f64 * 1024.0 / 1e6);
    println!("| {name} | {processes} | {costs} | {calls} | {megabytes:.1} |");
    Ok(())
}
