//! The keys: of all requests with the same `Idempotency-Key`, one runs the import, and its outcome is stored (contract,
//! section 8).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use tracing::warn;

use super::Item;
use crate::database::client::CallError;
use crate::database::{Session, Stage};
use crate::deadline::Deadline;
use crate::hash::sha256_hex;
use crate::request::failure::Outage;
use crate::request::idempotency_key::IdempotencyKey;
use crate::resolution::stored::{Ranges, StoredMatches, StoredOutcome};
use crate::tenant::TenantId;

/// How long a key is kept.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A claim succeeds if the key is new or expired, or if its run failed: its lease has ended without
/// an outcome, or its outcome is unfit. One conditional write, so exactly one of several concurrent claims succeeds.
const CLAIM: &str = "attribute_not_exists(importKey) OR expiresAt <= :now \
    OR (bodyHash = :bodyHash AND attribute_not_exists(failures) AND leaseUntil <= :nowMs) \
    OR #run = :unfit";

/// How long the release of a claim may take.
const RELEASE_TIME: Duration = Duration::from_secs(2);

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

/// The result of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// This invocation runs the import.
    Ours,
    /// Another run holds or held the key.
    Theirs(Earlier),
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

/// A key, and where it is stored.
#[derive(Clone, Copy)]
pub struct Key<'k> {
    /// The table, `IMPORTS_TABLE`.
    pub table: &'k str,
    /// The tenant that sent the key.
    pub tenant: &'k TenantId,
    /// The key.
    pub key: &'k IdempotencyKey,
}

impl Key<'_> {
    fn attribute(self) -> AttributeValue {
        AttributeValue::S(format!("{}#{}", self.tenant.as_str(), self.key.as_str()))
    }
}

