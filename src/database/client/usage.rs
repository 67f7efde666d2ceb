//! An invocation's use of the database, for its summary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::request::params::OptType;

/// An invocation's use of the database.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Requests sent, including the SDK's retries, by operation.
    pub calls: BTreeMap<&'static str, usize>,
    /// Throttled responses: requests rejected for lack of throughput, and batches with unprocessed
    /// items.
    pub throttles: usize,
    /// Calls that failed after all retries, by `operation: cause`, a DynamoDB error code or the kind of client error.
    pub failures: BTreeMap<String, usize>,
    /// Memberships already in the desired state, which were not written.
    pub unchanged: usize,
    /// Memberships put.
    pub written: usize,
    /// Memberships deleted, some of which may not have existed.
    pub removed: usize,
    /// The total time of each stage.
    pub waited: BTreeMap<Stage, Duration>,
}

/// A part of an invocation that waits for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Reading the tenant of a token.
    Token,
    /// Claiming an `Idempotency-Key`, and storing its outcome.
    Key,
    /// Looking up customers.
    LookUps,
    /// Checking which memberships need no write.
    Unchanged,
    /// Writing memberships.
    Writes,
}

/// Collects the usage of one invocation. Clones share the figures.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Usage>>);

impl Tally {
    /// The usage so far.
    pub fn usage(&self) -> Usage {
        self.lock().clone()
    }

    /// Counts a request.
    pub(in crate::database) fn sent(&self, operation: &'static str) {
        *self.lock().calls.entry(operation).or_default() += 1;
    }

    /// Counts a throttled response.
    pub(in crate::database) fn throttled(&self) {
        self.lock().throttles += 1;
    }

    /// Counts a failure, and returns whether it is the first of its kind.
    pub(in crate::database) fn failed(&self, operation: &'static str, cause: &str) -> bool {
        let mut usage = self.lock();
        let failures = usage.failures.entry(format!("{operation}: {cause}")).or_default();
        *failures += 1;
        *failures == 1
    }

    /// Counts the memberships skipped as unchanged, and those written.
    pub(in crate::database) fn memberships(&self, opt_type: OptType, unchanged: usize, written: usize) {
        let mut usage = self.lock();
        usage.unchanged += unchanged;
        match opt_type {
            OptType::Add => usage.written += written,
            OptType::Delete => usage.removed += written,
        }
    }

    /// Runs a stage and adds its time.
    pub(in crate::database) async fn during<F: Future>(&self, stage: Stage, work: F) -> F::Output {
        let start = Instant::now();
        let output = work.await;
        *self.lock().waited.entry(stage).or_default() += start.elapsed();
        output
    }

    /// A poisoned lock is ignored: no code under the lock can leave the figures inconsistent.
    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
