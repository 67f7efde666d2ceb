//! How many requests at a time, and of how many records: fewer while records run out of time at the service, whose
//! database is throttled then.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The code of records that ran out of time.
pub const TIMEOUT: &str = "TIMEOUT";

/// A request has at least so many records, unless fewer are left.
const LEAST_RECORDS: usize = 50;

/// The pace of all requests of a run: halved after a request with records that ran out of time, raised after one
/// without (additive increase, multiplicative decrease).
pub struct Pace {
    most: Limits,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    requests: usize,
    records: usize,
}

struct State {
    now: Limits,
    under_way: usize,
}

/// A request under way; dropping it lets another one start.
pub struct UnderWay<'p>(&'p Pace);

impl Pace {
    /// At most so many requests at a time, of at most so many records.
    pub fn new(requests: usize, records: usize) -> Self {
        let most = Limits { requests, records };
        Self { most, state: Mutex::new(State { now: most, under_way: 0 }), freed: Condvar::new() }
    }

    /// Waits until another request may start.
    pub fn start(&self) -> UnderWay<'_> {
        let mut state = self.state();
        while state.under_way >= state.now.requests {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.under_way += 1;
        UnderWay(self)
    }

    /// How many records the next request has at most.
    pub fn records(&self) -> usize {
        self.state().now.records
    }

    /// Adapts to a request, some of whose records may have run out of time.
    pub fn adapt(&self, timed_out: bool) {
        let mut state = self.state();
        let Limits { requests, records } = state.now;
        state.now = if timed_out {
            let least = LEAST_RECORDS.min(self.most.records);
            Limits { requests: (requests / 2).max(1), records: (records / 2).max(least) }
        } else {
            let step = self.most.records.div_ceil(8);
            Limits {
                requests: (requests + 1).min(self.most.requests),
                records: (records + step).min(self.most.records),
            }
        };
        drop(state);
        self.freed.notify_all();
    }

    /// A thread that panicked ends the run.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_halved_and_raised_again() {
        let pace = Pace::new(4, 1_000);
        let adapt = |timed_out| {
            pace.adapt(timed_out);
            let Limits { requests, records } = pace.state().now;
            (requests, records)
        };
        assert_eq!([true; 6].map(adapt), [(2, 500), (1, 250), (1, 125), (1, 62), (1, 50), (1, 50)]);
        assert_eq!([false; 3].map(adapt), [(2, 175), (3, 300), (4, 425)]);
        assert_eq!([false; 6].map(adapt).last(), Some(&(4, 1_000)));
        let small = Pace::new(1, 10);
        small.adapt(true);
        assert_eq!(small.records(), 10);
    }

    #[test]
    fn no_more_requests_run_than_allowed() {
        let pace = Pace::new(2, 100);
        let first = pace.start();
        pace.adapt(true);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| drop(pace.start()));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!second.is_finished(), "one at a time");
            drop(first);
        });
        assert_eq!(pace.state().under_way, 0);
    }
}
