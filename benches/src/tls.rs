//! The database over TLS, and how many handshakes imports make.

use std::fs;

use testing::serve::Transport;
use testing::tls::Tls;

use crate::calls::fewest;
use crate::database::Database;
use crate::process::{Process, Program};
use crate::report::Limits;
use crate::speed::IMPORTS;
use crate::workload::{Matching, SIZES};
use crate::{Bench, Failure};

/// The default limit of concurrent calls.
const CALLS_AT_A_TIME: usize = 32;

/// The file of the authorities to trust.
const TRUSTED: &str = "target/bench-certificates.pem";

/// The database over TLS.
pub async fn secured(bench: &Bench) -> Result<(Database, Tls), Failure> {
    let tls = Tls::new();
    let database = Database::start(Transport::Tls(tls.clone()), &bench.workload.world.customers).await?;
    fs::write(TRUSTED, tls.trusted())?;
    Ok((database, tls))
}

/// The function, which trusts the database.
pub fn program() -> Program {
    Program { name: "over TLS", ..Program::function().with("SSL_CERT_FILE", TRUSTED) }
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
        let mut process = Process::start(&program(), &database).await?;
        for _ in 0..IMPORTS {
            import.run(&mut process, &database).await?;
        }
        let made = tls.handshakes() - before;
        limits.at_most(&format!("TLS handshakes in {IMPORTS} imports, {records} records"), made, at_a_time);
    }
    Ok(())
}
