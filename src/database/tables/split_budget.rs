//! How many failed calls are replaced by a call for each of their items.

use super::items::BATCH_GET_KEYS;

/// The calls that may be added at first, and for each call that succeeds: those for the largest call.
const CALLS: usize = BATCH_GET_KEYS;

/// One of the items of a call may be why it failed, and would fail the others at every sending. In an outage each call
/// fails, and many more of them would prolong it.
#[derive(Debug)]
pub(super) struct SplitBudget(usize);

impl Default for SplitBudget {
    fn default() -> Self {
        Self(CALLS)
    }
}

impl SplitBudget {
    /// A call succeeded.
    pub fn deposit(&mut self) {
        self.0 += CALLS;
    }

    /// A call with so many items failed: whether it is replaced.
    pub fn withdraw(&mut self, items: usize) -> bool {
        let is_enough = self.0 >= items;
        self.0 -= if is_enough { items } else { 0 };
        is_enough
    }
}
