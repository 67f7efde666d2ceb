//! Compiles the function.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::processes::Group;

/// The function's package, and its binary.
const FUNCTION: &str = "customer-group-import";

/// Why the function could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("cargo could not be run")]
    Cargo(#[from] io::Error),
    #[error("the function does not compile ({0}): see the messages above")]
    Failed(ExitStatus),
    #[error("cargo names no executable for the function")]
    NoExecutable,
}

/// Compiles the function in the development profile and returns its executable. Cargo's messages go to the terminal.
pub async fn function() -> Result<PathBuf, CompileError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut group = Group::spawn(
        Command::new(cargo)
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
            // This package is included so that dependencies are built with the features it was compiled with itself:
            // for the function alone, cargo would compile some of them again.
            .args(["--package", env!("CARGO_PKG_NAME"), "--package", FUNCTION, "--bin", FUNCTION])
            .stdout(Stdio::piped()),
    )?;
    let messages = group.take_stdout().expect("BUG: the output is piped");
    let mut lines = BufReader::new(messages).lines();
    let mut executable = None;
    while let Some(line) = lines.next_line().await? {
        executable = function_executable(&line).or(executable);
    }
    let status = group.ended().await?;
    if !status.success() {
        return Err(CompileError::Failed(status));
    }
    executable.ok_or(CompileError::NoExecutable)
}

/// The two fields of cargo's `compiler-artifact` message that matter; other messages lack one of them.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn function_executable(message: &str) -> Option<PathBuf> {
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let is_function =
        artifact.target.name == FUNCTION && artifact.target.kind.iter().any(|kind| kind == "bin");
    artifact.executable.filter(|_| is_function)
}
