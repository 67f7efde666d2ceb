//! The flags, which the Makefile sets.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::Long;

/// The command to run.
#[derive(Clone, Copy)]
pub enum Action {
    Measure,
    /// `--throttled`: only the imports into a table that throttles.
    Throttled,
    /// `--tls`: only the imports over TLS.
    Tls,
    /// `--limits`: calls and instructions; `--update` records the current instructions.
    Limits {
        update: bool,
    },
}

pub struct Options {
    pub action: Action,
    /// `--function PATH`: the function's binary.
    pub function: PathBuf,
    /// `--python PATH`: an interpreter with the packages of `benches/python/requirements.txt`.
    pub python: PathBuf,
    /// `--out PATH`: the directory for results.
    pub out: PathBuf,
    /// `--seconds N`: the running time of one program in one scenario.
    pub time: Duration,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            action: Action::Measure,
            function: "target/release/customer-group-import".into(),
            python: "python3".into(),
            out: "target".into(),
            time: Duration::from_secs(5),
        };
        let (mut limits, mut update) = (false, false);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("limits") => limits = true,
                Long("update") => update = true,
                Long("throttled") => options.action = Action::Throttled,
                Long("tls") => options.action = Action::Tls,
                Long("function") => options.function = parser.value()?.into(),
                Long("python") => options.python = parser.value()?.into(),
                Long("out") => options.out = parser.value()?.into(),
                Long("seconds") => options.time = parser.value()?.parse_with(seconds)?,
                other => return Err(other.unexpected()),
            }
        }
        if limits {
            options.action = Action::Limits { update };
        }
        Ok(options)
    }
}

fn seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}
