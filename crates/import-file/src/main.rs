//! Imports a file of any size: a client of the API that may be killed at any time and resumes where it was.
//!
//! `--help` lists the flags. A run reads rows, sends them in batches, several at a time, and settles the batches in
//! the order of the input: first the failed rows of a batch go to disk, then the journal says that it is done. So
//! there is nothing to do at a stop: every end but the last is the same as being killed. A resumed run reads the
//! input from its beginning, which also proves that it is the same, and sends only what is not settled. What was sent
//! but not settled is sent again under the same `Idempotency-Key`, and gets the outcome that it had.
//!
//! # Layout
//!
//! - `options`: the flags; `token`: the token
//! - `encoding`: UTF-8 or GBK; `rows`: the input as rows, with `csv` (over `lines`) and `json_lines`
//! - `batch`: rows as batches, their bodies and keys; pure
//! - `pace`: how many requests at a time, and how large
//! - `send`: a batch on its way, with `response` (what a response means; pure) and `backoff` (when to try again; pure)
//! - `failed`: the file of failed rows; `journal`: what is settled
//! - `progress`: the bar

mod backoff;
mod batch;
mod encoding;
mod failed;
mod journal;
mod options;
mod pace;
mod progress;
mod response;
mod rows;
mod send;
mod token;

use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use crate::batch::{Batches, Limits};
use crate::failed::FailedRows;
use crate::journal::{Identity, Journal, JournalError, Mark, Plan};
use crate::options::{HELP, Options};
use crate::progress::{Progress, wording};
use crate::send::{Sender, Stop};

/// The exit status where some rows failed.
const SOME_FAILED: u8 = 2;

fn main() -> ExitCode {
    match act() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn act() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args_os().skip(1))? else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let token = token::read(options.token_file.as_deref())?;
    let (reader, identity): (Box<dyn Read>, _) = match &options.input {
        None => (Box::new(io::stdin()), None),
        Some(path) => {
            let file =
                File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            let identity = Identity::of(&file)?;
            (Box::new(file), Some(identity))
        }
    };
    let progress = Progress::new(identity.as_ref().map(Identity::bytes), options.dry_run);
    let text = options.encoding.decode(BufReader::new(progress.reading(reader)))?;
    let input = rows::open(BufReader::new(text), options.format)?;

    let is_left_over = options.failed.exists() && !options.restart;
    let mut journal = Journal::open(&options.state, &Plan::new(&options, identity), options.restart)?;
    if journal.resumed.is_none() && is_left_over {
        journal.remove()?;
        let failed = options.failed.display();
        return Err(format!("{failed} exists: move it away, name another by --failed, or --restart").into());
    }
    let mut mark = journal.resumed.take().unwrap_or_default();
    let format = (options.format, options.encoding);
    let mut failed = FailedRows::open(&options.failed, &input.heading, format, mark.failed_bytes)?;
    let limits = Limits { rows: options.batch, bytes: options.batch_bytes };
    let mut batches = Batches::new(input.rows, limits, &options.params);
    skip_settled(&mut batches, &mark)?;
    if mark.batches > 0 {
        progress.resume();
        progress.report(&format!("resuming after {}", progress::rows(mark.imported + mark.failed)));
    } else if !input.unsent.is_empty() {
        progress.report(&format!("columns that are not sent: {}", input.unsent.join(", ")));
    }

    let sender = Arc::new(Sender::new(&options, token, &journal.run, progress.clone()));
    let mut run = Run { concurrency: options.concurrency, sender, progress };
    let ended = run.import(batches, &mut failed, &mut journal, &mut mark);
    run.progress.end();
    let rows = progress::rows(mark.imported + mark.failed);
    if let Err(error) = ended {
        if mark.batches == 0 && is_mistake(&*error) {
            // It can be corrected without --restart.
            journal.remove()?;
            return Err(error);
        }
        eprintln!("stopped after {rows}; none is lost: the same command resumes there");
        return Err(error);
    }
    journal.remove()?;
    let (prefix, imported) = wording(options.dry_run);
    println!("{prefix}{rows}: {} {imported}, {} failed", mark.imported, mark.failed);
    if options.dry_run {
        println!("Nothing was written.");
    }
    if mark.failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("The failed rows and their reasons: {}", options.failed.display());
    Ok(ExitCode::from(SOME_FAILED))
}

/// Whether the command or the input is at fault.
fn is_mistake(error: &(dyn Error + 'static)) -> bool {
    let is_rejected =
        error.downcast_ref().is_some_and(|stop| matches!(stop, Stop::Rejected(_) | Stop::Unsendable(_)));
    let is_unreadable =
        error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::InvalidData);
    is_rejected || is_unreadable
}

/// Reads over what is settled, and makes sure that it is what was settled.
fn skip_settled(
    batches: &mut Batches<impl Iterator<Item = io::Result<rows::Row>>>,
    mark: &Mark,
) -> Result<(), Box<dyn Error>> {
    let mut chain = String::new();
    for _ in 0..mark.batches {
        chain = batches.next().transpose()?.ok_or(JournalError::InputChanged)?.chain;
    }
    if chain == mark.chain { Ok(()) } else { Err(JournalError::InputChanged.into()) }
}

struct Run {
    concurrency: usize,
    sender: Arc<Sender>,
    progress: Progress,
}

impl Run {
    /// Sends the batches, a thread for each, and settles the oldest before the next one is read: so memory is bounded,
    /// and failed rows stand in the order of the input.
    fn import(
        &mut self,
        mut batches: Batches<impl Iterator<Item = io::Result<rows::Row>>>,
        failed: &mut FailedRows,
        journal: &mut Journal,
        mark: &mut Mark,
    ) -> Result<(), Box<dyn Error>> {
        let mut under_way = VecDeque::new();
        let mut unreadable = None;
        loop {
            while under_way.len() < self.concurrency && unreadable.is_none() {
                match batches.next() {
                    Some(Ok(batch)) => {
                        let sender = Arc::clone(&self.sender);
                        let sent = thread::spawn(move || (sender.import(&batch), batch));
                        under_way.push_back((sent, self.progress.bytes_read()));
                    }
                    // What is under way is settled first.
                    Some(Err(error)) => unreadable = Some(error),
                    None => break,
                }
            }
            let Some((oldest, bytes)) = under_way.pop_front() else { break };
            let (ended, batch) = oldest.join().unwrap_or_else(|panic| resume_unwind(panic));
            let ended = ended?;
            let rows = ended.iter().map(|(position, reason)| (&*batch.rows[*position].text, reason));
            let failed_bytes = failed.append(rows)?;
            *mark = Mark {
                batches: batch.number + 1,
                imported: mark.imported + (batch.rows.len() - ended.len()) as u64,
                failed: mark.failed + ended.len() as u64,
                failed_bytes,
                chain: batch.chain,
            };
            journal.settle(mark)?;
            self.progress.show(mark, bytes);
        }
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }
}
