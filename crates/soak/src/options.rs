//! The flags.

use std::path::PathBuf;
use std::time::Duration;

pub struct Options {
    /// `--minutes N`, part of one too.
    pub time: Duration,
    /// `--seed N`: what is drawn. How the function and the database take turns is not in it.
    pub seed: u64,
    /// `--function PATH`: the function's binary.
    pub function: PathBuf,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut options = Self {
            time: Duration::from_secs(60),
            seed: fastrand::u64(..),
            function: "target/release/customer-group-import".into(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            match &*argument {
                "--minutes" => options.time = Duration::try_from_secs_f64(60.0 * value()?.parse::<f64>()?)?,
                "--seed" => options.seed = value()?.parse()?,
                "--function" => options.function = value()?.into(),
                _ => return Err(format!("unknown argument {argument}: --minutes, --seed, --function").into()),
            }
        }
        Ok(options)
    }
}
