//! How much time an invocation has.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Below this a deadline in milliseconds is a duration, not a time since 1970: `cargo lambda watch`
/// sends 600,000 where Lambda sends about 1.8 × 10¹². It is the year 1973, or three years.
const LARGEST_DURATION_MS: u64 = 100_000_000_000;

/// When an invocation must stop asking the database, so that it can still answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    no_new_calls: Instant,
    no_more_waiting: Instant,
    last_call: Instant,
    cut_off: SystemTime,
}

impl Deadline {
    /// The deadline of an invocation that begins now.
    ///
    /// `deadline_ms` is what the Runtime API says: milliseconds since 1970 when the invocation is
    /// cut off. From `margin` before that no new call starts; calls under way are waited for
    /// during the first half of the margin, the second half is for the answer, less what
    /// [`last_call`](Self::last_call) may take.
    pub fn new(deadline_ms: u64, margin: Duration) -> Self {
        let deadline = Duration::from_millis(deadline_ms);
        let left = if deadline_ms < LARGEST_DURATION_MS {
            deadline
        } else {
            (UNIX_EPOCH + deadline).duration_since(SystemTime::now()).unwrap_or_default()
        };
        let now = Instant::now();
        Self {
            no_new_calls: now + left.saturating_sub(margin),
            no_more_waiting: now + left.saturating_sub(margin / 2),
            last_call: now + left.saturating_sub(margin / 4),
            cut_off: SystemTime::now() + left,
        }
    }

    /// Whether a new call may start.
    pub fn allows_calls(&self) -> bool {
        self.allows_calls_in(Duration::ZERO)
    }

    /// Whether a new call may start after a pause.
    pub fn allows_calls_in(&self, pause: Duration) -> bool {
        Instant::now() + pause < self.no_new_calls
    }

    /// The deadline of the one call that writes down what has been done: it may still be made and
    /// waited for until a quarter of the margin is left.
    pub fn last_call(self) -> Self {
        Self { no_new_calls: self.last_call, no_more_waiting: self.last_call, ..self }
    }

    /// When the invocation is cut off, by the wall clock.
    pub fn cut_off(&self) -> SystemTime {
        self.cut_off
    }

    /// When calls under way are given up.
    pub fn no_more_waiting(&self) -> Instant {
        self.no_more_waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: Duration = Duration::from_millis(1500);

    fn epoch_ms() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn calls_stop_a_margin_before_the_deadline_and_waiting_half_a_margin_before() {
        let deadline = Deadline::new(epoch_ms() + 10_000, MARGIN);
        tokio::time::advance(Duration::from_millis(8_000)).await;
        assert!(deadline.allows_calls());
        assert!(deadline.allows_calls_in(Duration::from_millis(300)));
        assert!(!deadline.allows_calls_in(Duration::from_millis(600)));
        tokio::time::advance(Duration::from_millis(600)).await;
        assert!(!deadline.allows_calls());
        let grace = deadline.no_more_waiting() - Instant::now();
        assert!(grace > Duration::from_millis(500) && grace <= Duration::from_millis(650), "{grace:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_call_has_until_a_quarter_of_the_margin_is_left() {
        let deadline = Deadline::new(10_000, Duration::from_millis(2_000)).last_call();
        tokio::time::advance(Duration::from_millis(9_400)).await;
        assert!(deadline.allows_calls());
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(!deadline.allows_calls());
        assert_eq!(deadline.no_more_waiting(), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_duration_counts_from_now() {
        let deadline = Deadline::new(600_000, MARGIN);
        tokio::time::advance(Duration::from_millis(598_000)).await;
        assert!(deadline.allows_calls());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!deadline.allows_calls());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_past_or_within_the_margin_allows_nothing() {
        for deadline_ms in [epoch_ms() - 60_000, epoch_ms() + 1_000, 1_000, 0] {
            assert!(!Deadline::new(deadline_ms, MARGIN).allows_calls(), "{deadline_ms}");
        }
    }
}
