//! A process that ends or does not poll is an error.

use std::time::Duration;

use testing::runtime_api::{Process, ProcessError, Times, command};

async fn error(program: &str, arguments: &[&str], patience: Duration) -> ProcessError {
    let mut command = command(program);
    command.args(arguments);
    let times = Times { invocation: Duration::from_secs(1), patience };
    let mut process = Process::spawn(command, times).await.expect("it starts");
    process.poll().await.expect_err("it never polls for an event")
}

#[tokio::test]
async fn a_process_that_ends_is_reported_at_once() {
    let error = error("/bin/sh", &["-c", "exit 3"], Duration::from_secs(60)).await;
    assert!(matches!(error, ProcessError::Ended(status) if status.code() == Some(3)), "{error}");
}

#[tokio::test]
async fn waiting_for_an_idle_process_has_a_limit() {
    let error = error("/bin/sleep", &["60"], Duration::from_millis(50)).await;
    assert!(matches!(error, ProcessError::Stale(_)), "{error}");
}
