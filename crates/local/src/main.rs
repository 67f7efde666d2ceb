//! The whole service on one machine: an embedded DynamoDB with demo data, and the function behind HTTP.
//!
//! `make local` runs it and installs what it needs; `--help` lists the flags. For Linux and macOS.
//!
//! # Layout
//!
//! - `options`: the flags; `ports`: the check that the ports are free
//! - `file`: a database kept in a file
//! - `compile` and `function`: the function and the emulated Lambda; `log`: what the function logs; `processes`: child
//!   processes that end with this one; `watch`: changes of the source
//! - `guide`: the commands to paste; `show`: what the function has written
//!
//! The database, its tables (from `template.yaml`) and the demo data are those of `crates/testing`.

mod compile;
mod file;
mod function;
mod guide;
mod log;
mod options;
mod ports;
mod processes;
mod show;
mod watch;

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use dynoxide::Database;
use testing::demo;
use tokio::signal::unix::{SignalKind, signal};

use crate::compile::CompileError;
use crate::function::Running;
use crate::options::{Action, HELP, Options};
use crate::ports::Reserved;
use crate::watch::Sources;
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

    let mut sources = Sources::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))?;
    let executable = compile::function().await?;

    let database = match &options.file {
        Some(path) => file::open(path)?,
        None => Database::memory()?,
    };
    let db_port = db_port.release();
    let embedded = Embedded::start(database, db_port).await?;
    let client = embedded::client(embedded.endpoint());
    tables::create_all(&client, names).await?;
    demo::load(&client, names).await?;

    let mut running = Running::start(&executable, port, embedded.endpoint(), names).await?;
    println!("{}", guide::text(&running.url(), running.port(), db_port));
    loop {
        let ended = tokio::select! {
            ended = running.ended() => ended,
            () = sources.changed(), if options.watch => {
                follow(&mut running).await?;
                continue;
            }
        };
        if !options.watch || !ended.is_of_the_function() {
            return Err(ended.into());
        }
        eprintln!("{ended}; it is started again after the next change");
        sources.changed().await;
        follow(&mut running).await?;
    }
}

/// Compiles the function and restarts it. If that fails, waits for the next change; a function that does not compile
/// leaves the previous one running.
async fn follow(running: &mut Running) -> Result<(), CompileError> {
    let executable = match compile::function().await {
        Err(CompileError::Failed(_)) => {
            eprintln!("the function does not compile; waiting for the next change");
            return Ok(());
        }
        compiled => compiled?,
    };
    match running.restart(&executable).await {
        Ok(()) => println!("The changed function is running at {}", running.url()),
        // Reported by the caller, which waits for that.
        Err(error) if error.is_of_the_function() => {}
        Err(error) => eprintln!("{error}; waiting for the next change"),
    }
    Ok(())
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
