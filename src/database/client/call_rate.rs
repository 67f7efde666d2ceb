//! The rate of calls that a table can bear: when the next one may start, and what each response changes. Pure.
//!
//! The rule is AIMD, additive increase and multiplicative decrease (Chiu and Jain, 1989; TCP's RFC 5681): several
//! programs that follow it share what there is without knowing of each other. It limits calls per second, not calls under
//! way as TCP does: DynamoDB responds within milliseconds, so even one call at a time can be more than a fair share. A
//! decrease goes down from what was accepted, as TCP Westwood's does, so that few steps suffice. The increase speeds up
//! with the time since the last throttling, as CUBIC's does (RFC 9438), but time is counted in accepted calls: a limit
//! that is not used shows nothing, and does not rise (RFC 7661). The SDK's adaptive retries follow CUBIC, too, but count
//! a batch of which a part is unprocessed as a success.

use std::time::Duration;

use tokio::time::Instant;

/// What a decrease leaves of the rate that was accepted: CUBIC's factor (RFC 9438, section 4.6).
const DECREASE: f64 = 0.7;

/// The increase right after a throttling, in calls per second each second: the same for all programs, so that their
/// shares become equal.
const INCREASE: f64 = 2.0;

/// The increase later, as a share of the rate each second, grows by the square of the seconds without throttling times
/// this: a table whose throttling has ended is used again within seconds.
const ACCELERATION: f64 = 0.5;

/// The lowest rate right after unlimited calls, before [`DECREASE`]: what one partition takes, 1,000 writes a second in
/// calls of 25. The first call of many at a time may be throttled before any was accepted.
const PARTITION_RATE: f64 = 40.0;

/// The lowest rate, in calls per second: these calls show when throttling has ended.
const MIN_RATE: f64 = 1.0;

/// A higher rate, in calls per second, is no limit: timers have a resolution of a millisecond.
const MAX_RATE: f64 = 1_000.0;

/// A limit is decreased after so many responses to calls that it let start: fewer say little about a table.
const RESPONSES: f64 = 5.0;

/// A call of which this share is accepted is not throttled: a table that bears less leaves more of it unprocessed, and the
/// few items of one hot partition would be no fewer at a lower rate.
const ENOUGH: f64 = 0.8;

/// The rate of calls of one kind.
#[derive(Debug, Default)]
pub struct CallRate {
    /// Unlimited until a call is throttled, and again after a rise beyond [`MAX_RATE`].
    limit: Option<Limit>,
    /// The accepted calls, of which each counts less by the factor e for each second since: about those of the last
    /// second.
    accepted: f64,
    /// When `accepted` was last brought up to date.
    counted: Option<Instant>,
}

#[derive(Debug)]
struct Limit {
    /// Calls per second: [`MIN_RATE`] to [`MAX_RATE`].
    per_second: f64,
    /// The seconds without throttling, as many as the calls accepted since then take at this rate.
    calm: f64,
    /// When the next call may start.
    next: Instant,
    /// When the rate was last decreased, and the responses to calls started since.
    since: Instant,
    responses: f64,
    /// Each of these responses counts as the share of it that was accepted.
    accepted: f64,
}

impl CallRate {
    /// Starts a call now, or returns when the next one may start.
    pub fn start(&mut self, now: Instant) -> Option<Instant> {
        let limit = self.limit.as_mut()?;
        if now < limit.next {
            return Some(limit.next);
        }
        // Jitter: programs that were throttled together do not come back together.
        let pause = Duration::from_secs_f64((0.5 + fastrand::f64()) / limit.per_second);
        // A timer is late by up to a millisecond, which is made up for.
        limit.next = limit.next.max(now - pause) + pause;
        None
    }

    /// Records the response to a call started then, of which this share was accepted: 1 is all of it, 0 a throttled call.
    pub fn record(&mut self, started: Instant, now: Instant, accepted: f64) {
        let elapsed = now - self.counted.replace(now).unwrap_or(now);
        self.accepted = self.accepted * (-elapsed.as_secs_f64()).exp() + accepted;
        let Some(limit) = &mut self.limit else {
            if accepted < ENOUGH {
                self.limit = Some(Limit::decreased(self.accepted.max(PARTITION_RATE), now));
            }
            return;
        };
        // A call from before the last decrease says nothing about the rate since.
        if started < limit.since {
            return;
        }
        limit.responses += 1.0;
        limit.accepted += accepted;
        if accepted < ENOUGH {
            limit.calm = 0.0;
            if limit.responses >= RESPONSES {
                *limit = Limit::decreased(limit.per_second * limit.accepted / limit.responses, now);
            }
        } else {
            limit.increase();
            if limit.per_second > MAX_RATE {
                self.limit = None;
            }
        }
    }
}

impl Limit {
    /// The limit where so many calls per second were accepted, and more were throttled.
    fn decreased(accepted: f64, now: Instant) -> Self {
        let per_second = (DECREASE * accepted).clamp(MIN_RATE, DECREASE * MAX_RATE);
        Self { per_second, calm: 0.0, next: now, since: now, responses: 0.0, accepted: 0.0 }
    }

    /// Raises the rate by what an accepted call is worth.
    fn increase(&mut self) {
        let seconds = 1.0 / self.per_second;
        self.calm += seconds;
        self.per_second += (INCREASE + ACCELERATION * self.per_second * self.calm.powi(2)) * seconds;
    }
}

