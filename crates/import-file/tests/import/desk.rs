//! The program as a process, with a directory of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::{Child, Command};

use testing::stage::TOKEN;

/// A directory for the files of one test, removed at its end.
pub struct Desk {
    directory: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    pub fn new() -> Self {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("import-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&directory).expect("a new directory");
        Self { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a disk");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    /// The names of the files that are there.
    pub fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.directory).expect("a directory");
        let mut names: Vec<_> = files
            .map(|file| file.expect("an entry").file_name().into_string().expect("a name of a test"))
            .collect();
        names.sort();
        names
    }

    /// The command that imports, with the usual token and these arguments, separated by spaces.
    pub fn command(&self, url: &str, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_import-file"));
        command
            .env_clear()
            .env("X_TOKEN", TOKEN)
            .current_dir(&self.directory)
            .args(["--url", url])
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub fn start(&self, url: &str, arguments: &str) -> Child {
        self.command(url, arguments).spawn().expect("the client starts")
    }

    pub async fn run(&self, url: &str, arguments: &str) -> Ended {
        Ended::of(self.start(url, arguments)).await
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Ended {
    /// Checks how a run ended that came to its end.
    pub fn assert_done(&self, code: i32, summary: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stdout.starts_with(summary), "{self:?}");
        assert!(!self.stdout.contains(TOKEN) && !self.stderr.contains(TOKEN), "{self:?}");
    }

    pub async fn of(child: Child) -> Self {
        let Output { status, stdout, stderr } = child.wait_with_output().await.expect("the client ends");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// The file whose import asks for [`numbered_pairs`](testing::shorthand::numbered_pairs).
pub fn numbered_csv(rows: usize) -> String {
    let mut text = "audienceUserId,groups\n".to_owned();
    for number in 0..rows {
        writeln!(text, "c{number},g").expect("text takes text");
    }
    text
}

/// As [`numbered_csv`], but every seventh row names no group; and the failed rows that come of it.
pub fn holed_csv(rows: usize) -> (String, String, BTreeSet<(String, String)>) {
    let mut text = "audienceUserId,groups\n".to_owned();
    let mut failed = "audienceUserId,groups,errorCode,errorMsg,retryable\n".to_owned();
    let mut expected = BTreeSet::new();
    for number in 0..rows {
        if number % 7 == 0 {
            writeln!(text, "c{number},").expect("text takes text");
            writeln!(failed, "c{number},,MISSING_GROUPS,缺少客户分组,false").expect("text takes text");
        } else {
            writeln!(text, "c{number},g").expect("text takes text");
            expected.insert((format!("t1#c{number}"), "g".to_owned()));
        }
    }
    (text, failed, expected)
}
