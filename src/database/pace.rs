//! The pace of calls: unlimited until the database throttles, then what the table can bear.
//!
//! The rule is AIMD, additive increase and multiplicative decrease (Chiu and Jain, 1989; TCP's RFC 5681): several
//! programs that follow it share what there is without knowing of each other. It limits calls per second, not calls under
//! way as TCP does: DynamoDB responds within milliseconds, so even one call at a time can be more than a fair share. A
//! decrease goes down to what was accepted, as TCP Westwood's does, so that few steps suffice, and the increase speeds up
//! with the time since the last throttling, as CUBIC's does (RFC 9438). The SDK's adaptive retries follow CUBIC, too, but
//! count a batch of which a part is unprocessed as a success.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::request::failure::Outage;

/// What a decrease leaves of the rate that was accepted.
const DECREASE: f64 = 0.85;

/// The increase in calls per second, each second; it grows with the square of the seconds without throttling.
const INCREASE: f64 = 4.0;

/// The increase of high rates, each second, as a share of the rate.
const INCREASE_SHARE: f64 = 0.15;

/// The lowest rate right after unlimited calls: that of one partition, 1,000 writes a second in calls of 25.
const PARTITION_RATE: f64 = 40.0;

/// The lowest rate, in calls per second.
const MIN_RATE: f64 = 1.0;

/// A decrease cuts the rate to no less than this share of it.
const MAX_CUT: f64 = 0.1;

/// A decrease takes the responses of at least this time, and at least so many, into account.
const WINDOW: Duration = Duration::from_millis(25);
const WINDOW_RESPONSES: f64 = 8.0;

/// What was accepted before the first decrease is counted over at least this time: some of it is the burst of the table.
const MEASURED: Duration = Duration::from_millis(100);

/// After this time without throttling the pace is unlimited again.
const CALM: Duration = Duration::from_secs(60);

/// The pace of the calls of one kind, shared by all imports of the process.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Calls per second; `None` is unlimited.
    rate: Option<Rate>,
    /// The responses since the last decrease.
    window: Option<Window>,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    /// When `per_second` was last increased.
    increased: Instant,
    throttled: Instant,
    /// When the next call may start.
    next: Instant,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    responses: f64,
    /// Each response counts as the share of it that was accepted.
    accepted: f64,
}

/// A call that was started, for the record of its response.
#[derive(Clone, Copy)]
pub(super) struct Started(Instant);

