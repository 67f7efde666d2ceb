//! Claims: of all requests with the same `Idempotency-Key`, one runs the import (contract, section 8).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::deadline::Deadline;
use crate::hash::sha256_hex;
use crate::resolution::stored::StoredOutcome;

/// How long a key is kept.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One invocation's claim to run the import of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The SHA-256 of the request's body, in hex.
    pub body_hash: String,
    /// The unique ID of this run. Not the request ID, which comes from outside.
    pub run: String,
    /// When the claim was made, in milliseconds since 1970.
    pub now_ms: u64,
    /// When the invocation ends at the latest, in milliseconds since 1970: a run without an outcome
    /// by then has failed.
    pub lease_until_ms: u64,
    /// When the key expires, in seconds since 1970.
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
            expires_at: since_1970(now + KEY_LIFETIME).as_secs(),
        }
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What another run stored under a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// The SHA-256 of that run's body, in hex.
    pub body_hash: String,
    /// The ID of that run.
    pub run: String,
    /// Its outcome, once it has ended.
    pub outcome: Option<StoredOutcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lease_ends_with_the_invocation() {
        let deadline = Deadline::new(30_000, Duration::from_millis(1_500));
        let claim = Claim::new(b"{}", &deadline);
        let lease = claim.lease_until_ms - claim.now_ms;
        assert!((29_000..=30_000).contains(&lease), "{lease}");
        assert_eq!(claim.expires_at, claim.now_ms / 1000 + 86_400);
        assert_ne!(Claim::new(b"{}", &deadline).run, claim.run);
    }
}
