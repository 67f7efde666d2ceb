//! `Idempotency-Key`: one run for any number of requests with one key (contract, section 8).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::deadline::Deadline;
use crate::event::Header;
use crate::hash::sha256_hex;
use crate::params::ParameterError;
use crate::report::StoredOutcome;

/// How long a key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest key.
const MAX_KEY_BYTES: usize = 255;

/// The value of an `Idempotency-Key` header: 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a request carries, if any.
    ///
    /// # Errors
    /// The header is not of its form.
    pub fn parse(header: Header<'_>) -> Result<Option<Self>, ParameterError> {
        let visible = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        match header {
            Header::Absent => Ok(None),
            Header::Value(key) if (1..=MAX_KEY_BYTES).contains(&key.len()) && visible(key) => {
                Ok(Some(Self(key.to_owned())))
            }
            Header::Value(_) | Header::Several => {
                Err(ParameterError::new("Idempotency-Key", "1到255个可见ASCII字符"))
            }
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: a caller may put anything into a key.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

/// One invocation's claim to run the import of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The SHA-256 of the request's body, in hex.
    pub body_hash: String,
    /// What tells this run from every other. Not the request ID: that comes from outside.
    pub run: String,
    /// When the claim was made, in milliseconds since 1970.
    pub now_ms: u64,
    /// When the invocation is cut off, in milliseconds since 1970: without an outcome by then, the
    /// run is dead.
    pub lease_until_ms: u64,
    /// When the key is forgotten, in seconds since 1970.
    pub expires_at: u64,
}

impl Claim {
    /// A claim made now, by an invocation with this deadline, for this body.
    pub fn new(body: &[u8], deadline: &Deadline) -> Self {
        let now = SystemTime::now();
        Self {
            body_hash: sha256_hex(body),
            run: format!("{:032x}", fastrand::u128(..)),
            now_ms: since_1970(now).as_millis() as u64,
            lease_until_ms: since_1970(deadline.cut_off()).as_millis() as u64,
            expires_at: since_1970(now + REMEMBERED).as_secs(),
        }
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What another run left under a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// The SHA-256 of that run's body, in hex.
    pub body_hash: String,
    /// The run.
    pub run: String,
    /// Its outcome, once it has ended.
    pub outcome: Option<StoredOutcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_visible_ascii_characters() {
        let longest = "k".repeat(255);
        for key in ["k", "!~", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", &longest] {
            let parsed = IdempotencyKey::parse(Header::Value(key)).expect("a key").expect("there");
            assert_eq!(parsed.as_str(), key);
            assert_eq!(format!("{parsed:?}"), "IdempotencyKey");
        }
        assert_eq!(IdempotencyKey::parse(Header::Absent), Ok(None));
        let too_long = "k".repeat(256);
        for key in ["", " ", "a b", "a\t", "键", "a\u{7f}", &too_long] {
            assert!(IdempotencyKey::parse(Header::Value(key)).is_err(), "{key:?}");
        }
        assert!(IdempotencyKey::parse(Header::Several).is_err());
    }

    #[tokio::test]
    async fn a_claim_lasts_until_its_invocation_is_cut_off() {
        let deadline = Deadline::new(30_000, Duration::from_millis(1_500));
        let claim = Claim::new(b"{}", &deadline);
        let lease = claim.lease_until_ms - claim.now_ms;
        assert!((29_000..=30_000).contains(&lease), "{lease}");
        assert_eq!(claim.expires_at, claim.now_ms / 1000 + 86_400);
        assert_ne!(Claim::new(b"{}", &deadline).run, claim.run);
    }
}
