//! What an import costs: the function's process behind a Runtime API, in front of a DynamoDB of hash maps.
//!
//! `make bench` measures times, `make bench ARGS=--check` compares with limits what does not depend on how busy the machine
//! is: see `benches/README.md`.
//!
//! # Layout
//!
//! - `database`: a DynamoDB of hash maps, and the calls of it
//! - `workload`: the imports and their expected results
//! - `process`: a program's process, and what an invocation of it costs
//! - `speed`: programs side by side; `tls`: handshakes
//! - `throttled`: imports into a table whose capacity they exceed
//! - `shared`: values that thousands of customers share
//! - `calls`, `instructions`: of the database, and of the processor
//! - `report`: medians, and values beside their limits

mod calls;
mod database;
mod instructions;
mod process;
mod report;
mod shared;
mod speed;
mod throttled;
mod tls;
mod workload;

use std::error::Error;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::Long;
use testing::serve::Transport;

use crate::database::Database;
use crate::report::Limits;
use crate::workload::Workload;

/// Why the bench ended early, as a message for the user.
type Failure = Box<dyn Error>;

/// The imports, and the database that they run against.
struct Bench {
    workload: Workload,
    database: Database,
}

// One thread, so that a machine with two cores has one left for the function.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // Whether to compare with the limits; whether the present instructions are the new ones; and how long each program
    // runs in each scenario.
    let (mut check, mut update, mut seconds) = (false, false, 5.0);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("check") => check = true,
            Long("update") => (check, update) = (true, true),
            Long("seconds") => seconds = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let workload = Workload::new();
    let database = Database::start(Transport::Plain, &workload.world.customers).await?;
    let bench = Bench { workload, database };
    let mut limits = Limits::default();
    if check {
        speed::check(&bench).await?;
        calls::check(&bench, &mut limits).await?;
        tls::check(&bench, &mut limits).await?;
        instructions::check(&bench, update, &mut limits).await?;
    } else {
        speed::measure(&bench, Duration::from_secs_f64(seconds)).await?;
        throttled::measure(&bench).await?;
    }
    shared::check(&mut limits).await?;
    limits.sum()
}
