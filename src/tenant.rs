//! Tokens, their tenants, and the cache of valid tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::deadline::since_1970;
use crate::hash::sha256_hex;
use crate::rejection::Rejection;

/// The permission that an import requires.
const PERMISSION: &str = "audience:group";

/// The SHA-256 of a token in lower-case hex; the token itself is never stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of the value of an `X-Token` header.
    pub fn of(token: &str) -> Self {
        Self(sha256_hex(token.as_bytes()))
    }

    /// Parses a hash, 64 lower-case hex digits; `None` if it has another form.
    pub fn parse(hash: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (hash.len() == 64 && hash.bytes().all(is_digit)).then(|| Self(hash.to_owned()))
    }

    /// The hash as text: the key of the token's item.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

opaque_debug!(TokenHash);

/// The ID of a tenant, `[A-Za-z0-9_-]{1,64}`. It cannot contain `#`, which separates it from a
/// customer's ID in a membership's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Parses an ID; `None` if it is invalid.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&id.len()) && id.bytes().all(allowed)).then(|| Self(id.into()))
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The entry of a token (contract, section 10).
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// The tenant that the token belongs to.
    pub id: TenantId,
    /// Whether the tenant may call the service.
    pub enabled: bool,
    /// The tenant's permissions; `None` means all.
    pub permissions: Option<Vec<String>>,
    /// When the token expires, in seconds since 1970; `None` means never.
    pub expires_at: Option<f64>,
}

/// A tenant that may import.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The tenant.
    pub tenant: TenantId,
    /// When its token expires, in seconds since 1970; `None` means never.
    expires_at: Option<f64>,
}

impl Tenant {
    /// Admits the tenant if it may import at this time.
    ///
    /// # Errors
    /// In this order: the token has expired; the tenant is disabled or lacks the permission.
    pub fn admit(self, now: SystemTime) -> Result<Admission, Rejection> {
        let admission = Admission { tenant: self.id, expires_at: self.expires_at };
        if admission.has_expired(now) {
            return Err(Rejection::Token);
        }
        let permitted = |permissions: &Vec<String>| permissions.iter().any(|held| held == PERMISSION);
        if !self.enabled || !self.permissions.as_ref().is_none_or(permitted) {
            return Err(Rejection::Forbidden);
        }
        Ok(admission)
    }
}

impl Admission {
    fn has_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| since_1970(now).as_secs_f64() >= end)
    }
}

/// A cache of the tenants of valid tokens, in a warm process.
///
/// Rejected tokens are not cached, so a new token works immediately. Ages are measured by the wall
/// clock, because the monotonic clock may stop while the process is frozen between invocations.
pub struct TenantCache {
    lifetime: Duration,
    admitted: Mutex<HashMap<TokenHash, (Admission, SystemTime)>>,
}

/// At this many tokens the cache is cleared, so that its size is bounded.
const MAX_CACHED: usize = 10_000;

impl TenantCache {
    /// A cache whose entries expire after `lifetime`; zero disables it.
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, admitted: Mutex::default() }
    }

    /// The cached tenant of a token, unless the entry or the token has expired.
    pub fn get(&self, token: &TokenHash, now: SystemTime) -> Option<TenantId> {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let (admission, since) = admitted.get(token)?;
        // If the clock was set back, the age is unknown: treat the entry as expired.
        let age = now.duration_since(*since).ok()?;
        (age < self.lifetime && !admission.has_expired(now)).then(|| admission.tenant.clone())
    }

    /// Caches the tenant of a token, admitted at this time.
    pub fn insert(&self, token: TokenHash, admission: Admission, now: SystemTime) {
        if self.lifetime.is_zero() {
            return;
        }
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= MAX_CACHED {
            admitted.clear();
        }
        admitted.insert(token, (admission, now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::new("t-1").expect("well-formed"),
            enabled: true,
            permissions: None,
            expires_at: None,
        }
    }

    #[test]
    fn tokens_are_hashed_by_sha256() {
        assert_eq!(TokenHash::of("abc").as_str(), sha256_hex(b"abc"));
        assert_eq!(format!("{:?}", TokenHash::of("abc")), "TokenHash");
        assert!(TokenHash::parse(TokenHash::of("abc").as_str()) == Some(TokenHash::of("abc")));
        for hash in ["", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"g".repeat(64), &"é".repeat(32)]
        {
            assert!(TokenHash::parse(hash).is_none(), "{hash}");
        }
    }

    #[test]
    fn tenant_ids_are_validated() {
        for id in ["a", "A-b_9", &"x".repeat(64)] {
            assert_eq!(TenantId::new(id).as_ref().map(TenantId::as_str), Some(id));
        }
        for id in ["", "a#b", "a b", "租户", "a\n", &"x".repeat(65)] {
            assert_eq!(TenantId::new(id), None, "{id:?}");
        }
    }

    #[test]
    fn tenants_are_admitted_by_their_entry() {
        let permissions = |held: &[&str]| Some(held.iter().map(|&held| held.to_owned()).collect());
        let cases = [
            (tenant(), Ok(())),
            (Tenant { enabled: false, ..tenant() }, Err(Rejection::Forbidden)),
            (Tenant { permissions: permissions(&["x", "audience:group"]), ..tenant() }, Ok(())),
            (Tenant { permissions: permissions(&["audience"]), ..tenant() }, Err(Rejection::Forbidden)),
            (Tenant { permissions: permissions(&[]), ..tenant() }, Err(Rejection::Forbidden)),
            (Tenant { expires_at: Some(1001.0), ..tenant() }, Ok(())),
            (Tenant { expires_at: Some(1000.0), ..tenant() }, Err(Rejection::Token)),
            (Tenant { expires_at: Some(999.0), enabled: false, ..tenant() }, Err(Rejection::Token)),
        ];
        for (tenant, expected) in cases {
            let admitted = tenant.clone().admit(at(1000)).map(|admission| admission.expires_at);
            assert_eq!(admitted, expected.map(|()| tenant.expires_at), "{tenant:?}");
        }
    }

    #[test]
    fn cached_tokens_expire() {
        let token = TokenHash::of("token");
        let cached = |lifetime, expires_at, now| {
            let cache = TenantCache::new(Duration::from_secs(lifetime));
            cache.insert(token.clone(), Admission { tenant: tenant().id, expires_at }, at(1000));
            cache.get(&token, at(now)).is_some()
        };
        assert!(cached(60, None, 1000));
        assert!(cached(60, None, 1059));
        assert!(!cached(60, None, 1060));
        assert!(!cached(60, None, 999));
        assert!(cached(60, Some(1030.0), 1029));
        assert!(!cached(60, Some(1030.0), 1030));
        assert!(!cached(0, None, 1000));
        assert!(TenantCache::new(Duration::MAX).get(&token, at(1000)).is_none());
    }

    #[test]
    fn cache_size_is_bounded() {
        let cache = TenantCache::new(Duration::from_secs(60));
        for n in 0..=MAX_CACHED {
            let admission = Admission { tenant: tenant().id, expires_at: None };
            cache.insert(TokenHash::of(&n.to_string()), admission, at(1000));
        }
        let cached = cache.admitted.lock().expect("not poisoned").len();
        assert!(cached <= MAX_CACHED);
        assert!(cache.get(&TokenHash::of(&MAX_CACHED.to_string()), at(1000)).is_some());
    }
}
