//! Who calls: tokens, the tenants they stand for, and the memory of the good ones.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::hash::sha256_hex;

/// The permission that an import needs.
const PERMISSION: &str = "audience:group";

/// The SHA-256 of a token in lower-case hex: all that is ever kept of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of the value of an `X-Token` header.
    pub fn of(token: &str) -> Self {
        Self(sha256_hex(token.as_bytes()))
    }

    /// The key of the token's item.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: the hash is the key to a tenant.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

/// The ID of a tenant, of the form `[A-Za-z0-9_-]{1,64}`: it can never hold the `#` that separates
/// it from a customer's ID in a membership's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Checks the form; `None` if it does not hold.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&id.len()) && id.bytes().all(allowed)).then(|| Self(id.into()))
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is on record for a token (contract, section 10).
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// The tenant that the token belongs to.
    pub id: TenantId,
    /// Whether the tenant may call at all.
    pub enabled: bool,
    /// What the tenant may do; `None`: everything.
    pub permissions: Option<Vec<String>>,
    /// When the token ends, in seconds since 1970; `None`: never.
    pub expires_at: Option<f64>,
}

/// Why a known token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// The tenant is disabled or lacks the permission.
    #[error("the tenant is disabled or lacks the permission")]
    Forbidden,
}

impl Tenant {
    /// Lets the tenant in at this time.
    ///
    /// # Errors
    /// The token has expired; else the tenant is disabled or lacks the permission.
    pub fn admit(&self, now: SystemTime) -> Result<&TenantId, Denial> {
        if self.expires_at.is_some_and(|end| seconds_since_1970(now) >= end) {
            return Err(Denial::Expired);
        }
        let permitted = |permissions: &Vec<String>| permissions.iter().any(|held| held == PERMISSION);
        if !self.enabled || !self.permissions.as_ref().is_none_or(permitted) {
            return Err(Denial::Forbidden);
        }
        Ok(&self.id)
    }
}

fn seconds_since_1970(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The tenants of the tokens that were good lately, in a warm process.
///
/// Only what was good is remembered: a new token works at once. Ages are taken by the wall clock,
/// because a process frozen between invocations may find that its monotonic clock stood still.
pub struct TenantCache {
    lifetime: Duration,
    tenants: Mutex<HashMap<TokenHash, (Tenant, SystemTime)>>,
}

/// Past this many tokens the cache starts afresh, so that it cannot grow for ever.
const MAX_REMEMBERED: usize = 10_000;

impl TenantCache {
    /// A cache that remembers for `lifetime`; zero: not at all.
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, tenants: Mutex::default() }
    }

    /// The tenant remembered for a token, unless that was too long ago or the token has expired.
    pub fn get(&self, token: &TokenHash, now: SystemTime) -> Option<TenantId> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let (tenant, since) = tenants.get(token)?;
        // A clock set back makes the age unknown: ask again.
        let age = now.duration_since(*since).ok()?;
        if age >= self.lifetime {
            return None;
        }
        tenant.admit(now).ok().cloned()
    }

    /// Remembers a tenant that was just let in.
    pub fn remember(&self, token: TokenHash, tenant: Tenant, now: SystemTime) {
        if self.lifetime.is_zero() {
            return;
        }
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_REMEMBERED {
            tenants.clear();
        }
        tenants.insert(token, (tenant, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::new("t-1").expect("of the form"),
            enabled: true,
            permissions: None,
            expires_at: None,
        }
    }

    #[test]
    fn a_token_is_known_by_its_sha256() {
        assert_eq!(TokenHash::of("abc").as_str(), sha256_hex(b"abc"));
        assert_eq!(format!("{:?}", TokenHash::of("abc")), "TokenHash");
    }

    #[test]
    fn a_tenant_id_keeps_to_its_form() {
        for id in ["a", "A-b_9", &"x".repeat(64)] {
            assert_eq!(TenantId::new(id).as_ref().map(TenantId::as_str), Some(id));
        }
        for id in ["", "a#b", "a b", "租户", "a\n", &"x".repeat(65)] {
            assert_eq!(TenantId::new(id), None, "{id:?}");
        }
    }

    #[test]
    fn a_tenant_is_let_in_by_its_entry() {
        let permissions = |held: &[&str]| Some(held.iter().map(|&held| held.to_owned()).collect());
        let cases = [
            (tenant(), Ok(())),
            (Tenant { enabled: false, ..tenant() }, Err(Denial::Forbidden)),
            (Tenant { permissions: permissions(&["x", "audience:group"]), ..tenant() }, Ok(())),
            (Tenant { permissions: permissions(&["audience"]), ..tenant() }, Err(Denial::Forbidden)),
            (Tenant { permissions: permissions(&[]), ..tenant() }, Err(Denial::Forbidden)),
            (Tenant { expires_at: Some(1001.0), ..tenant() }, Ok(())),
            (Tenant { expires_at: Some(1000.0), ..tenant() }, Err(Denial::Expired)),
            (Tenant { expires_at: Some(999.0), enabled: false, ..tenant() }, Err(Denial::Expired)),
        ];
        for (tenant, expected) in cases {
            assert_eq!(tenant.admit(at(1000)).map(|_| ()), expected, "{tenant:?}");
        }
    }

    #[test]
    fn a_good_token_is_remembered_for_its_time_and_never_past_its_end() {
        let token = TokenHash::of("token");
        let remembered = |lifetime, expires_at, now| {
            let cache = TenantCache::new(Duration::from_secs(lifetime));
            cache.remember(token.clone(), Tenant { expires_at, ..tenant() }, at(1000));
            cache.get(&token, at(now)).is_some()
        };
        assert!(remembered(60, None, 1000));
        assert!(remembered(60, None, 1059));
        assert!(!remembered(60, None, 1060));
        assert!(!remembered(60, None, 999));
        assert!(remembered(60, Some(1030.0), 1029));
        assert!(!remembered(60, Some(1030.0), 1030));
        assert!(!remembered(0, None, 1000));
        assert!(TenantCache::new(Duration::MAX).get(&token, at(1000)).is_none());
    }

    #[test]
    fn the_cache_does_not_grow_for_ever() {
        let cache = TenantCache::new(Duration::from_secs(60));
        for n in 0..=MAX_REMEMBERED {
            cache.remember(TokenHash::of(&n.to_string()), tenant(), at(1000));
        }
        let kept = cache.tenants.lock().expect("not poisoned").len();
        assert!(kept <= MAX_REMEMBERED);
        assert!(cache.get(&TokenHash::of(&MAX_REMEMBERED.to_string()), at(1000)).is_some());
    }
}
