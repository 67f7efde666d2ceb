//! The flags of the local run.

use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Runs the whole service on this machine: an embedded DynamoDB with demo data, and the function behind HTTP.

Usage: cargo run -p local -- [FLAGS]

  --port PORT      where the function answers (default 9000; 0: any free port)
  --db-port PORT   where the database answers (default 8000; 0: any free port)
  --file PATH      keep the database in this file (default: in memory, gone at the end)
  --show           print the memberships in the running database, and end
  --help           print this text, and end";

/// The flags given, with their defaults.
#[derive(Debug)]
pub struct Options {
    pub action: Action,
    /// Port of the function; 0 means any.
    pub port: u16,
    /// Port of the database; 0 means any.
    pub db_port: u16,
    /// File that keeps the database between runs; none means memory.
    pub file: Option<PathBuf>,
}

/// What the flags ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Run,
    Show,
    Help,
}

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("unknown argument {0}; --help lists the flags")]
    Unknown(String),
    #[error("{0} needs a value")]
    MissingValue(&'static str),
    #[error("{flag} needs a number from 0 to 65535, not {value}")]
    NotAPort { flag: &'static str, value: String },
}

impl Options {
    /// Reads the arguments after the program's name. A flag given twice counts as given last.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, OptionsError> {
        let mut options = Self { action: Action::Run, port: 9000, db_port: 8000, file: None };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--port" => options.port = port("--port", args.next())?,
                "--db-port" => options.db_port = port("--db-port", args.next())?,
                "--file" => {
                    let path = args.next().ok_or(OptionsError::MissingValue("--file"))?;
                    options.file = Some(path.into());
                }
                "--show" => options.action = Action::Show,
                "--help" | "-h" => options.action = Action::Help,
                _ => return Err(OptionsError::Unknown(arg)),
            }
        }
        Ok(options)
    }
}

fn port(flag: &'static str, value: Option<String>) -> Result<u16, OptionsError> {
    let value = value.ok_or(OptionsError::MissingValue(flag))?;
    value.parse().map_err(|_| OptionsError::NotAPort { flag, value })
}