impl Session<'_> {
    /// Claims the run of an import. The outcome of the run with the ID `unfit`, if any, counts as none.
    ///
    /// # Errors
    /// The database did not respond, or returned an item that this program did not write.
    pub async fn claim(&self, key: Key<'_>, claim: &Claim, unfit: Option<&str>) -> Result<Claimed, Outage> {
        let attempt = self.try_claim(key, claim, unfit.unwrap_or("none"));
        let claimed = self.calls.tally.during(Stage::Key, attempt).await;
        if claimed.is_err() {
            // It may be stored nevertheless, and nothing runs.
            self.release_claim(key, claim).await;
        }
        claimed
    }

    async fn try_claim(&self, key: Key<'_>, claim: &Claim, unfit: &str) -> Result<Claimed, Outage> {
        let put = self
            .database
            .client
            .put_item()
            .table_name(key.table)
            .item("importKey", key.attribute())
            .item("bodyHash", AttributeValue::S(claim.body_hash.clone()))
            .item("run", AttributeValue::S(claim.run.clone()))
            .item("leaseUntil", AttributeValue::N(claim.lease_until_ms.to_string()))
            .item("expiresAt", AttributeValue::N(claim.expires_at.to_string()))
            .condition_expression(CLAIM)
            .expression_attribute_values(":now", AttributeValue::N((claim.now_ms / 1000).to_string()))
            .expression_attribute_values(":nowMs", AttributeValue::N(claim.now_ms.to_string()))
            .expression_attribute_values(":bodyHash", AttributeValue::S(claim.body_hash.clone()))
            .expression_attribute_names("#run", "run")
            .expression_attribute_values(":unfit", AttributeValue::S(unfit.to_owned()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = async |put: PutItemFluentBuilder| match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(Some(failed.item.clone())),
                _ => Err(error),
            },
        };
        let theirs = match self.calls.send("PutItem", || request(put.clone())).await? {
            None => return Ok(Claimed::Ours),
            Some(Some(item)) => item,
            // Not every emulator returns the item with the failure.
            Some(None) => self.stored(key).await?.ok_or(Outage::StoreError)?,
        };
        let theirs = earlier(&theirs).ok_or(Outage::StoreError)?;
        // If the SDK sent the write twice, the existing claim is this one.
        Ok(if theirs.run == claim.run { Claimed::Ours } else { Claimed::Theirs(theirs) })
    }

    async fn stored(&self, key: Key<'_>) -> Result<Option<Item>, CallError> {
        let client = &self.database.client;
        let request =
            client.get_item().table_name(key.table).key("importKey", key.attribute()).consistent_read(true);
        Ok(self.calls.send("GetItem", || request.clone().send()).await?.item)
    }

    /// Stores the outcome of a run. If that fails, the run counts as failed, at the latest when its lease ends: the
    /// next request with the key runs the import again, which ends in the same state.
    pub async fn store_outcome(&self, key: Key<'_>, claim: &Claim, outcome: StoredOutcome) {
        let mut values = Item::from([(":failures".to_owned(), ranges(outcome.failures))]);
        let mut expression = "SET failures = :failures";
        if let Some(StoredMatches { customers, matched_by }) = outcome.matches {
            let customers = customers.into_iter().map(AttributeValue::S).collect();
            values.insert(":customers".to_owned(), AttributeValue::L(customers));
            values.insert(":matchedBy".to_owned(), ranges(matched_by));
            expression = "SET failures = :failures, customers = :customers, matchedBy = :matchedBy";
        }
        if self.update_run(key, claim, expression, values).await.is_err() {
            self.release_claim(key, claim).await;
        }
    }

    /// Ends the lease of a run without an outcome, so that the next request can run immediately. If that fails, it has
    /// to wait for the end of the lease.
    pub async fn release_claim(&self, key: Key<'_>, claim: &Claim) {
        let values = Item::from([(":never".to_owned(), AttributeValue::N("0".to_owned()))]);
        let release = self.update_run(key, claim, "SET leaseUntil = :never", values);
        // A response that is due does not wait for it longer.
        let _ = tokio::time::timeout(RELEASE_TIME, release).await;
    }

    async fn update_run(
        &self,
        key: Key<'_>,
        claim: &Claim,
        expression: &str,
        values: Item,
    ) -> Result<(), CallError> {
        let update = self
            .database
            .client
            .update_item()
            .table_name(key.table)
            .key("importKey", key.attribute())
            .update_expression(expression)
            .set_expression_attribute_values(Some(values))
            .condition_expression("#run = :run")
            .expression_attribute_names("#run", "run")
            .expression_attribute_values(":run", AttributeValue::S(claim.run.clone()));
        let request = async |update: UpdateItemFluentBuilder| match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // The claim was not stored, or another run holds the key by now: its item must not change.
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(error),
            },
        };
        // Also after the deadline for other calls: a response that is sent must be replayable.
        let calls = self.until(self.calls.deadline.last_call()).calls;
        let ended = calls.send("UpdateItem", || request(update.clone()));
        self.calls.tally.during(Stage::Key, ended).await.inspect_err(|error| {
            warn!(?error, "the end of a run was not stored");
        })
    }
}

fn ranges(ranges: Ranges) -> AttributeValue {
    AttributeValue::M(ranges.into_iter().map(|(name, ranges)| (name, AttributeValue::S(ranges))).collect())
}

/// The earlier run of an item; `None` if this program did not write the item.
fn earlier(item: &Item) -> Option<Earlier> {
    let outcome = |failures| outcome(item, failures).unwrap_or_else(StoredOutcome::unreadable);
    Some(Earlier {
        body_hash: item.get("bodyHash").and_then(text)?,
        run: item.get("run").and_then(text)?,
        outcome: item.get("failures").map(outcome),
    })
}

/// The outcome of an item; `None` if another version of this program stored it in a form of its own.
fn outcome(item: &Item, failures: &AttributeValue) -> Option<StoredOutcome> {
    let ranges = |value: &AttributeValue| -> Option<Ranges> {
        value.as_m().ok()?.iter().map(|(name, ranges)| Some((name.clone(), text(ranges)?))).collect()
    };
    let matches = match (item.get("customers"), item.get("matchedBy")) {
        (Some(customers), Some(matched_by)) => {
            let customers = customers.as_l().ok()?.iter().map(text).collect::<Option<_>>()?;
            Some(StoredMatches { customers, matched_by: ranges(matched_by)? })
        }
        _ => None,
    };
    Some(StoredOutcome { failures: ranges(failures)?, matches })
}

fn text(value: &AttributeValue) -> Option<String> {
    value.as_s().ok().cloned()
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
