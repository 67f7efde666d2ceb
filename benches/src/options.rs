//! The flags, as the Makefile gives them.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// What there is to do.
#[derive(Clone, Copy)]
pub enum Action {
    /// `cargo test --all-targets` runs benches too, without the flag that `cargo bench` gives them.
    Nothing,
    Measure,
    /// `--limits`: calls and instructions; `--update` writes down the instructions as they are.
    Limits {
        update: bool,
    },
}

pub struct Options {
    pub action: Action,
    /// `--function PATH`: the function's binary.
    pub function: PathBuf,
    /// `--python PATH`: an interpreter that has what `benches/python/requirements.txt` names.
    pub python: PathBuf,
    /// `--out PATH`: the directory for results.
    pub out: PathBuf,
    /// `--seconds N`: the running time of one program in one scenario.
    pub time: Duration,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            action: Action::Nothing,
            function: "target/release/customer-group-import".into(),
            python: "python3".into(),
            out: "target".into(),
            time: Duration::from_secs(5),
        };
        let (mut bench, mut limits, mut update) = (false, false, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            match &*argument {
                "--bench" => bench = true,
                "--limits" => limits = true,
                "--update" => update = true,
                "--function" => options.function = value()?.into(),
                "--python" => options.python = value()?.into(),
                "--out" => options.out = value()?.into(),
                "--seconds" => options.time = Duration::try_from_secs_f64(value()?.parse()?)?,
                _ => return Err(format!("unknown argument {argument}").into()),
            }
        }
        options.action = match (bench, limits) {
            (false, _) => Action::Nothing,
            (true, false) => Action::Measure,
            (true, true) => Action::Limits { update },
        };
        Ok(options)
    }
}
