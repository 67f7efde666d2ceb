//! Child processes that cannot outlive this one.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdout, Command};

/// How long a killed process may take to end. The kernel needs milliseconds.
const KILLED_WITHIN: Duration = Duration::from_secs(2);

/// A child process and its descendants, in a process group of their own. Dropping it kills the whole group.
///
/// The group of its own keeps the terminal's Ctrl-C from the child, so that only this process decides the order in
/// which things end. Killing loses nothing: whatever runs here keeps its state in the database.
pub struct Group {
    child: Child,
}

impl Group {
    /// Starts `command` with nothing to read on its standard input.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(std::process::Stdio::null()).process_group(0).spawn()?;
        Ok(Self { child })
    }

    /// Waits until the process has ended. May be dropped and called again.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The process's output, if it was piped and not taken before.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }
}

impl Group {
    /// Kills the whole group and waits until it is gone.
    pub fn kill(&mut self) {
        // No id: the child has ended and was waited for, so its ID may belong to another process by now.
        let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        // It fails only if no process is left.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        let deadline = Instant::now() + KILLED_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
