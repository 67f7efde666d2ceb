//! Imports over TLS: the first one of a process, for which a caller waits after a cold start, and later ones; and how
//! many handshakes they make.

use std::fs;
use std::time::{Duration, Instant};

use testing::serve::Transport;
use testing::tls::Tls;

use crate::calls::fewest;
use crate::database::Database;
use crate::process::{Process, Program};
use crate::report::{Limits, medians};
use crate::workload::{LARGEST, Matching, SIZES};
use crate::{Bench, Failure};

/// The imports of a process.
const IMPORTS: usize = 4;

/// The default limit of concurrent calls.
const CALLS_AT_A_TIME: usize = 32;

/// The file of the authorities to trust.
const TRUSTED: &str = "target/bench-certificates.pem";

/// The database over TLS.
async fn secured(bench: &Bench) -> Result<(Database, Tls), Failure> {
    let tls = Tls::new();
    let database = Database::start(Transport::Tls(tls.clone()), &bench.workload.world.customers).await?;
    fs::write(TRUSTED, tls.trusted())?;
    Ok((database, tls))
}

/// Starts a process that trusts the database.
async fn start(database: &Database) -> Result<Process, Failure> {
    Process::start(&Program::function().with("SSL_CERT_FILE", TRUSTED), database).await
}

/// Measures processes until their first poll, their first import, and later ones.
pub async fn measure(bench: &Bench, time: Duration) -> Result<(), Failure> {
    println!(
        "\n| records | call, ms | processes | start, ms | CPU, ms | first import, ms | CPU, ms | later, ms | CPU, ms |"
    );
    println!("|{}", " ---: |".repeat(9));
    let (database, _) = secured(bench).await?;
    for (records, delay_ms) in [(1, 5), (LARGEST, 5), (LARGEST, 0)] {
        database.set(delay_ms, None);
        let import = bench.workload.import(Matching::Fuzzy, records);
        let (mut starts, mut firsts, mut later) = (vec![], vec![], vec![]);
        let begun = Instant::now();
        while starts.is_empty() || begun.elapsed() < time {
            let mut process = start(&database).await?;
            starts.push(process.start);
            firsts.push(import.run(&mut process, &database).await?.0);
            for _ in 1..IMPORTS {
                later.push(import.run(&mut process, &database).await?.0);
            }
        }
        let processes = starts.len();
        let costs = [&starts, &firsts, &later].map(|costs| medians(costs).join(" | ")).join(" | ");
        println!("| {records} | {delay_ms} | {processes} | {costs} |");
    }
    Ok(())
}

/// Checks that a process makes a handshake for each call at a time, not for each call. Without a delay, where connections
/// become free while others are opened.
pub async fn check(bench: &Bench, limits: &mut Limits) -> Result<(), Failure> {
    let (database, tls) = secured(bench).await?;
    for records in SIZES {
        let import = bench.workload.import(Matching::Fuzzy, records);
        let fewest = fewest(&import);
        let look_ups = fewest["ExecuteStatement"] + fewest["BatchGetItem"];
        let at_a_time = look_ups.max(fewest["BatchWriteItem"]).min(CALLS_AT_A_TIME);
        let before = tls.handshakes();
        let mut process = start(&database).await?;
        for _ in 0..IMPORTS {
            import.run(&mut process, &database).await?;
        }
        let made = tls.handshakes() - before;
        limits.at_most(&format!("TLS handshakes in {IMPORTS} imports, {records} records"), made, at_a_time);
    }
    Ok(())
}