/// The share of the items of a call that the database processed.
pub fn accepted_share(unprocessed: usize, items: usize) -> f64 {
    1.0 - unprocessed as f64 / items as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(rate: &CallRate, expected: f64) -> bool {
        rate.limit.as_ref().is_some_and(|limit| (limit.per_second - expected).abs() < 0.01)
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
        CallRate { limit: Some(Limit::decreased(100.0 / DECREASE, now)), ..CallRate::default() }
    }

    #[test]
    fn calls_are_unlimited_until_one_is_throttled() {
        let (mut rate, now) = (CallRate::default(), Instant::now());
        for _ in 0..10_000 {
            assert_eq!(rate.start(now), None);
            rate.record(now, now, 0.8);
        }
        assert!(rate.limit.is_none());
        calls(&mut rate, now, 1, 0.0);
        assert!(close(&rate, MAX_RATE * DECREASE), "{rate:?}");
        assert!(rate.start(now).is_none() && rate.start(now).is_some());
    }

    #[test]
    fn the_first_rate_is_what_the_last_second_accepted() {
        let (mut rate, start) = (CallRate::default(), Instant::now());
        // Slowly, with and without breaks, then at 100 a second.
        (0..10).for_each(|minute| calls(&mut rate, after(start, 60_000 * minute), 1, 1.0));
        (0..300).for_each(|n| calls(&mut rate, after(start, 600_000 + 200 * n), 1, 1.0));
        (0..100).for_each(|n| calls(&mut rate, after(start, 660_000 + 50 * n), 5, 1.0));
        calls(&mut rate, after(start, 665_000), 1, 0.5);
        let per_second = rate.limit.expect("limited").per_second;
        assert!((95.0..105.0).contains(&(per_second / DECREASE)), "{per_second} of 100 x {DECREASE}");
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
        assert!((9.5..10.5).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_decrease_takes_enough_responses_into_account() {
        let now = Instant::now();
        let mut rate = limited(now);
        calls(&mut rate, now, 4, 0.5);
        assert!(close(&rate, 100.0));
        calls(&mut rate, now, 1, 0.0);
        assert!(close(&rate, 100.0 * 2.0 / 5.0 * DECREASE), "{rate:?}");
        calls(&mut rate, now, 4, 0.0);
        assert!(close(&rate, 40.0 * DECREASE), "four responses are too few");
        calls(&mut rate, now, 1, 0.0);
        assert!(close(&rate, MIN_RATE));
    }

    #[test]
    fn calls_from_before_a_decrease_do_not_count() {
        let start = Instant::now();
        let mut rate = limited(after(start, 1));
        for accepted in [0.0, 1.0] {
            (0..20).for_each(|_| rate.record(start, after(start, 60), accepted));
            assert!(close(&rate, 100.0));
        }
    }

    #[test]
    fn the_increase_speeds_up_with_accepted_calls_and_not_with_time() {
        let start = Instant::now();
        let mut rate = limited(start);
        calls(&mut rate, after(start, 600_000), 1, 0.8);
        let once = 100.0 + 0.01 * (INCREASE + ACCELERATION * 100.0 * 0.01 * 0.01);
        assert!(close(&rate, once), "{rate:?}");
        let seconds = |rate: &CallRate| rate.limit.as_ref().expect("limited").calm;
        while seconds(&rate) < 1.0 {
            calls(&mut rate, start, 1, 1.0);
        }
        // What adds up to a factor: of an increase in proportion to the rate the integral is its logarithm.
        let expected = (ACCELERATION / 3.0).exp() * (100.0 + INCREASE);
        let per_second = rate.limit.as_ref().expect("limited").per_second;
        assert!((per_second - expected).abs() < 1.0, "{per_second}, not {expected}");
        calls(&mut rate, start, 1, ENOUGH - 0.01);
        assert_eq!(seconds(&rate), 0.0);
    }

    #[test]
    fn a_limit_ends_when_seconds_of_calls_are_accepted() {
        let start = Instant::now();
        let (mut rate, mut now) = (CallRate::default(), start);
        calls(&mut rate, start, 1, 0.0);
        assert!(close(&rate, PARTITION_RATE * DECREASE));
        calls(&mut rate, start, 5, 0.0);
        assert!(close(&rate, MIN_RATE));
        while rate.limit.is_some() {
            match rate.start(now) {
                Some(next) => now = next,
                None => rate.record(now, now, 1.0),
            }
        }
        let seconds = (now - start).as_secs_f64();
        assert!((2.0..6.0).contains(&seconds), "{seconds}");
        // Throttled again, it starts from what was accepted.
        calls(&mut rate, now, 1, 0.0);
        assert!(rate.limit.expect("limited").per_second > 100.0);
    }

    proptest! {
        /// Whatever the responses are and whenever they arrive: rates stay in their bounds, and no call waits longer
        /// than the lowest rate allows.
        #[test]
        fn rates_stay_in_their_bounds(
            steps in prop::collection::vec(
                (
                    prop_oneof![Just(0), 1..100_u64, Just(1_000), Just(600_000)],
                    prop_oneof![4 => Just(1.0), 1 => Just(0.0), 1 => 0.0..1.0],
                    1..100_usize,
                ),
                1..100,
            ),
        ) {
            let (mut rate, mut now) = (CallRate::default(), Instant::now());
            for (millis, accepted, count) in steps {
                let started = now;
                now = after(now, millis);
                for _ in 0..count {
                    if let Some(next) = rate.start(now) {
                        prop_assert!(next > now && (next - now).as_secs_f64() <= 1.5 / MIN_RATE);
                    }
                    rate.record(started, now, accepted);
                    prop_assert!(rate.accepted.is_finite());
                    if let Some(limit) = &rate.limit {
                        prop_assert!((MIN_RATE..=MAX_RATE).contains(&limit.per_second), "{rate:?}");
                        prop_assert!((0.0..30.0).contains(&limit.calm), "{rate:?}");
                    }
                }
            }
        }
    }
}
