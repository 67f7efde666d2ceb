//! A process that does not do its part ends in an error.

use std::time::Duration;

use testing::runtime_api::{Process, ProcessError, Times, command};

async fn error(program: &str, arguments: &[&str], patience: Duration) -> ProcessError {
    let mut command = command(program);
    command.args(arguments);
    let times = Times { invocation: Duration::from_secs(1), patience };
    let mut process = Process::spawn(command, times).await.expect("it starts");
    process.poll().await.expect_err("it never asks for an event")
}

#[tokio::test]
async fn a_process_that_ends_is_not_waited_for() {
    let error = error("/bin/sh", &["-c", "exit 3"], Duration::from_secs(60)).await;
    assert!(matches!(error, ProcessError::Ended(status) if status.code() == Some(3)), "{error}");
}

#[tokio::test]
async fn a_process_that_does_nothing_is_waited_for_patiently_but_not_for_ever() {
    let error = error("/bin/sleep", &["60"], Duration::from_millis(50)).await;
    assert!(matches!(error, ProcessError::Stale(_)), "{error}");
}