impl Pace {
    /// Waits until a call may start.
    ///
    /// # Errors
    /// That is after the deadline for new calls.
    pub(super) async fn ready(&self, deadline: Deadline) -> Result<Started, Outage> {
        loop {
            let now = Instant::now();
            let Some(next) = self.start(now) else { return Ok(Started(now)) };
            if !deadline.allows_calls_in(next - now) {
                return Err(Outage::Timeout);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Starts a call now, or returns when the next one may start.
    fn start(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        state.window.get_or_insert(Window::new(now));
        let rate = state.rate.as_mut()?;
        if now < rate.next {
            return Some(rate.next);
        }
        // Full jitter: programs that were throttled together do not come back together.
        let pause = Duration::from_secs_f64(2.0 * fastrand::f64() / rate.per_second);
        // A timer is late by up to a millisecond, which is made up for.
        rate.next = rate.next.max(now - pause) + pause;
        None
    }

    /// Records the response to a call, of which this share was accepted: 1 is all of it, 0 a throttled call.
    pub(super) fn record(&self, Started(started): Started, accepted: f64) {
        let now = Instant::now();
        let mut state = self.state();
        let State { rate, window } = &mut *state;
        let window = window.get_or_insert(Window::new(now));
        // A call from before the last decrease says nothing about the rate since.
        if started >= window.since {
            window.responses += 1.0;
            window.accepted += accepted;
        }
        if accepted < 1.0 {
            let elapsed = now - window.since;
            let decreased = match rate {
                None => (window.accepted / elapsed.max(MEASURED).as_secs_f64()).max(PARTITION_RATE),
                Some(rate) if elapsed >= WINDOW && window.responses >= WINDOW_RESPONSES => {
                    rate.per_second * (window.accepted / window.responses).max(MAX_CUT)
                }
                Some(rate) => return rate.throttled = now,
            };
            let per_second = (decreased * DECREASE).max(MIN_RATE);
            *rate = Some(Rate { per_second, increased: now, throttled: now, next: now });
            *window = Window::new(now);
        } else if let Some(limited) = rate {
            if now - limited.throttled >= CALM {
                *rate = None;
                return;
            }
            let calm = (now - limited.throttled).as_secs_f64();
            let step = (INCREASE + INCREASE_SHARE * limited.per_second) * (1.0 + calm * calm);
            limited.per_second += step * (now - limited.increased).as_secs_f64().min(1.0);
            limited.increased = now;
        }
    }

    /// A poisoned lock is ignored: no code under the lock can leave the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, responses: 0.0, accepted: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(pace: &Pace) -> Option<f64> {
        pace.state().rate.as_ref().map(|rate| rate.per_second)
    }

    fn close(rate: Option<f64>, expected: f64) -> bool {
        rate.is_some_and(|rate| (rate - expected).abs() < 0.01)
    }

    /// Calls that start and end at once: the shares of them that are accepted.
    async fn calls(pace: &Pace, shares: impl IntoIterator<Item = f64>) {
        let deadline = Deadline::new(600_000, Duration::ZERO);
        for accepted in shares {
            let started = pace.ready(deadline).await.expect("time is left");
            pace.record(started, accepted);
        }
    }

    /// A pace of 100 calls a second, just decreased.
    async fn limited() -> Pace {
        let pace = Pace::default();
        pace.state().window = Some(Window::new(Instant::now()));
        let (now, per_second) = (Instant::now(), 100.0);
        pace.state().rate = Some(Rate { per_second, increased: now, throttled: now, next: now });
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_unlimited_until_one_is_throttled() {
        let (pace, start) = (Pace::default(), Instant::now());
        calls(&pace, [1.0; 1_000]).await;
        assert_eq!((rate(&pace), start.elapsed()), (None, Duration::ZERO));
        calls(&pace, [0.0]).await;
        // 1,000 within the shortest time that is measured.
        assert!(close(rate(&pace), 10_000.0 * DECREASE), "{:?}", rate(&pace));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_rate_is_what_was_accepted() {
        let pace = Pace::default();
        calls(&pace, [1.0; 200]).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        calls(&pace, [0.0]).await;
        assert!(close(rate(&pace), 100.0 * DECREASE), "{:?}", rate(&pace));
        // But no less than a partition takes.
        let pace = Pace::default();
        calls(&pace, [0.0]).await;
        assert!(close(rate(&pace), PARTITION_RATE * DECREASE));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_keep_the_rate_on_average() {
        fastrand::seed(1);
        let pace = limited().await;
        let deadline = Deadline::new(600_000, Duration::ZERO);
        let start = Instant::now();
        for _ in 0..1_000 {
            pace.ready(deadline).await.expect("time is left");
        }
        let seconds = start.elapsed().as_secs_f64();
        assert!((9.0..11.0).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_decrease_takes_a_window_of_responses_into_account() {
        let pace = limited().await;
        let now = || Started(Instant::now());
        // Too soon, then too few.
        (0..8).for_each(|_| pace.record(now(), 0.5));
        assert!(close(rate(&pace), 100.0));
        tokio::time::advance(WINDOW).await;
        pace.record(now(), 0.5);
        assert!(close(rate(&pace), 100.0 * 0.5 * DECREASE), "{:?}", rate(&pace));
        tokio::time::advance(WINDOW).await;
        (0..7).for_each(|_| pace.record(now(), 0.0));
        assert!(close(rate(&pace), 50.0 * DECREASE), "seven responses are too few");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_a_decrease_do_not_count() {
        let pace = limited().await;
        let before = Started(Instant::now() - Duration::from_millis(1));
        tokio::time::advance(WINDOW * 2).await;
        (0..20).for_each(|_| pace.record(before, 0.0));
        assert!(close(rate(&pace), 100.0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_decrease_has_a_limit_and_so_has_the_rate() {
        let pace = limited().await;
        for expected in [100.0 * MAX_CUT * DECREASE, 1.0, 1.0] {
            tokio::time::advance(WINDOW).await;
            (0..8).for_each(|_| pace.record(Started(Instant::now()), 0.0));
            assert!(close(rate(&pace), expected), "{:?}, not {expected}", rate(&pace));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn successes_increase_the_rate_over_time() {
        let pace = limited().await;
        tokio::time::advance(Duration::from_millis(500)).await;
        pace.record(Started(Instant::now()), 1.0);
        let half_a_second = 100.0 + 0.5 * (INCREASE + INCREASE_SHARE * 100.0) * 1.25;
        assert!(close(rate(&pace), half_a_second), "{:?}", rate(&pace));
        pace.record(Started(Instant::now()), 1.0);
        assert!(close(rate(&pace), half_a_second));
        // Without calls nothing is known: the time counts as a second.
        tokio::time::advance(Duration::from_millis(2_500)).await;
        pace.record(Started(Instant::now()), 1.0);
        let step = (INCREASE + INCREASE_SHARE * half_a_second) * 10.0;
        assert!(close(rate(&pace), half_a_second + step), "{:?}", rate(&pace));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_ends_when_all_is_calm() {
        let pace = limited().await;
        tokio::time::advance(Duration::from_secs(30)).await;
        // Throttled once more, too soon for a decrease.
        pace.record(Started(Instant::now()), 0.5);
        tokio::time::advance(CALM - Duration::from_millis(1)).await;
        pace.record(Started(Instant::now()), 1.0);
        assert!(rate(&pace).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        pace.record(Started(Instant::now()), 1.0);
        assert_eq!(rate(&pace), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_beyond_the_deadline() {
        let pace = limited().await;
        pace.state().rate.as_mut().expect("limited").next = Instant::now() + Duration::from_secs(5);
        let ended = pace.ready(Deadline::new(4_000, Duration::ZERO)).await;
        assert_eq!(ended.err(), Some(Outage::Timeout));
        assert!(pace.ready(Deadline::new(6_000, Duration::ZERO)).await.is_ok());
    }
}
