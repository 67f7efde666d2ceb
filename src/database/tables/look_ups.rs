//! The look-ups of an import: which calls they take (contract, section 5).

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use tracing::warn;

use super::customers::{PAGE_ITEMS, Reading, STATEMENT_VALUES};
use super::items::BATCH_GET_KEYS;
use super::split_budget::SplitBudget;
use crate::config::IdentityLookup;
use crate::database::client::{CallError, EXECUTE_STATEMENT};
use crate::database::{Session, Stage};
use crate::request::failure::Outage;
use crate::request::identifier::Identifier;
use crate::resolution::lookup::{Found, Lookup, LookupResult};
use crate::resolution::matching::Resolution;
use crate::tenant::TenantId;

/// How long a rejected statement keeps the process from sending another one.
const STATEMENTS_SUSPENDED: Duration = Duration::from_secs(5 * 60);

/// The attempts at a throttled call with several values. One alone says nothing about the index if it is throttled.
const ATTEMPTS: usize = 5;

/// The pause of a value whose look-up was throttled alone: its partition may be hot, while the rest of its index is not.
const REST: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Looks up what `resolution` needs, with concurrent calls, until the share of the time for that is over. A failed
    /// call fails only its own values.
    pub async fn look_up(&self, tenant: &TenantId, resolution: &mut Resolution<'_>) {
        if !resolution.is_decided() {
            self.calls.tally.during(Stage::LookUps, self.look_up_all(tenant, resolution)).await;
        }
    }

    async fn look_up_all<'r>(&self, tenant: &TenantId, resolution: &mut Resolution<'r>) {
        let session = self.until(self.calls.deadline.of_look_ups());
        // Look-ups that wait for the turn of their next call, by identifier: each index throttles by itself. They take no
        // place of others, and no further one of the identifier starts to wait.
        let waiting: [AtomicUsize; Identifier::COUNT] = Default::default();
        let resting = &AtomicUsize::new(0);
        let waiting_of = |identifier| waiting[identifier as usize].load(Ordering::Relaxed);
        let start = |lookup: Lookup<'r>| {
            let attempts = if lookup.is_alone { 1 } else { ATTEMPTS };
            let session = session.counting(&waiting[lookup.identifier as usize], attempts);
            async move {
                let results = session.look_up_values(tenant, &lookup).await;
                if results.is_none() && lookup.is_alone {
                    resting.fetch_add(1, Ordering::Relaxed);
                    let end = session.calls.deadline.no_new_calls;
                    tokio::time::sleep_until(end.min(Instant::now() + REST)).await;
                    resting.fetch_sub(1, Ordering::Relaxed);
                }
                (lookup, results)
            }
        };
        let half_time = tokio::time::sleep_until(self.calls.deadline.half_time_of_look_ups());
        tokio::pin!(half_time);
        let mut hurry = false;
        let (mut running, mut started) = (FuturesUnordered::new(), 0);
        let mut splits = SplitBudget::default();
        while !resolution.is_decided() {
            let next = poll_fn(|_| {
                let idle =
                    Identifier::ALL.map(waiting_of).iter().sum::<usize>() + resting.load(Ordering::Relaxed);
                if started - idle >= self.database.config.lookup_concurrency {
                    return Poll::Pending;
                }
                let uses_statements = self.uses_statements();
                let per_call = |identifier| match identifier {
                    _ if waiting_of(identifier) > 0 => 0,
                    Identifier::AudienceUserId => BATCH_GET_KEYS,
                    _ if uses_statements => STATEMENT_VALUES,
                    _ => 1,
                };
                resolution.next_lookup(hurry, per_call).map_or(Poll::Pending, Poll::Ready)
            });
            tokio::select! {
                biased;
                Some((lookup, results)) = running.next() => {
                    started -= 1;
                    match unless_split(results, &mut splits) {
                        Some(results) => resolution.learn(lookup, results),
                        None => resolution.put_back(lookup),
                    }
                }
                lookup = next => {
                    started += 1;
                    running.push(start(lookup));
                }
                () = &mut half_time, if !hurry => hurry = true,
            }
        }
    }

    /// Looks up values of one identifier, and returns one result per value; `None` if their call was rejected, or stayed
    /// throttled: then each needs a look-up of its own, which may succeed, and which the others need not wait for.
    ///
    /// It is one call, unless values are shared by many customers, or the database throttles it.
    async fn look_up_values(&self, tenant: &TenantId, lookup: &Lookup<'_>) -> Option<Vec<LookupResult>> {
        if lookup.identifier == Identifier::AudienceUserId {
            return Some(self.get(tenant, lookup).await);
        }
        if lookup.values.len() == 1 && !self.uses_statements() {
            return given_up(self.query(tenant, lookup, 0).await).map(|result| vec![result]);
        }
        let mut results: Vec<_> = lookup.values.iter().map(|_| Err(Outage::Timeout)).collect();
        let mut open: Vec<usize> = (0..lookup.values.len()).collect();
        while !open.is_empty() {
            if !self.uses_statements() {
                return None;
            }
            match self.execute(tenant, lookup, &open).await {
                Ok(Reading { customers, is_complete }) => {
                    let mut left = Vec::new();
                    for (position, customers) in open.into_iter().zip(customers) {
                        if is_complete || customers.len() > lookup.most {
                            results[position] = Ok(Found::listed(customers, lookup.most));
                        } else if customers.len() > PAGE_ITEMS {
                            results[position] = given_up(self.query(tenant, lookup, position).await)?;
                        } else {
                            left.push(position);
                        }
                    }
                    open = left;
                }
                Err(CallError::NoStatement(code)) => self.suspend_statements(&code),
                Err(CallError::Throttled) => return None,
                Err(error) => {
                    let outage = error.into();
                    for position in open.drain(..) {
                        results[position] = Err(outage);
                    }
                }
            }
        }
        Some(results)
    }

    /// Whether statements are wanted, and none was rejected in the last while.
    fn uses_statements(&self) -> bool {
        self.database.config.identity_lookup == IdentityLookup::Statement
            && self.statements_from().is_none_or(|from| Instant::now() >= from)
    }

    /// Reads by `Query` for a while, instead of having hundreds of statements rejected.
    fn suspend_statements(&self, code: &str) {
        let from = Instant::now() + STATEMENTS_SUSPENDED;
        let suspended = self.statements_from().replace(from);
        if suspended.is_none_or(|from| Instant::now() >= from) {
            self.calls.tally.failed(EXECUTE_STATEMENT, code);
            warn!(
                code,
                "a PartiQL statement was rejected: reading by Query for some minutes; see IDENTITY_LOOKUP"
            );
        }
    }

    /// A poisoned lock is ignored: the time is complete whenever it is set.
    fn statements_from(&self) -> MutexGuard<'_, Option<Instant>> {
        self.database.statements_from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The results of a look-up; `None` if its call failed, and each of its values is to be looked up alone.
fn unless_split(results: Option<Vec<LookupResult>>, splits: &mut SplitBudget) -> Option<Vec<LookupResult>> {
    let results = results?;
    if results.iter().any(|result| !matches!(result, Err(Outage::StoreError))) {
        splits.deposit();
    } else if results.len() > 1 && splits.withdraw(results.len()) {
        return None;
    }
    Some(results)
}

/// The result of a query; `None` if it stayed throttled.
fn given_up(result: Result<Found, CallError>) -> Option<LookupResult> {
    match result {
        Err(CallError::Throttled) => None,
        result => Some(result.map_err(Outage::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_success_lets_another_failed_look_up_be_split() {
        let splits = &mut SplitBudget::default();
        let mut is_split = |first: LookupResult| {
            let results = [first].into_iter().chain((1..50).map(|_| Err(Outage::StoreError))).collect();
            unless_split(Some(results), splits).is_none()
        };
        let failed = || Err(Outage::StoreError);
        assert_eq!([failed(), failed(), failed()].map(&mut is_split), [true, true, false]);
        assert!(!is_split(Ok(Found::Many)));
        assert!(is_split(failed()));
    }
}
