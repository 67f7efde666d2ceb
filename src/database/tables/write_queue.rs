//! What is left to write, in batches: what a call leaves unprocessed goes into later batches.

use std::collections::VecDeque;

use super::split_budget::SplitBudget;
use crate::database::client::{CallError, accepted_share};
use crate::request::failure::Outage;

/// The most items of one `BatchWriteItem` (DynamoDB API reference).
pub const BATCH_WRITE_ITEMS: usize = 25;

/// The result of writing one item.
pub type Written = Result<(), Outage>;

/// Items to write, by their positions.
pub(super) struct WriteQueue {
    /// Those not yet sent, then those sent and throttled.
    waiting: VecDeque<usize>,
    /// Part of a batch that failed: each is sent alone.
    alone: VecDeque<usize>,
    /// Batches of several that failed and are not sent again, unless other calls succeed.
    failed: Vec<Vec<usize>>,
    splits: SplitBudget,
    /// The results so far; [`Outage::Timeout`] for what is left.
    pub written: Vec<Written>,
}

impl WriteQueue {
    /// A queue of as many items, without those that are unchanged: they count as written.
    pub fn new(unchanged: &[bool]) -> Self {
        let initial = |is_unchanged: &bool| if *is_unchanged { Ok(()) } else { Err(Outage::Timeout) };
        let waiting = (0..unchanged.len()).filter(|&position| !unchanged[position]).collect();
        let written = unchanged.iter().map(initial).collect();
        let (alone, failed, splits) = Default::default();
        Self { waiting, alone, failed, splits, written }
    }

    /// Whether nothing is left to send.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.alone.is_empty()
    }

    /// Takes the next batch, as full as can be.
    pub fn next_batch(&mut self) -> Vec<usize> {
        if let Some(position) = self.alone.pop_front() {
            return vec![position];
        }
        self.waiting.drain(..self.waiting.len().min(BATCH_WRITE_ITEMS)).collect()
    }

    /// Takes the result of a batch: the positions of its unprocessed items, or why the call failed. Returns which share
    /// of the batch was accepted, unless the call failed.
    pub fn settle(&mut self, batch: Vec<usize>, result: Result<Vec<usize>, CallError>) -> Option<f64> {
        match result {
            Ok(unprocessed) => {
                self.splits.deposit();
                self.split_failed();
                let accepted = accepted_share(unprocessed.len(), batch.len());
                for position in batch {
                    self.written[position] = Ok(());
                }
                for &position in &unprocessed {
                    self.written[position] = Err(Outage::Timeout);
                }
                self.waiting.extend(unprocessed);
                Some(accepted)
            }
            Err(CallError::Throttled) => {
                self.waiting.extend(batch);
                Some(0.0)
            }
            Err(error) => {
                let outage = error.into();
                for &position in &batch {
                    self.written[position] = Err(outage);
                }
                if outage == Outage::StoreError && batch.len() > 1 {
                    self.failed.push(batch);
                    self.split_failed();
                }
                None
            }
        }
    }

    fn split_failed(&mut self) {
        let splits = &mut self.splits;
        self.alone.extend(self.failed.extract_if(.., |batch| splits.withdraw(batch.len())).flatten());
    }

    /// Gives up what is left.
    pub fn end(&mut self) {
        self.waiting.clear();
        self.alone.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_items_fill_later_batches() {
        let mut queue = WriteQueue::new(&[false; 60]);
        let first = queue.next_batch();
        assert_eq!(first, (0..25).collect::<Vec<_>>());
        assert_eq!(queue.settle(first, Ok(vec![3, 7])), Some(23.0 / 25.0));
        let second = queue.next_batch();
        assert_eq!(queue.settle(second, Err(CallError::Throttled)), Some(0.0));
        let third = queue.next_batch();
        assert_eq!(third, (50..60).chain([3, 7]).chain(25..38).collect::<Vec<_>>());
        assert_eq!(queue.settle(third, Ok(vec![])), Some(1.0));
        let fourth = queue.next_batch();
        assert_eq!(fourth, (38..50).collect::<Vec<_>>());
        assert!(queue.is_empty());
        assert_eq!(queue.written.iter().filter(|written| written.is_ok()).count(), 48);
        assert_eq!(queue.settle(fourth, Ok(vec![])), Some(1.0));
        assert!(queue.written.iter().all(Result::is_ok));
    }

    #[test]
    fn items_of_a_failed_batch_are_sent_alone() {
        let failed = || Err(CallError::Outage(Outage::StoreError));
        let mut queue = WriteQueue::new(&[false; 3]);
        let batch = queue.next_batch();
        assert_eq!(queue.settle(batch, failed()), None);
        for position in 0..3 {
            assert_eq!(queue.next_batch(), [position]);
            let result = if position == 1 { failed() } else { Ok(vec![]) };
            queue.settle(vec![position], result);
        }
        assert!(queue.is_empty());
        assert_eq!(queue.written, [Ok(()), Err(Outage::StoreError), Ok(())]);
    }

    #[test]
    fn a_success_has_earlier_failures_sent_again() {
        let mut queue = WriteQueue::new(&[false; 6 * BATCH_WRITE_ITEMS]);
        let mut batches: Vec<_> = (0..6).map(|_| queue.next_batch()).collect();
        let last = batches.pop().expect("there are six");
        for batch in batches {
            queue.settle(batch, Err(CallError::Outage(Outage::StoreError)));
        }
        assert_eq!(queue.alone.len(), 4 * BATCH_WRITE_ITEMS);
        queue.settle(last, Ok(vec![]));
        assert_eq!(queue.alone.len(), 5 * BATCH_WRITE_ITEMS);
    }

    #[test]
    fn what_is_left_at_the_end_is_a_timeout() {
        let mut queue = WriteQueue::new(&[false; 27]);
        let batch = queue.next_batch();
        queue.settle(batch, Ok(vec![5]));
        queue.end();
        assert!(queue.is_empty());
        let left: Vec<_> = (0..27).filter(|&position| queue.written[position].is_err()).collect();
        assert_eq!(left, [5, 25, 26]);
        assert_eq!(queue.written[5], Err(Outage::Timeout));
    }
}
