//! How far the run is: a bar on a terminal, else a line now and then.

use std::io::Read;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::journal::Mark;

/// How often a line is printed where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The bar; clones show the same one.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    printed: Instant,
    dry_run: bool,
}

/// What comes before the numbers of a run, and what became of the rows that did not fail.
pub fn wording(dry_run: bool) -> (&'static str, &'static str) {
    if dry_run { ("dry run: ", "would be imported") } else { ("", "imported") }
}

impl Progress {
    /// `bytes` is the size of the input, where it is known.
    pub fn new(bytes: Option<u64>, dry_run: bool) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent:>3} %  {msg}  {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
        };
        bar.set_style(ProgressStyle::with_template(template).expect("BUG: the templates are sound"));
        Self { bar, printed: Instant::now(), dry_run }
    }

    /// Counts the bytes that are read.
    pub fn reading<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.bar.wrap_read(input)
    }

    /// Shows how far the run is.
    pub fn show(&mut self, mark: &Mark) {
        let (prefix, imported) = wording(self.dry_run);
        let text = format!("{prefix}{} {imported}, {} failed", mark.imported, mark.failed);
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
        } else if self.printed.elapsed() >= BETWEEN_LINES {
            self.printed = Instant::now();
            eprintln!("{text}");
        }
    }

    /// Shows a line that stays.
    pub fn tell(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
