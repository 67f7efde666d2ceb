//! One import, from its records to its result: look-ups, resolution, writes.

use crate::database::claim::Claim;
use crate::database::{Claimed, ImportKey, Session, Writing};
use crate::request::ImportRequest;
use crate::request::failure::Outage;
use crate::request::identifier::Identifiers;
use crate::request::params::Params;
use crate::resolution::customer::{Outcome, Resolution};
use crate::resolution::membership::WritePlan;
use crate::resolution::report::{self, Report};
use crate::tenant::TenantId;

/// An import and what it needs to run.
#[derive(Clone, Copy)]
pub struct Import<'i, 'a> {
    /// The database during the invocation.
    pub session: Session<'i>,
    /// The tenant whose customers are imported.
    pub tenant: &'i TenantId,
    /// The `importId` of the memberships.
    pub id: &'i str,
    /// The parsed request.
    pub request: &'i ImportRequest<'a>,
    /// The size limit of the explanation in bytes, counted as a string inside JSON.
    pub room_for_matches: usize,
}

/// How a request for an import ended.
#[derive(Debug)]
pub enum Ended {
    /// The import ran.
    Ran(Run),
    /// It ran earlier with the same `Idempotency-Key`.
    Replayed(Report),
    /// Another invocation is running it.
    InProgress,
}

/// A completed import.
#[derive(Debug)]
pub struct Run {
    /// Its result.
    pub report: Report,
    /// How many records matched a customer, whether or not the memberships were written.
    pub matched: usize,
}

/// Why an import did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The requested explanation would make the response larger than Lambda can return.
    #[error("the response would be too large")]
    ResponseTooLarge,
    /// The `Idempotency-Key` was used earlier with another body.
    #[error("the key was used earlier with another body")]
    KeyReused,
    /// The `Idempotency-Key` could not be checked.
    #[error("the key could not be checked")]
    KeyUnchecked(Outage),
    /// The outcome stored for the `Idempotency-Key` does not fit the request.
    #[error("the stored outcome does not fit the request")]
    OutcomeUnreadable,
}

impl Import<'_, '_> {
    /// Runs the import, unless a request with the same key has run it or is running it (contract,
    /// section 8).
    ///
    /// # Errors
    /// See [`ImportError`]; no membership was written.
    pub async fn run_once(self, key: ImportKey<'_>, claim: &Claim) -> Result<Ended, ImportError> {
        let earlier = match self.session.claim(key, claim).await.map_err(ImportError::KeyUnchecked)? {
            Claimed::Ours => return self.run_claimed(key, claim).await.map(Ended::Ran),
            Claimed::Theirs(earlier) => earlier,
        };
        if earlier.body_hash != claim.body_hash {
            return Err(ImportError::KeyReused);
        }
        match earlier.outcome {
            None => Ok(Ended::InProgress),
            Some(outcome) => {
                let report = outcome.restore(self.request).ok_or(ImportError::OutcomeUnreadable)?;
                Ok(Ended::Replayed(report))
            }
        }
    }

    async fn run_claimed(self, key: ImportKey<'_>, claim: &Claim) -> Result<Run, ImportError> {
        let result = self.run().await;
        match &result {
            Ok(run) => self.session.store_outcome(key, claim, (&run.report).into()).await,
            Err(_) => self.session.release_claim(key, claim).await,
        }
        result
    }

    /// Runs the import.
    ///
    /// # Errors
    /// The requested explanation does not fit the response; no membership was written.
    pub async fn run(self) -> Result<Run, ImportError> {
        let Params { matching, opt_type, dry_run, explain } = self.request.params;
        let checked: Vec<_> = self.request.records.iter().map(|sent| sent.check(matching)).collect();
        let valid: Vec<_> =
            (0..).zip(&checked).filter_map(|(index, record)| Some((index, record.as_ref().ok()?))).collect();

        let outcomes = self.resolve(valid.iter().map(|(_, record)| &record.identifiers)).await;
        let matches = explain.then(|| report::matches(valid.iter().map(|(index, _)| *index).zip(&outcomes)));
        if matches.as_deref().is_some_and(|raw| raw_fields::escaped_bytes(raw) > self.room_for_matches) {
            return Err(ImportError::ResponseTooLarge);
        }

        let plan = WritePlan::new(outcomes.iter().zip(valid.iter().map(|(_, record)| &record.groups)));
        let written = if dry_run {
            vec![Ok(()); plan.memberships.len()]
        } else {
            let writing = Writing { tenant: self.tenant, opt_type, import_id: self.id };
            self.session.write(writing, &plan.memberships).await
        };

        let invalid =
            (0..).zip(&checked).filter_map(|(index, record)| Some((index, *record.as_ref().err()?)));
        let settled = valid.iter().zip(plan.settle(&written));
        let unsettled = settled.filter_map(|((index, _), settled)| Some((*index, settled.err()?)));
        let mut failures: Vec<_> = invalid.chain(unsettled).collect();
        failures.sort_unstable_by_key(|(index, _)| *index);
        let matched = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        Ok(Run { report: Report { failures, matches }, matched })
    }

    async fn resolve<'r>(self, identifiers: impl Iterator<Item = &'r Identifiers<'r>>) -> Vec<Outcome> {
        let mut resolution = Resolution::new(self.request.params.matching, identifiers);
        while let Some(wave) = resolution.next_wave() {
            let results = self.session.look_up(self.tenant, &wave).await;
            for (lookup, results) in wave.into_iter().zip(&results) {
                resolution.learn(lookup, results);
            }
        }
        resolution.outcomes().collect()
    }
}
