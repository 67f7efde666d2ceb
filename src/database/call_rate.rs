//! The rate of calls that a table can bear: when the next one may start, and what each response changes. Pure.
//!
//! The rule is AIMD, additive increase and multiplicative decrease (Chiu and Jain, 1989; TCP's RFC 5681): several
//! programs that follow it share what there is without knowing of each other. It limits calls per second, not calls under
//! way as TCP does: DynamoDB responds within milliseconds, so even one call at a time can be more than a fair share. A
//! decrease goes down to what was accepted, as TCP Westwood's does, so that few steps suffice, and the increase speeds up
//! with the time since the last throttling, as CUBIC's does (RFC 9438). The SDK's adaptive retries follow CUBIC, too, but
//! count a batch of which a part is unprocessed as a success.

use std::time::Duration;

use tokio::time::Instant;

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

/// What was accepted before the first decrease is counted over at least this time, because some of it is the burst of
/// the table, and over about the last second.
const MEASURED: Duration = Duration::from_millis(100);
const MEASURED_AT_MOST: Duration = Duration::from_secs(1);

/// After this time without throttling the pace is unlimited again.
const CALM: Duration = Duration::from_secs(60);

/// The rate of calls of one kind.
#[derive(Debug, Default)]
pub(super) struct CallRate {
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
    /// When the last call was started.
    last: Instant,
    responses: f64,
    /// Each response counts as the share of it that was accepted.
    accepted: f64,
}

impl CallRate {
    /// Starts a call now, or returns when the next one may start.
    pub fn start(&mut self, now: Instant) -> Option<Instant> {
        let window = self.window.get_or_insert(Window::new(now));
        let was_idle = now - window.last >= MEASURED_AT_MOST;
        window.last = now;
        let Some(rate) = &mut self.rate else {
            if was_idle {
                self.window = Some(Window::new(now));
            }
            return None;
        };
        if now < rate.next {
            return Some(rate.next);
        }
        // Full jitter: programs that were throttled together do not come back together.
        let pause = Duration::from_secs_f64(2.0 * fastrand::f64() / rate.per_second);
        // A timer is late by up to a millisecond, which is made up for.
        rate.next = rate.next.max(now - pause) + pause;
        None
    }

    /// Records the response to a call started then, of which this share was accepted: 1 is all of it, 0 a throttled call.
    pub fn record(&mut self, started: Instant, now: Instant, accepted: f64) {
        let Self { rate, window } = self;
        let window = window.get_or_insert(Window::new(now));
        // A call from before the last decrease says nothing about the rate since.
        if rate.is_none() || started >= window.since {
            window.responses += 1.0;
            window.accepted += accepted;
        }
        let elapsed = now - window.since;
        if rate.is_none() && elapsed > MEASURED_AT_MOST {
            window.forget_half(elapsed);
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
}

/// The share of the items of a call that the database processed.
pub(super) fn accepted_share(unprocessed: usize, items: usize) -> f64 {
    1.0 - unprocessed as f64 / items as f64
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, last: since, responses: 0.0, accepted: 0.0 }
    }

