//! The keys: of all requests with the same `Idempotency-Key`, one runs the import, and its outcome is stored (contract,
//! section 8).

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use tracing::warn;

use super::{Item, attribute, is_of_another, text};
use crate::database::client::{CallError, Pace};
use crate::database::{Session, Stage};
use crate::deadline::{Deadline, since_1970};
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

/// A key, and where it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    /// The table, `IMPORTS_TABLE`.
    pub table: &'k str,
    /// The tenant that sent the key.
    pub tenant: &'k TenantId,
    /// The key.
    pub key: &'k IdempotencyKey,
}

impl Key<'_> {
    fn text(&self) -> String {
        format!("{}#{}", self.tenant.as_str(), self.key.as_str())
    }
}

/// One invocation's claim to run the import of a key.
#[derive(Clone, Debug)]
pub struct Claim<'k> {
    /// The key.
    pub key: Key<'k>,
    /// The SHA-256 of the request's body, in hex.
    pub body_hash: String,
    /// The unique ID of this run. Not the request ID, which comes from outside.
    pub run: String,
    /// When the claim was made, in milliseconds since 1970.
    pub now_ms: u64,
    /// When the invocation ends at the latest, in milliseconds since 1970: a run without an outcome
    /// by then has failed.
    pub lease_until_ms: u64,
}

impl<'k> Claim<'k> {
    /// A claim made now, by an invocation with this deadline, for this body.
    pub fn new(key: Key<'k>, body: &[u8], deadline: &Deadline) -> Self {
        Self {
            key,
            body_hash: sha256_hex(body),
            run: format!("{:032x}", fastrand::u128(..)),
            now_ms: since_1970(SystemTime::now()).as_millis() as u64,
            lease_until_ms: since_1970(deadline.cut_off).as_millis() as u64,
        }
    }

    /// The key of the item.
    fn import_key(&self) -> (String, AttributeValue) {
        attribute("importKey", &self.key.text())
    }
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

impl Session<'_> {
    /// Claims the run of an import. The outcome of the run with the ID `unfit`, if any, counts as none.
    ///
    /// # Errors
    /// The database did not respond, or returned an item that this program did not write.
    pub async fn claim(&self, claim: &Claim<'_>, unfit: Option<&str>) -> Result<Claimed, Outage> {
        let attempt = self.try_claim(claim, unfit.unwrap_or("none"));
        let claimed = self.calls.tally.during(Stage::Key, attempt).await;
        if claimed.is_err() {
            // It may be stored nevertheless, and nothing runs.
            self.release_claim(claim).await;
        }
        claimed
    }

