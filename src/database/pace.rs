//! The pace of calls, shared by all imports of the process: unlimited until the database throttles, then the
//! [rate](super::call_rate) that the table can bear.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::call_rate::CallRate;
use crate::deadline::Deadline;
use crate::request::failure::Outage;

/// The pace of the calls of one kind.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<CallRate>);

/// A call that was started, for the record of its response.
#[derive(Clone, Copy)]
pub(super) struct Started(Instant);

impl Pace {
    /// Waits until a call may start.
    ///
    /// # Errors
    /// That is after the deadline for new calls.
    pub(super) async fn ready(&self, deadline: Deadline) -> Result<Started, Outage> {
        self.ready_within(Duration::MAX, deadline).await
    }

    /// Waits until a call may start, but no longer than `patience`.
    ///
    /// # Errors
    /// That is later, or after the deadline for new calls.
    pub(super) async fn ready_within(
        &self,
        patience: Duration,
        deadline: Deadline,
    ) -> Result<Started, Outage> {
        let since = Instant::now();
        loop {
            let now = Instant::now();
            let Some(next) = self.rate().start(now) else { return Ok(Started(now)) };
            if next - since > patience || !deadline.allows_calls_in(next - now) {
                return Err(Outage::Timeout);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Records the response to a call, of which this share was accepted: 1 is all of it, 0 a throttled call.
    pub(super) fn record(&self, Started(started): Started, accepted: f64) {
        self.rate().record(started, Instant::now(), accepted);
    }

    /// A poisoned lock is ignored: no code under the lock can leave the rate inconsistent.
    fn rate(&self) -> MutexGuard<'_, CallRate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_beyond_the_deadline_or_its_patience() {
        fastrand::seed(1);
        let pace = Pace::default();
        let (deadline, patient) = (Deadline::new(10_000, Duration::ZERO), Duration::MAX);
        // Down to one call a second.
        for _ in 0..5 {
            for _ in 0..8 {
                pace.record(Started(Instant::now()), 0.0);
            }
            tokio::time::advance(Duration::from_millis(25)).await;
            pace.record(Started(Instant::now()), 0.0);
        }
        let start = Instant::now();
        pace.ready(deadline).await.expect("the first may start");
        assert!(pace.ready_within(Duration::ZERO, deadline).await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO);
        let mut calls = 0;
        while pace.ready_within(patient, deadline).await.is_ok() {
            calls += 1;
        }
        assert!((5..16).contains(&calls), "{calls} in ten seconds");
        assert!(start.elapsed() <= Duration::from_secs(10));
    }
}
