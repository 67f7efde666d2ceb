//! The flags.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::Long;

pub struct Options {
    /// `--minutes N`, also fractions.
    pub time: Duration,
    /// `--seed N`: determines what is drawn, but not the timing of function and database.
    pub seed: u64,
    /// `--function PATH`: the function's binary.
    pub function: PathBuf,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            time: Duration::from_secs(60),
            seed: fastrand::u64(..u64::MAX / 2),
            function: "target/release/customer-group-import".into(),
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("minutes") => options.time = parser.value()?.parse_with(minutes)?,
                Long("seed") => options.seed = parser.value()?.parse()?,
                Long("function") => options.function = parser.value()?.into(),
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

fn minutes(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(60.0 * text.parse::<f64>()?)?)
}