    /// Gives what comes next more weight than what was accepted. How many responses that were matters only after a
    /// decrease, which begins another window.
    fn forget_half(&mut self, elapsed: Duration) {
        self.since += elapsed / 2;
        self.accepted /= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(rate: &CallRate, expected: f64) -> bool {
        rate.rate.as_ref().is_some_and(|rate| (rate.per_second - expected).abs() < 0.01)
    }

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Calls that start and end at once.
    fn calls(rate: &mut CallRate, now: Instant, count: usize, accepted: f64) {
        for _ in 0..count {
            rate.start(now);
            rate.record(now, now, accepted);
        }
    }

    /// 100 calls a second, just decreased.
    fn limited(now: Instant) -> CallRate {
        let rate = Rate { per_second: 100.0, increased: now, throttled: now, next: now };
        CallRate { rate: Some(rate), window: Some(Window::new(now)) }
    }

    #[test]
    fn calls_are_unlimited_until_one_is_throttled() {
        let (mut rate, now) = (CallRate::default(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(rate.start(now), None);
            rate.record(now, now, 1.0);
        }
        assert!(rate.rate.is_none());
        // 1,000 within the shortest time that is measured.
        calls(&mut rate, now, 1, 0.0);
        assert!(close(&rate, 10_000.0 * DECREASE), "{rate:?}");
    }

    #[test]
    fn the_first_rate_is_what_was_accepted() {
        let (mut rate, start) = (CallRate::default(), Instant::now());
        (0..10).for_each(|tenth| calls(&mut rate, after(start, 100 * tenth), 20, 1.0));
        calls(&mut rate, after(start, 1_000), 1, 0.0);
        assert!(close(&rate, 200.0 * DECREASE), "{rate:?}");
        // But no less than a partition takes.
        let mut rate = CallRate::default();
        calls(&mut rate, start, 1, 0.0);
        assert!(close(&rate, PARTITION_RATE * DECREASE));
    }

    #[test]
    fn only_the_last_seconds_count_for_the_first_rate() {
        let (mut rate, start) = (CallRate::default(), Instant::now());
        // Slowly, with and without breaks, then at 100 a second.
        (0..10).for_each(|minute| calls(&mut rate, after(start, 60_000 * minute), 1, 1.0));
        (0..300).for_each(|n| calls(&mut rate, after(start, 600_000 + 200 * n), 1, 1.0));
        (0..100).for_each(|n| calls(&mut rate, after(start, 660_000 + 50 * n), 5, 1.0));
        calls(&mut rate, after(start, 665_000), 1, 0.0);
        let per_second = rate.rate.expect("limited").per_second;
        assert!((80.0..105.0).contains(&per_second), "{per_second} of 100 x {DECREASE}");
    }

    #[test]
    fn calls_keep_the_rate_on_average() {
        fastrand::seed(1);
        let start = Instant::now();
        let (mut rate, mut now) = (limited(start), start);
        for _ in 0..1_000 {
            while let Some(next) = rate.start(now) {
                assert!(next > now);
                now = next;
            }
        }
        let seconds = (now - start).as_secs_f64();
        assert!((9.0..11.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_decrease_takes_a_window_of_responses_into_account() {
        let start = Instant::now();
        let mut rate = limited(start);
        // Too soon, then enough.
        calls(&mut rate, after(start, 24), 8, 0.5);
        assert!(close(&rate, 100.0));
        calls(&mut rate, after(start, 25), 1, 0.5);
        assert!(close(&rate, 100.0 * 0.5 * DECREASE), "{rate:?}");
        calls(&mut rate, after(start, 50), 7, 0.0);
        assert!(close(&rate, 50.0 * DECREASE), "seven responses are too few");
    }

    #[test]
    fn calls_from_before_a_decrease_do_not_count() {
        let start = Instant::now();
        let mut rate = limited(after(start, 1));
        (0..20).for_each(|_| rate.record(start, after(start, 60), 0.0));
        assert!(close(&rate, 100.0));
    }

    #[test]
    fn one_decrease_has_a_limit_and_so_has_the_rate() {
        let start = Instant::now();
        let mut rate = limited(start);
        for (step, expected) in [(1, 100.0 * MAX_CUT * DECREASE), (2, MIN_RATE), (3, MIN_RATE)] {
            calls(&mut rate, after(start, 25 * step), 8, 0.0);
            assert!(close(&rate, expected), "{rate:?}, not {expected}");
        }
    }

    #[test]
    fn successes_increase_the_rate_over_time() {
        let start = Instant::now();
        let mut rate = limited(start);
        calls(&mut rate, after(start, 500), 1, 1.0);
        let half_a_second = 100.0 + 0.5 * (INCREASE + INCREASE_SHARE * 100.0) * 1.25;
        assert!(close(&rate, half_a_second), "{rate:?}");
        calls(&mut rate, after(start, 500), 1, 1.0);
        assert!(close(&rate, half_a_second));
        // Without calls nothing is known: the time counts as a second, but for the acceleration.
        calls(&mut rate, after(start, 3_000), 1, 1.0);
        assert!(close(&rate, half_a_second + (INCREASE + INCREASE_SHARE * half_a_second) * 10.0), "{rate:?}");
    }

    #[test]
    fn a_limit_ends_when_all_is_calm() {
        let start = Instant::now();
        let mut rate = limited(start);
        // Throttled once more, too few for a decrease.
        calls(&mut rate, after(start, 30_000), 1, 0.5);
        calls(&mut rate, after(start, 89_999), 1, 1.0);
        assert!(rate.rate.is_some());
        calls(&mut rate, after(start, 90_000), 1, 1.0);
        assert!(rate.rate.is_none());
    }
}
