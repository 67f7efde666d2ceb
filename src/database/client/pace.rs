//! The pace of calls, shared by all imports of the process: unlimited until the database throttles, then the
//! [rate](super::call_rate) that the table can bear.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::call_rate::CallRate;
use crate::request::failure::Outage;

/// The pace of the calls of one kind; of a single call, with a pace of its own, that of its repetitions.
#[derive(Debug, Default)]
pub struct Pace {
    rate: Mutex<CallRate>,
    /// Who waits for the next call; the others queue, so that one is woken, not all.
    turn: tokio::sync::Mutex<()>,
}

/// A call that was started, for the record of its response.
#[derive(Clone, Copy)]
pub struct Started(Instant);

impl Pace {
    /// Waits until a call may start.
    ///
    /// # Errors
    /// None may start before `end`.
    pub async fn ready(&self, end: Instant) -> Result<Started, Outage> {
        let turn = tokio::time::timeout_at(end, self.turn.lock()).await;
        let _turn = turn.map_err(|_| Outage::Timeout)?;
        loop {
            let now = Instant::now();
            if now >= end {
                return Err(Outage::Timeout);
            }
            let Some(next) = self.rate().start(now) else { return Ok(Started(now)) };
            if next >= end {
                return Err(Outage::Timeout);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Records the response to a call, of which this share was accepted: 1 is all of it, 0 a throttled call.
    pub fn record(&self, Started(started): Started, accepted: f64) {
        self.rate().record(started, Instant::now(), accepted);
    }

    /// A poisoned lock is ignored: no code under the lock can leave the rate inconsistent.
    fn rate(&self) -> MutexGuard<'_, CallRate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use futures_util::future::join_all;
    use testing::capacity::Capacity;

    use super::*;
    use crate::database::client::accepted_share;

    const BATCH_WRITE_ITEMS: usize = 25;

    /// One call a second.
    fn lowest() -> Pace {
        let pace = Pace::default();
        (0..6).for_each(|_| pace.record(Started(Instant::now()), 0.0));
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_starts_after_the_end() {
        for pace in [Pace::default(), lowest()] {
            let now = Instant::now();
            assert!(pace.ready(now).await.is_err());
            assert!(pace.ready(now + Duration::from_millis(1)).await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_queue_for_their_turn_until_the_end() {
        fastrand::seed(1);
        let (pace, start) = (lowest(), Instant::now());
        let end = start + Duration::from_secs(10);
        let polls = Cell::new(0);
        let calls = join_all((0..40).map(|_| async {
            let mut ready = pin!(pace.ready(end));
            let counted = poll_fn(|context| {
                polls.set(polls.get() + 1);
                ready.as_mut().poll(context)
            });
            (counted.await.is_ok(), start.elapsed().as_secs_f64())
        }));
        // Those behind the last one that may start fail as soon as that is known, one with less time at its own end.
        let with_less_time = async {
            assert!(pace.ready(start + Duration::from_millis(100)).await.is_err());
            start.elapsed().as_millis()
        };
        let (calls, failed_after) = tokio::join!(calls, with_less_time);
        assert_eq!(failed_after, 100);
        let started = calls.iter().filter(|(is_started, _)| *is_started).count();
        assert!((8..=14).contains(&started), "{started} in ten seconds");
        assert!(calls.is_sorted_by(|(_, before), (_, after)| before <= after), "{calls:?}");
        assert!(calls.iter().all(|(_, seconds)| *seconds < 10.0), "{calls:?}");
        // Each is polled at its start, its turn and its slot, not at the slot of each other one.
        assert!(polls.get() <= 3 * 40, "{} polls", polls.get());
    }

    /// Writes items with 32 calls at a time, of 5 ms each; returns the number of calls.
    async fn write(pace: &Pace, items: usize, table: Option<&Capacity>) -> usize {
        let (left, calls) = (Cell::new(items), Cell::new(0));
        let worker = async || {
            while left.get() > 0 {
                let started = pace.ready(Instant::now() + Duration::from_secs(60)).await.expect("it starts");
                let batch = left.get().min(BATCH_WRITE_ITEMS);
                if batch == 0 {
                    return;
                }
                left.set(left.get() - batch);
                calls.set(calls.get() + 1);
                tokio::time::sleep(Duration::from_millis(5)).await;
                let throttled = |table: &Capacity| !table.take(&fastrand::u64(..).to_string(), 1.0);
                let unprocessed = table.map_or(0, |table| (0..batch).filter(|_| throttled(table)).count());
                pace.record(started, accepted_share(unprocessed, batch));
                left.set(left.get() + unprocessed);
            }
        };
        join_all((0..32).map(|_| worker())).await;
        calls.get()
    }

    /// As many items as a table of 500 writes a second takes in an invocation, in all processes together.
    #[tokio::test(start_paused = true)]
    async fn throttled_again_after_a_calm_few_calls_are_in_vain() {
        const ITEMS: usize = 12_800;
        for case in 0..48 {
            let processes = [1, 2, 4][case % 3];
            let seconds = [1, 5, 10, 30, 40, 60, 120, 600][case / 3 % 8];
            let imports_go_on = case < 24;
            fastrand::seed(seconds);
            let paces: Vec<Pace> = (0..processes).map(|_| lowest()).collect();
            let end = Instant::now() + Duration::from_secs(seconds);
            while imports_go_on && Instant::now() < end {
                tokio::time::sleep_until(end.min(Instant::now() + Duration::from_secs(seconds) / 20)).await;
                join_all(paces.iter().map(|pace| write(pace, 2_000, None))).await;
            }
            tokio::time::sleep_until(end).await;
            let table = Capacity::new(4, 125.0, 1.0);
            let runs = join_all(paces.iter().map(|pace| write(pace, ITEMS / processes, Some(&table)))).await;
            let (calls, fewest) = (runs.iter().sum::<usize>(), ITEMS / BATCH_WRITE_ITEMS);
            let case = format!("{processes} processes, {seconds} s, imports: {imports_go_on}");
            assert!(2 * calls <= 3 * fewest, "{case}: {calls} calls, {fewest} at least");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_does_not_hold_up_the_others() {
        let pace = lowest();
        let end = Instant::now() + Duration::from_secs(10);
        pace.ready(end).await.expect("the first may start");
        assert!(tokio::time::timeout(Duration::from_millis(10), pace.ready(end)).await.is_err());
        assert!(pace.ready(end).await.is_ok());
    }
}
