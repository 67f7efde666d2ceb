//! How far the run is: a bar on a terminal, else a line now and then.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::journal::Mark;

/// How often a line is printed where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The bar; clones show the same one.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
    printed: Instant,
    dry_run: bool,
}

/// What comes before the numbers of a run, and the outcome of the rows that did not fail.
pub fn wording(dry_run: bool) -> (&'static str, &'static str) {
    if dry_run { ("dry run: ", "would be imported") } else { ("", "imported") }
}

/// A number of rows in words.
pub fn rows(count: u64) -> String {
    format!("{count} {}", if count == 1 { "row" } else { "rows" })
}

impl Progress {
    /// `bytes` is the size of the input, where it is known.
    pub fn new(bytes: Option<u64>, dry_run: bool) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent:>3} %  {msg}  {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
        };
        bar.set_style(ProgressStyle::with_template(template).expect("BUG: the templates are sound"));
        Self { bar, read: Arc::default(), printed: Instant::now(), dry_run }
    }

    /// Counts the bytes that are read.
    pub fn reading<R: Read>(&self, input: R) -> impl Read + use<R> {
        Counting { input, read: Arc::clone(&self.read) }
    }

    /// How many bytes were read so far; up to a buffer more than the rows made of them.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Begins after what an earlier run has settled.
    pub fn resume(&self) {
        self.bar.set_position(self.bytes_read());
        self.bar.reset_eta();
    }

    /// Shows how much is settled: the rows, and the bytes of the input that they come from.
    pub fn show(&mut self, mark: &Mark, bytes: u64) {
        let (prefix, imported) = wording(self.dry_run);
        let text = format!("{prefix}{} {imported}, {} failed", mark.imported, mark.failed);
        self.bar.set_position(bytes);
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
        } else if self.printed.elapsed() >= BETWEEN_LINES {
            self.printed = Instant::now();
            eprintln!("{text}");
        }
    }

    /// Shows a line that stays.
    pub fn report(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

struct Counting<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_what_is_settled() {
        let mut progress = Progress::new(Some(100), false);
        let mut text = String::new();
        progress.reading(io::Cursor::new("x".repeat(100))).read_to_string(&mut text).expect("memory");
        assert_eq!((progress.bytes_read(), progress.bar.position()), (100, 0), "read, not settled");
        progress.show(&Mark::default(), 40);
        assert_eq!(progress.bar.position(), 40);
    }
}
