//! Imports into a table that throttles: failed records, and time and calls beside the least possible.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use testing::capacity::Capacity;

use crate::calls::BATCH_WRITE_ITEMS;
use crate::process::{Process, Program};
use crate::workload::{Import, LARGEST, Matching};
use crate::{Bench, Failure};

/// The throughput of a new on-demand table (Amazon DynamoDB developer guide): four partitions of 1,000 writes a second.
/// The burst of DynamoDB is longer, but consists only of unused capacity.
const PARTITIONS: usize = 4;
const WRITES: f64 = 1_000.0;
const BURST_SECONDS: f64 = 1.0;

/// The duration of a call.
const DELAY_MS: u64 = 5;

/// The time limit of the template's function.
const INVOCATION: Duration = Duration::from_secs(29);

/// How long imports go on without throttling before a table throttles again, and the writes that a partition of that one
/// takes in a second.
const CALM: Duration = Duration::from_secs(40);
const FEWER_WRITES: f64 = 125.0;

/// Runs imports of 5,000 records at once, each in its own process, which write even existing memberships; and one in a
/// process that was throttled before a calm.
pub async fn measure(bench: &Bench) -> Result<(), Failure> {
    bench.database.set(DELAY_MS, None);
    bench.database.reset(&BTreeSet::new()).await?;
    let import = bench.workload.import(Matching::Fuzzy, LARGEST);
    let program = Program { invocation: INVOCATION, ..Program::function().with("SKIP_UNCHANGED", "never") };
    let start = |processes| try_join_all((0..processes).map(|_| Process::start(&program, &bench.database)));
    println!("\n| imports at once | table | records failed | s | at least | writing calls | at least |");
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for at_once in [1, 2, 4, 8] {
        throttle(bench, &import, &mut start(at_once).await?, "new", WRITES).await?;
    }
    let mut process = start(1).await?;
    throttle(bench, &import, &mut process, "new", WRITES).await?;
    let started = Instant::now();
    while started.elapsed() < CALM {
        import.send(&mut process[0]).await?;
    }
    throttle(bench, &import, &mut process, "after calm", FEWER_WRITES).await?;
    bench.database.set(0, None);
    Ok(())
}

/// Runs an import in each process.
async fn throttle(
    bench: &Bench,
    import: &Import,
    processes: &mut [Process],
    table: &str,
    writes: f64,
) -> Result<(), Failure> {
    let at_once = processes.len();
    bench.database.take_calls()?;
    bench.database.set(DELAY_MS, Some(Capacity::new(PARTITIONS, writes, BURST_SECONDS)));
    let started = Instant::now();
    let sent = try_join_all(processes.iter_mut().map(|process| import.send(process))).await?;
    let seconds = started.elapsed().as_secs_f64();
    bench.database.set(DELAY_MS, None);
    let calls = bench.database.take_calls()?["BatchWriteItem"];
    let failed: usize = sent.iter().map(|(_, failed)| failed).sum();
    let memberships = at_once * import.after.len();
    let least = memberships as f64 / (PARTITIONS as f64 * writes);
    let fewest = at_once * import.after.len().div_ceil(BATCH_WRITE_ITEMS);
    println!("| {at_once} | {table} | {failed} | {seconds:.2} | {least:.2} | {calls} | {fewest} |");
    Ok(())
}
