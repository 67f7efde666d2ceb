//! A process that ends or does not poll is an error.

use std::io;
use std::time::Duration;

use testing::runtime_api::{Process, command};

async fn error(program: &str, argument: &str) -> io::Error {
    let mut command = command(program);
    command.arg(argument);
    let mut process = Process::spawn(command, Duration::from_secs(1)).await.expect("it starts");
    process.poll().await.expect_err("it never polls for an event")
}

#[tokio::test]
async fn a_process_that_ends_is_reported_at_once() {
    assert_eq!(error("/bin/ls", "/").await.to_string(), "the process ended: exit status: 0");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_idle_process_has_a_limit() {
    assert_eq!(error("/bin/sleep", "60").await.kind(), io::ErrorKind::TimedOut);
}
