//! `make local`: the whole service on this machine. A DynamoDB with demo data runs inside this process;
//! `cargo lambda watch` compiles the function, serves it, and starts it again whenever its source changes.
//!
//! The function's settings are those of `CargoLambda.toml`, so that plain `cargo lambda watch` runs the same service.
//! For Linux and macOS.

mod guide;
mod watch;

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

use futures_util::future::select_all;
use lexopt::ValueExt;
use lexopt::prelude::{Long, Short};
use testing::demo;
use testing::dynamodb::{Dynamodb, Store};
use testing::serve::Transport;
use testing::tables::{self, TableNames};
use tokio::signal::unix::{SignalKind, signal};

use crate::watch::Watch;

const HELP: &str = "\
Runs the whole service on this machine: a DynamoDB in memory with demo data, and the function behind HTTP.

Usage: make local ARGS=\"[FLAGS]\"

  --port PORT      of the function (default 9000; 0: any free port)
  --db-port PORT   of the database (default 8000; 0: any free port)
  --db-only        the database alone, for a `cargo lambda watch` of your own
  --help           print this text, and end";

struct Options {
    port: u16,
    db_port: u16,
    db_only: bool,
}

/// `None` where help is asked for.
fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options { port: 9000, db_port: 8000, db_only: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => options.port = parser.value()?.parse()?,
            Long("db-port") => options.db_port = parser.value()?.parse()?,
            Long("db-only") => options.db_only = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = async {
        let Some(options) = options().map_err(|error| format!("{error}; --help lists the flags"))? else {
            println!("{HELP}");
            return Ok(());
        };
        // Whichever ends first, the other is dropped, and with it the server and the processes that it started.
        tokio::select! {
            failed = run(&options) => failed,
            interrupted = interrupted() => Ok(interrupted?),
        }
    };
    match done.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything and returns only when something has failed.
async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let db_port = free_port(options.db_port, "--db-port")?;
    let database = Dynamodb::new(Store::memory());
    database.forget_calls();
    let server = database.serve(Transport::Plain, (Ipv4Addr::LOCALHOST, db_port).into()).await?;
    let endpoint = server.origin();
    // The names in CargoLambda.toml.
    let names = TableNames::prefixed("demo-");
    tables::create_all(database.store(), &names).await?;
    demo::load(database.store(), &names).await?;
    if options.db_only {
        println!("The database is running at {}. Ctrl-C ends it.", &endpoint);
        return std::future::pending().await;
    }
    let port = free_port(options.port, "--port")?;
    let mut watch = Watch::start(port, &endpoint)?;
    watch.first_response(&guide::url(port), demo::TOKEN).await?;
    println!("{}", guide::text(port, &endpoint, &names.memberships));
    Err(watch.ended().await)
}

/// `port`, or any free one if that is 0. Checked before anything is compiled.
fn free_port(port: u16, flag: &str) -> Result<u16, Box<dyn Error>> {
    // Some systems let a bind to 127.0.0.1 succeed beside a server on all addresses.
    let is_served = port != 0 && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) if !is_served => Ok(listener.local_addr()?.port()),
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            Err(format!("port {port} cannot be used: {error}; choose another with {flag}").into())
        }
        _ => Err(format!(
            "port {port} is in use: end its program, which `lsof -i :{port}` names, or choose another with {flag}"
        )
        .into()),
    }
}

/// Waits for Ctrl-C, for `kill`, or for the terminal to be closed.
async fn interrupted() -> io::Result<()> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.into_iter().map(signal).collect::<io::Result<Vec<_>>>()?;
    select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    Ok(())
}
