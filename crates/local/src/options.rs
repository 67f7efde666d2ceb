//! The flags of the local run.

use std::path::PathBuf;

use lexopt::ValueExt;
use lexopt::prelude::{Long, Short};

/// What `--help` prints.
pub const HELP: &str = "\
Runs the whole service on this machine: an embedded DynamoDB with demo data, and the function behind HTTP.

Usage: cargo run -p local -- [FLAGS]

  --port PORT      of the function (default 9000; 0: any free port)
  --db-port PORT   of the database (default 8000; 0: any free port)
  --file PATH      keep the database in this file (default: in memory, gone at the end)
  --watch          compile and start the function again whenever its source changes
  --show           print the memberships in the running database as JSON Lines, and end
  --help           print this text, and end";

/// The flags given, with their defaults.
#[derive(Debug)]
pub struct Options {
    pub action: Action,
    /// Port of the function; 0 means any.
    pub port: u16,
    /// Port of the database; 0 means any.
    pub db_port: u16,
    /// File in which the database persists between runs; none means memory.
    pub file: Option<PathBuf>,
    /// Whether the function is recompiled when its source changes.
    pub watch: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Run,
    Show,
    Help,
}

impl Options {
    /// Reads the arguments after the program's name. Of a repeated flag, the last counts.
    pub fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self { action: Action::Run, port: 9000, db_port: 8000, file: None, watch: false };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("port") => options.port = parser.value()?.parse()?,
                Long("db-port") => options.db_port = parser.value()?.parse()?,
                Long("file") => options.file = Some(parser.value()?.into()),
                Long("watch") => options.watch = true,
                Long("show") => options.action = Action::Show,
                Long("help") | Short('h') => options.action = Action::Help,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}
