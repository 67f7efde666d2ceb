//! What an invocation asked of the database, for its summary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::request::params::OptType;

/// What an invocation asked of the database.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Requests sent, by operation, the SDK's retries included.
    pub calls: BTreeMap<&'static str, usize>,
    /// Answers by which DynamoDB put something off: a request refused for lack of throughput, or a
    /// batch of which a part was left unprocessed.
    pub throttles: usize,
    /// Calls that brought nothing, after all retries, by operation and cause: a code of DynamoDB,
    /// or what went wrong on the way.
    pub failures: BTreeMap<(&'static str, String), usize>,
    /// Memberships that were as they should be, and were not written.
    pub unchanged: usize,
    /// Memberships put.
    pub written: usize,
    /// Memberships deleted, some of which may not have been there.
    pub removed: usize,
    /// The time from the start of each stage to its end, in total.
    pub waited: BTreeMap<Stage, Duration>,
}

/// A part of an invocation that waits for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Reading the tenant of a token.
    Token,
    /// Claiming an `Idempotency-Key`, and storing its outcome.
    Key,
    /// Looking customers up.
    LookUps,
    /// Asking which memberships need no write.
    Unchanged,
    /// Writing memberships.
    Writes,
}

impl Stage {
    /// As the summary names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Key => "key",
            Self::LookUps => "lookUps",
            Self::Unchanged => "unchanged",
            Self::Writes => "writes",
        }
    }
}

/// The usage of one invocation while it grows. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Usage>>);

impl Tally {
    /// What it has come to so far.
    pub fn usage(&self) -> Usage {
        self.lock().clone()
    }

    pub(super) fn sent(&self, operation: &'static str) {
        *self.lock().calls.entry(operation).or_default() += 1;
    }

    pub(super) fn throttled(&self) {
        self.lock().throttles += 1;
    }

    /// Counts a failure; whether it is the first of its kind.
    pub(super) fn failed(&self, operation: &'static str, cause: &str) -> bool {
        let mut usage = self.lock();
        let failures = usage.failures.entry((operation, cause.to_owned())).or_default();
        *failures += 1;
        *failures == 1
    }

    /// Counts memberships that were not written, and those that were.
    pub(super) fn memberships(&self, opt_type: OptType, unchanged: usize, written: usize) {
        let mut usage = self.lock();
        usage.unchanged += unchanged;
        match opt_type {
            OptType::Add => usage.written += written,
            OptType::Delete => usage.removed += written,
        }
    }

    /// Does the work of a stage, and counts its time.
    pub(super) async fn during<F: Future>(&self, stage: Stage, work: F) -> F::Output {
        let start = Instant::now();
        let done = work.await;
        *self.lock().waited.entry(stage).or_default() += start.elapsed();
        done
    }

    /// Nothing that runs under the lock can leave the figures half changed.
    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
