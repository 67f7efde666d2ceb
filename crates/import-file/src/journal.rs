//! What a run has done so far, in a file that survives the death of the run.
//!
//! Its first line says what is imported and how; each further line, that one more batch is settled. A line is written
//! when the failed rows of its batch are on disk, and says how long their file is then. Whatever a run that died left
//! behind the last whole line, here or there, is cut off, and its batch sent again under the same key.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::options::{Format, Options};

/// What is imported, and how. A run is resumed only with the plan that it began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub url: String,
    pub params: String,
    pub format: Format,
    /// Absent in the journals of version 0.1.
    #[serde(default)]
    pub encoding: Encoding,
    pub batch: usize,
    pub batch_bytes: usize,
    pub failed: String,
    /// None is standard input.
    pub input: Option<Identity>,
}

/// What distinguishes a file from one that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    bytes: u64,
    /// Since 1970.
    modified_ns: u128,
}

impl Identity {
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { bytes: metadata.len(), modified_ns: modified.as_nanos() })
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Plan {
    pub fn new(options: &Options, input: Option<Identity>) -> Self {
        Self {
            url: options.url.clone(),
            params: options.params.clone(),
            format: options.format,
            encoding: options.encoding,
            batch: options.batch,
            batch_bytes: options.batch_bytes,
            failed: options.failed.to_string_lossy().into_owned(),
            input,
        }
    }

    /// What differs, as a flag.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("--url", self.url == other.url),
            ("--match, --identify-way or --opt", self.params == other.params),
            ("--format", self.format == other.format),
            ("--encoding", self.encoding == other.encoding),
            ("--batch", self.batch == other.batch),
            ("--batch-bytes", self.batch_bytes == other.batch_bytes),
            ("--failed", self.failed == other.failed),
        ]
        .into_iter()
        .find_map(|(flag, is_same)| (!is_same).then_some(flag))
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub batches: u64,
    pub imported: u64,
    pub failed: u64,
    /// The length of the file of failed rows.
    pub failed_bytes: u64,
    /// See [`Batch`](crate::batch::Batch).
    pub chain: String,
}

/// Why a run cannot begin or be resumed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the state of the run cannot be kept in {0}")]
    File(String, #[source] io::Error),
    #[error("{0} is not the state of an import by this version; --restart overwrites it and begins again")]
    Other(String),
    #[error("another run is importing the same file")]
    Locked,
    #[error("the input was changed since its import began; --restart imports it from its beginning")]
    InputChanged,
    #[error("the import of this file began with another {0}; use the same again, or --restart")]
    OtherPlan(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Beginning {
    run: String,
    plan: Plan,
}

/// The file, locked against other runs.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Names the run; every run has its own.
    pub run: String,
    /// Where the run before this one stopped; none if this one is the first.
    pub resumed: Option<Mark>,
}

impl Journal {
    /// Opens the journal at `path`, or begins one.
    pub fn open(path: &Path, plan: &Plan, restart: bool) -> Result<Self, JournalError> {
        let failed = |error| JournalError::File(path.display().to_string(), error);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(failed)?;
        file.try_lock().map_err(|_| JournalError::Locked)?;
        let found = if restart { Ok(None) } else { read(&mut file) };
        let found = found.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => JournalError::Other(path.display().to_string()),
            _ => failed(error),
        })?;
        if let Some((beginning, mark)) = found {
            if let Some(flag) = beginning.plan.difference(plan) {
                return Err(JournalError::OtherPlan(flag));
            }
            if beginning.plan.input != plan.input {
                return Err(JournalError::InputChanged);
            }
            return Ok(Self { file, path: path.to_owned(), run: beginning.run, resumed: Some(mark) });
        }
        // Every run has its own name, so that none gets the outcome of another.
        let run = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let beginning = Beginning { run: run.clone(), plan: plan.clone() };
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        let mut journal = Self { file, path: path.to_owned(), run, resumed: None };
        journal.append(&beginning).and_then(|()| sync_directory(path)).map_err(failed)?;
        Ok(journal)
    }

    /// Writes down that one more batch is settled.
    pub fn settle(&mut self, mark: &Mark) -> io::Result<()> {
        self.append(mark)
    }

    /// Forgets the run: it is over.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line).expect("BUG: numbers and strings are JSON");
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

