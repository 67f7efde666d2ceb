//! The time of an import: by size, by the duration of a call, by program.

use std::time::{Duration, Instant};

use crate::process::{Process, Program};
use crate::report::medians;
use crate::workload::{LARGEST, Matching, SIZES};
use crate::{Bench, Failure};

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

/// Measures each program in a process of its own.
pub async fn measure(bench: &Bench, time: Duration) -> Result<(), Failure> {
    println!("\n| records | matching | call, ms | program | imports | ms | CPU, ms | calls | peak MB |");
    println!("| ---: | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    let fuzzy = [0, 5].into_iter().flat_map(|delay| SIZES.map(|records| (records, Matching::Fuzzy, delay)));
    for (records, matching, delay_ms) in fuzzy.chain([(LARGEST, Matching::Exact, 5)]) {
        bench.database.set(delay_ms, None);
        let import = bench.workload.import(matching, records);
        for program in programs() {
            let mut process = Process::start(&program, &bench.database).await?;
            // Opens the connections and reads the tenant.
            import.run(&mut process, &bench.database).await?;
            let (mut costs, mut calls) = (vec![], 0);
            let begun = Instant::now();
            while costs.is_empty() || begun.elapsed() < time {
                let (cost, made) = import.run(&mut process, &bench.database).await?;
                costs.push(cost);
                calls = made.values().sum();
            }
            let [wall, cpu] = medians(&costs);
            let (name, imports) = (program.name, costs.len());
            let megabytes = process.peak_memory() as f64 * 1024.0 / 1e6;
            println!(
                "| {records:7} | {matching:?} | {delay_ms:8} | {name:>8} | {imports:7} | {wall:>5} | {cpu:>7} \
                 | {calls:5} | {megabytes:7.1} |"
            );
        }
    }
    bench.database.set(0, None);
    Ok(())
}
