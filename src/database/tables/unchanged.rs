//! Checking which memberships are already in the desired state, so that they need no write.
//!
//! Putting or deleting an item costs a write unit, even if that changes nothing; a strongly
//! consistent check whether it exists costs a read unit. A write unit costs five times a read unit
//! (Amazon DynamoDB pricing, on demand: $0.625 and $0.125 a million in us-east-1). Checking a whole
//! batch therefore costs a fifth of writing it, and pays if at least a fifth of the memberships need
//! no write: the break-even share. A sample estimates the share of a batch.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt};

use super::items::{BATCH_GET_KEYS, Batch, Purpose};
use super::memberships::{KEY, Writing};
use super::write_queue::BATCH_WRITE_ITEMS;
use crate::config::SkipUnchanged;
use crate::database::{Session, Stage};
use crate::request::params::OptType;
use crate::resolution::membership::Membership;

/// The price of a write unit, in read units.
const READS_PER_WRITE: usize = 5;

/// The most memberships of a sample: as many as one call checks.
const SAMPLE_SIZE: usize = BATCH_GET_KEYS;

impl Session<'_> {
    /// For each membership, whether it is known to be in the desired state: existing for an addition,
    /// missing for a deletion. `false` if the check failed, was not made, or did not end within its share of the time.
    ///
    /// The reads are strongly consistent: each sees every write completed before it. Skipping such a
    /// membership is therefore equivalent to writing it at the moment of the read. If a concurrent
    /// import writes after that moment, its write prevails, as it would after a write here (contract,
    /// section 6).
    pub(super) async fn unchanged(&self, writing: Writing<'_>, memberships: &[Membership<'_>]) -> Vec<bool> {
        let mut unchanged = vec![false; memberships.len()];
        let mut sampled = Vec::new();
        let session = self.until(self.calls.deadline.of_checks());
        match self.database.config.skip_unchanged {
            SkipUnchanged::Never => return unchanged,
            // One call writes them, and checking first would be another one.
            SkipUnchanged::Auto if memberships.len() <= BATCH_WRITE_ITEMS => return unchanged,
            SkipUnchanged::Always => {}
            SkipUnchanged::Auto => {
                sampled = sample(memberships.len());
                let checked = session.check(writing, memberships, &sampled, &mut unchanged).await;
                let found = sampled.iter().filter(|&&position| unchanged[position]).count();
                if !check_pays(found, checked) {
                    return unchanged;
                }
            }
        }
        let rest: Vec<_> =
            (0..memberships.len()).filter(|position| sampled.binary_search(position).is_err()).collect();
        session.check(writing, memberships, &rest, &mut unchanged).await;
        unchanged
    }

    /// Checks the memberships at these positions with concurrent calls, and returns how many could be
    /// checked. After an incomplete or throttled call no further one starts.
    async fn check<'p>(
        &self,
        writing: Writing<'_>,
        memberships: &[Membership<'_>],
        positions: &'p [usize],
        unchanged: &mut [bool],
    ) -> usize {
        let stopped = &AtomicBool::new(false);
        let check = |positions: &'p [usize]| async move {
            if stopped.load(Ordering::Relaxed) {
                return Vec::new();
            }
            let results = self.check_batch(writing, memberships, positions).await;
            stopped.fetch_or(results.len() < positions.len(), Ordering::Relaxed);
            results
        };
        let checks: Vec<_> = positions.chunks(BATCH_GET_KEYS).map(check).collect();
        let checks = stream::iter(checks).buffer_unordered(self.database.config.lookup_concurrency);
        let results: Vec<_> = self.calls.tally.during(Stage::Unchanged, checks.concat()).await;
        let desired = writing.opt_type == OptType::Add;
        for &(position, exists) in &results {
            unchanged[position] = exists == desired;
        }
        results.len()
    }

    /// Whether each of at most [`BATCH_GET_KEYS`] memberships exists, by position; without those that could not be checked.
    async fn check_batch(
        &self,
        writing: Writing<'_>,
        memberships: &[Membership<'_>],
        positions: &[usize],
    ) -> Vec<(usize, bool)> {
        let batch = Batch {
            table: &self.database.config.tables.memberships,
            key: KEY,
            keys: positions.iter().map(|&position| writing.key(memberships[position])).collect(),
            projection: &KEY.join(", "),
            pace: &self.database.checks,
            purpose: Purpose::Check,
        };
        let items = self.get_items(&batch).await.into_iter();
        positions
            .iter()
            .zip(items)
            .filter_map(|(&position, item)| Some((position, item.ok()?.is_some())))
            .collect()
    }
}

/// The positions of a sample of `total` memberships, ascending and evenly spread, so that no single
/// customer or group dominates the sample.
fn sample(total: usize) -> Vec<usize> {
    let size = total.min(SAMPLE_SIZE);
    (0..size).map(|nth| nth * total / size).collect()
}

/// Whether checking the rest costs no more than it saves, if of `checked` memberships `unchanged`
/// need no write.
fn check_pays(unchanged: usize, checked: usize) -> bool {
    checked > 0 && unchanged * READS_PER_WRITE >= checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_is_evenly_spread_and_bounded() {
        for total in [0, 1, 99, 100, 101, 199, 200, 250, 10_000, 12_345] {
            let sample = sample(total);
            assert_eq!(sample.len(), total.min(SAMPLE_SIZE), "{total}");
            assert!(sample.iter().all(|&position| position < total));
            let step = total / sample.len().max(1);
            assert!(
                sample.windows(2).all(|pair| (step..=step + 1).contains(&(pair[1] - pair[0]))),
                "{total}"
            );
        }
    }

    #[test]
    fn check_pays_from_a_fifth() {
        assert!(check_pays(20, 100) && check_pays(100, 100) && check_pays(1, 5) && check_pays(2, 7));
        assert!(!check_pays(19, 100) && !check_pays(0, 100) && !check_pays(1, 6) && !check_pays(0, 0));
    }
}
