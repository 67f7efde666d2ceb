//! The whole service on one machine: an embedded DynamoDB with demo data, and the function behind HTTP.
//!
//! `make local` runs it and installs what it needs; `--help` lists the flags. For Linux and macOS.
//!
//! # Layout
//!
//! - `options`: the flags; `ports`: that the ports are free
//! - `embedded`: the database; `tables`: its tables, from `template.yaml`; `demo`: what is in them
//! - `compile` and `function`: the function and the emulated Lambda; `processes`: that none is left behind
//! - `guide`: the commands to paste; `show`: what the function has written

mod compile;
mod function;
mod guide;
mod options;
mod ports;
mod processes;
mod show;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use dynoxide::Database;
use testing::demo;
use tokio::signal::unix::{SignalKind, signal};

use crate::function::Running;
use crate::options::{Action, HELP, Options};
use crate::ports::Reserved;
use testing::embedded::{self, Embedded};
use testing::tables::{self, TableNames};

#[tokio::main]
async fn main() -> ExitCode {
    match act().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn act() -> Result<(), Box<dyn Error>> {
    let options = Options::parse().map_err(|error| format!("{error}; --help lists the flags"))?;
    let names = TableNames::prefixed("demo-");
    match options.action {
        Action::Help => println!("{HELP}"),
        Action::Show => show::memberships(options.db_port, &names).await?,
        // Whichever comes first, the other is dropped, and with it every process and server that it started.
        Action::Run => tokio::select! {
            failed = run(&options, &names) => failed?,
            interrupted = interrupted() => interrupted?,
        },
    }
    Ok(())
}

/// Starts everything and returns only when something has failed.
async fn run(options: &Options, names: &TableNames) -> Result<(), Box<dyn Error>> {
    let db_port = Reserved::take(options.db_port, "--db-port")?;
    let port = Reserved::take(options.port, "--port")?;

    let executable = compile::function().await?;

    let database = match &options.file {
        Some(path) => Database::new(&path.to_string_lossy())
            .map_err(|error| format!("{} cannot hold the database: {error}", path.display()))?,
        None => Database::memory()?,
    };
    let db_port = db_port.release();
    let embedded = Embedded::start(database, db_port).await?;
    let client = embedded::client(embedded.endpoint());
    tables::create_all(&client, names).await?;
    demo::load(&client, names).await?;

    let mut running = Running::start(&executable, port, embedded.endpoint(), names).await?;
    println!("{}", guide::text(&running.url(), db_port));
    Err(running.ended().await.into())
}

/// Waits for Ctrl-C, for `kill`, or for the terminal to be closed.
async fn interrupted() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