/// Reads what stands in whole lines, and cuts off what does not. None where not even the first is whole: then nothing
/// was sent.
fn read(file: &mut File) -> io::Result<Option<(Beginning, Mark)>> {
    let mut reader = BufReader::new(&*file);
    let mut line = Vec::new();
    let mut length = reader.read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Ok(None);
    }
    let beginning = whole::<Beginning>(&line)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds something else"))?;
    let mut mark = Mark::default();
    loop {
        line.clear();
        let bytes = reader.read_until(b'\n', &mut line)?;
        let Some(next) = whole::<Mark>(&line) else { break };
        (mark, length) = (next, length + bytes);
    }
    file.set_len(length as u64)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Some((beginning, mark)))
}

fn whole<'l, T: Deserialize<'l>>(line: &'l [u8]) -> Option<T> {
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

/// Makes a new file outlast a power failure.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path of its own for each test, removed with what stands there.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("journal-{:016x}", fastrand::u64(..))))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn plan() -> Plan {
        Plan {
            url: "u".to_owned(),
            params: "{}".to_owned(),
            format: Format::Csv,
            encoding: Encoding::Utf8,
            batch: 1,
            batch_bytes: 2,
            failed: "f".to_owned(),
            input: Some(Identity { bytes: 1, modified_ns: 2 }),
        }
    }

    fn mark(batches: u64) -> Mark {
        Mark { batches, chain: "c".to_owned(), ..Mark::default() }
    }

    fn open(path: &Path) -> Journal {
        Journal::open(path, &plan(), false).expect("a journal")
    }

    #[test]
    fn a_journal_cut_anywhere_is_read_up_to_its_last_whole_line() {
        let scratch = Scratch::new();
        let mut journal = open(&scratch.0);
        let run = journal.run.clone();
        let first = std::fs::metadata(&scratch.0).expect("a file").len() as usize;
        for batches in 1..=2 {
            journal.settle(&mark(batches)).expect("a disk");
        }
        drop(journal);
        let whole = std::fs::read(&scratch.0).expect("a file");
        for cut in 0..=whole.len() {
            std::fs::write(&scratch.0, &whole[..cut]).expect("a disk");
            let mut journal = open(&scratch.0);
            if cut < first {
                assert_eq!(journal.resumed, None);
                continue;
            }
            assert_eq!(journal.run, run);
            let settled = whole[first..cut].iter().filter(|&&byte| byte == b'\n').count() as u64;
            assert_eq!(journal.resumed.as_ref().map(|mark| mark.batches), Some(settled));
            journal.settle(&mark(settled + 1)).expect("a disk");
            drop(journal);
            assert_eq!(open(&scratch.0).resumed, Some(mark(settled + 1)), "cut at {cut}");
        }
    }

    #[test]
    fn a_run_is_resumed_only_with_its_own_plan() {
        let scratch = Scratch::new();
        drop(open(&scratch.0));
        let changed = Plan { input: Some(Identity { bytes: 1, modified_ns: 3 }), ..plan() };
        let rejected = Journal::open(&scratch.0, &changed, false);
        assert!(matches!(rejected, Err(JournalError::InputChanged)));
        let other = Plan { batch: 9, ..plan() };
        let rejected = Journal::open(&scratch.0, &other, false);
        assert!(matches!(rejected, Err(JournalError::OtherPlan("--batch"))));
        let restarted = Journal::open(&scratch.0, &other, true).expect("a journal");
        assert_eq!(restarted.resumed, None);
    }

    #[test]
    fn a_file_that_is_no_journal_is_left_alone() {
        let scratch = Scratch::new();
        std::fs::write(&scratch.0, "{}\n").expect("a disk");
        assert!(matches!(Journal::open(&scratch.0, &plan(), false), Err(JournalError::Other(_))));
        assert_eq!(std::fs::read(&scratch.0).expect("a file"), b"{}\n");
    }

    #[test]
    fn two_runs_never_share_a_journal_nor_a_name() {
        let scratch = Scratch::new();
        let first = open(&scratch.0);
        assert!(matches!(Journal::open(&scratch.0, &plan(), true), Err(JournalError::Locked)));
        let name = first.run.clone();
        drop(first);
        assert_ne!(Journal::open(&scratch.0, &plan(), true).expect("a journal").run, name);
    }
}
