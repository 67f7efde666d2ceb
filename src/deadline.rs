//! The time limits of an invocation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Below this limit a deadline in milliseconds is taken as a duration, not as a time since 1970:
/// `cargo lambda watch` sends 600,000, Lambda about 1.8 × 10¹². As a time, the limit is in 1973; as a
/// duration, three years.
const LARGEST_DURATION_MS: u64 = 100_000_000_000;

/// The share of the time for calls that look-ups may take, so that what they find can be written (contract, section 5).
const LOOK_UPS_SHARE: f64 = 0.7;

/// The share of the time left for calls that checks before writes may take, as they need not be made.
const CHECKS_SHARE: f64 = 0.25;

/// When an invocation must stop calling the database, so that it can still respond.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    arrival: Instant,
    /// When the time for new calls is over.
    pub no_new_calls: Instant,
    /// When running calls are aborted.
    pub no_more_waiting: Instant,
    last_call: Instant,
    /// When the invocation ends, by the wall clock.
    pub cut_off: SystemTime,
}

impl Deadline {
    /// The deadline of an invocation that starts now.
    ///
    /// `deadline_ms` is the end of the invocation as the Runtime API reports it, in milliseconds since
    /// 1970. No new call starts later than `margin` before it. Running calls may end during the first
    /// half of the margin; the second half is for the response, less the time of
    /// [`last_call`](Self::last_call).
    pub fn new(deadline_ms: u64, margin: Duration) -> Self {
        let deadline = Duration::from_millis(deadline_ms);
        let left = if deadline_ms < LARGEST_DURATION_MS {
            deadline
        } else {
            (UNIX_EPOCH + deadline).duration_since(SystemTime::now()).unwrap_or_default()
        };
        let now = Instant::now();
        Self {
            arrival: now,
            no_new_calls: now + left.saturating_sub(margin),
            no_more_waiting: now + left.saturating_sub(margin / 2),
            last_call: now + left.saturating_sub(margin / 4),
            cut_off: SystemTime::now() + left,
        }
    }

    /// Whether a new call may start.
    pub fn allows_calls(&self) -> bool {
        Instant::now() < self.no_new_calls
    }

    /// The deadline of the one call that stores the outcome: it may start and run until a quarter of
    /// the margin is left.
    pub fn last_call(self) -> Self {
        Self { no_new_calls: self.last_call, no_more_waiting: self.last_call, ..self }
    }

    /// The deadline of look-ups: none starts, and none is waited for, when their share of the time for calls is over.
    pub fn of_look_ups(self) -> Self {
        let end = self.at_share(LOOK_UPS_SHARE);
        Self { no_new_calls: end, no_more_waiting: end, ..self }
    }

    /// When half of the time for look-ups is over.
    pub fn half_time_of_look_ups(&self) -> Instant {
        self.at_share(LOOK_UPS_SHARE / 2.0)
    }

    /// The deadline of checks that start now: none starts, and none is waited for, when their share of the time that is
    /// left is over, so that what they do not spare can be written.
    pub fn of_checks(self) -> Self {
        let now = Instant::now();
        let end = now + self.no_new_calls.saturating_duration_since(now).mul_f64(CHECKS_SHARE);
        Self { no_new_calls: end, no_more_waiting: end, ..self }
    }

    fn at_share(&self, share: f64) -> Instant {
        self.arrival + (self.no_new_calls - self.arrival).mul_f64(share)
    }
}

/// A time as the time since 1970.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: Duration = Duration::from_millis(1500);

    fn epoch_ms() -> u64 {
        since_1970(SystemTime::now()).as_millis() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn calls_stop_before_the_deadline() {
        let deadline = Deadline::new(epoch_ms() + 10_000, MARGIN);
        tokio::time::advance(Duration::from_millis(8_300)).await;
        assert!(deadline.allows_calls());
        tokio::time::advance(Duration::from_millis(300)).await;
        assert!(!deadline.allows_calls());
        let grace = deadline.no_more_waiting - Instant::now();
        assert!(grace > Duration::from_millis(500) && grace <= Duration::from_millis(650), "{grace:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn look_ups_have_seven_tenths_of_the_time_for_calls() {
        let deadline = Deadline::new(11_500, MARGIN);
        tokio::time::advance(Duration::from_millis(3_500)).await;
        assert_eq!(deadline.half_time_of_look_ups(), Instant::now());
        tokio::time::advance(Duration::from_millis(3_499)).await;
        assert!(deadline.of_look_ups().allows_calls());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!deadline.of_look_ups().allows_calls() && deadline.allows_calls());
        assert_eq!(deadline.of_look_ups().no_more_waiting, Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn checks_have_a_quarter_of_what_is_left() {
        let deadline = Deadline::new(11_500, MARGIN);
        tokio::time::advance(Duration::from_millis(8_000)).await;
        let checks = deadline.of_checks();
        tokio::time::advance(Duration::from_millis(499)).await;
        assert!(checks.allows_calls());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!((checks.no_new_calls, checks.no_more_waiting), (Instant::now(), Instant::now()));
        tokio::time::advance(Duration::from_millis(2_000)).await;
        assert!(!deadline.of_checks().allows_calls());
    }

    #[tokio::test(start_paused = true)]
    async fn last_call_leaves_a_quarter_of_the_margin() {
        let deadline = Deadline::new(10_000, Duration::from_millis(2_000)).last_call();
        tokio::time::advance(Duration::from_millis(9_400)).await;
        assert!(deadline.allows_calls());
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(!deadline.allows_calls());
        assert_eq!(deadline.no_more_waiting, Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn durations_count_from_now() {
        let deadline = Deadline::new(600_000, MARGIN);
        tokio::time::advance(Duration::from_millis(598_000)).await;
        assert!(deadline.allows_calls());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!deadline.allows_calls());
    }

    #[tokio::test(start_paused = true)]
    async fn no_calls_within_the_margin() {
        for deadline_ms in [epoch_ms() - 60_000, epoch_ms() + 1_000, 1_000, 0] {
            assert!(!Deadline::new(deadline_ms, MARGIN).allows_calls(), "{deadline_ms}");
        }
    }
}
