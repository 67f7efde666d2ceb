//! How long to wait before a request is sent again.

use std::time::{Duration, SystemTime};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);

/// The longest that a server is believed: beyond the longest patience it makes no difference.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The pauses between the attempts of one request: doubling, and random by half, so that many requests rejected
/// at once do not come back at once.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next pause; at least as long as the server requires.
    pub fn next(&mut self, least: Option<Duration>) -> Duration {
        let most = FIRST.saturating_mul(2_u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts += 1;
        let pause = most.mul_f64(0.5 + fastrand::f64() / 2.0);
        match least {
            Some(least) if least > pause => least + pause.mul_f64(0.1),
            _ => pause,
        }
    }
}

/// The pause that a `Retry-After` header requires: seconds, or a date (RFC 9110, section 10.2.3).
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let mut backoff = Backoff::default();
        for most in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000] {
            let most = Duration::from_millis(most);
            let pause = backoff.next(None);
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        let pause = Backoff { attempts: u32::MAX - 1 }.next(None);
        assert!(pause <= LONGEST);
    }

    #[test]
    fn a_pause_is_never_shorter_than_required() {
        let least = Duration::from_secs(7);
        assert!(Backoff::default().next(Some(least)) >= least);
        assert!(Backoff { attempts: 9 }.next(Some(Duration::from_secs(1))) >= LONGEST / 2);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("the RFC's example");
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", None),
            ("18446744073709551615", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