    async fn try_claim(&self, claim: &Claim<'_>, unfit: &str) -> Result<Claimed, Outage> {
        let now = claim.now_ms / 1000;
        let item = Item::from([
            claim.import_key(),
            attribute("bodyHash", &claim.body_hash),
            attribute("run", &claim.run),
            number("leaseUntil", claim.lease_until_ms),
            number("expiresAt", now + KEY_LIFETIME.as_secs()),
        ]);
        let values = Item::from([
            number(":now", now),
            number(":nowMs", claim.now_ms),
            attribute(":bodyHash", &claim.body_hash),
            attribute(":unfit", unfit),
        ]);
        let put = self
            .database
            .client
            .put_item()
            .table_name(claim.key.table)
            .set_item(Some(item))
            .condition_expression(CLAIM)
            .expression_attribute_names("#run", "run")
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = || async {
            match put.clone().send().await {
                Ok(_) => Ok(None),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                        Ok(Some(failed.item.clone()))
                    }
                    _ => Err(error),
                },
            }
        };
        let Some(item) = self.calls.send(&Pace::default(), "PutItem", request).await? else {
            return Ok(Claimed::Ours);
        };
        // Not every implementation of DynamoDB returns the item with the failure; on AWS the role does not allow to read it.
        let item = match item {
            Some(item) => Some(item),
            None => self.stored(claim).await?,
        };
        let item = item.filter(|item| !is_of_another(item, "importKey", &claim.key.text()));
        let theirs = item.as_ref().and_then(earlier).ok_or(Outage::StoreError)?;
        // If the SDK sent the write twice, the existing claim is this one.
        Ok(if theirs.run == claim.run { Claimed::Ours } else { Claimed::Theirs(theirs) })
    }

    async fn stored(&self, claim: &Claim<'_>) -> Result<Option<Item>, CallError> {
        let request = self
            .database
            .client
            .get_item()
            .table_name(claim.key.table)
            .set_key(Some(Item::from([claim.import_key()])))
            .consistent_read(true);
        Ok(self.calls.send(&Pace::default(), "GetItem", || request.clone().send()).await?.item)
    }

    /// Stores the outcome of a run. If that fails, the run counts as failed, at the latest when its lease ends: the
    /// next request with the key runs the import again, which ends in the same state.
    pub async fn store_outcome(&self, claim: &Claim<'_>, outcome: StoredOutcome) {
        let mut values = Item::from([(":failures".to_owned(), ranges(outcome.failures))]);
        let mut expression = "SET failures = :failures";
        if let Some(StoredMatches { customers, matched_by }) = outcome.matches {
            let customers = customers.into_iter().map(AttributeValue::S).collect();
            values.insert(":customers".to_owned(), AttributeValue::L(customers));
            values.insert(":matchedBy".to_owned(), ranges(matched_by));
            expression = "SET failures = :failures, customers = :customers, matchedBy = :matchedBy";
        }
        if self.update_run(claim, expression, values).await.is_err() {
            self.release_claim(claim).await;
        }
    }

    /// Ends the lease of a run without an outcome, so that the next request can run immediately. If that fails, it has
    /// to wait for the end of the lease.
    pub async fn release_claim(&self, claim: &Claim<'_>) {
        let values = Item::from([number(":never", 0)]);
        let release = self.update_run(claim, "SET leaseUntil = :never", values);
        // A response that is due does not wait for it longer.
        let _ = tokio::time::timeout(RELEASE_TIME, release).await;
    }

    async fn update_run(
        &self,
        claim: &Claim<'_>,
        expression: &str,
        mut values: Item,
    ) -> Result<(), CallError> {
        values.extend([attribute(":run", &claim.run)]);
        let update = self
            .database
            .client
            .update_item()
            .table_name(claim.key.table)
            .set_key(Some(Item::from([claim.import_key()])))
            .update_expression(expression)
            .condition_expression("#run = :run")
            .expression_attribute_names("#run", "run")
            .set_expression_attribute_values(Some(values));
        let request = || async {
            match update.clone().send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    // The claim was not stored, or another run holds the key by now: its item must not change.
                    Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                    _ => Err(error),
                },
            }
        };
        // Also after the deadline for other calls: a response that is sent must be replayable.
        let calls = self.until(self.calls.deadline.last_call()).calls;
        let pace = Pace::default();
        let ended = calls.send(&pace, "UpdateItem", request);
        self.calls.tally.during(Stage::Key, ended).await.inspect_err(|error| {
            warn!(?error, "the end of a run was not stored");
        })
    }
}

fn number(name: &str, number: u64) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::N(number.to_string()))
}

fn ranges(ranges: Ranges) -> AttributeValue {
    AttributeValue::M(ranges.into_iter().map(|(name, ranges)| (name, AttributeValue::S(ranges))).collect())
}

/// The earlier run of an item; `None` if this program did not write the item.
fn earlier(item: &Item) -> Option<Earlier> {
    let outcome = |failures| outcome(item, failures).unwrap_or_else(StoredOutcome::unreadable);
    Some(Earlier {
        body_hash: text(item, "bodyHash")?.to_owned(),
        run: text(item, "run")?.to_owned(),
        outcome: item.get("failures").map(outcome),
    })
}

/// The outcome of an item; `None` if another version of this program stored it in a form of its own.
fn outcome(item: &Item, failures: &AttributeValue) -> Option<StoredOutcome> {
    let ranges = |value: &AttributeValue| -> Option<Ranges> {
        value
            .as_m()
            .ok()?
            .iter()
            .map(|(name, ranges)| Some((name.clone(), ranges.as_s().ok()?.clone())))
            .collect()
    };
    let matches = match (item.get("customers"), item.get("matchedBy")) {
        (Some(customers), Some(matched_by)) => {
            let customers = customers
                .as_l()
                .ok()?
                .iter()
                .map(|customer| customer.as_s().ok().cloned())
                .collect::<Option<_>>()?;
            Some(StoredMatches { customers, matched_by: ranges(matched_by)? })
        }
        _ => None,
    };
    Some(StoredOutcome { failures: ranges(failures)?, matches })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lease_ends_with_the_invocation() {
        let deadline = Deadline::new(30_000, Duration::from_millis(1_500));
        let (tenant, key) = (TenantId::new("t").expect("an ID"), IdempotencyKey::parse("k").expect("a key"));
        let key = Key { table: "imports", tenant: &tenant, key: &key };
        let claim = Claim::new(key, b"{}", &deadline);
        let lease = claim.lease_until_ms - claim.now_ms;
        assert!((29_000..=30_000).contains(&lease), "{lease}");
        assert_ne!(Claim::new(key, b"{}", &deadline).run, claim.run);
    }
}
