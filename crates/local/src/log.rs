//! The function's log, on this process's standard output.

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;

/// How the function's runtime reports that the emulated Lambda rejected a response. The emulator rejects the response
/// to a caller that has disconnected; Lambda does not, so this is no error of the function.
const UNTAKEN: &str = "Lambda Runtime API returned non-200 response status=500";

/// Prints each line until the function has ended.
pub async fn forward(output: ChildStdout) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        println!(
            "{}",
            if is_untaken(&line) { " INFO the caller disconnected before its response" } else { &line }
        );
    }
}

fn is_untaken(line: &str) -> bool {
    line.contains("ERROR") && line.contains(UNTAKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_untaken_responses_are_replaced() {
        assert!(is_untaken(
            "ERROR Lambda Runtime API returned non-200 response status=500 Internal Server Error"
        ));
        assert!(!is_untaken("ERROR Lambda Runtime API returned non-200 response status=400 Bad Request"));
        assert!(!is_untaken(" INFO request status=500"));
    }
}
