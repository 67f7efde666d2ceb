//! One import, from its records to its result: look-ups, resolution, writes.

use crate::config::MAX_PAYLOAD_BYTES;
use crate::database::Claimed::{Ours, Theirs};
use crate::database::{Claim, Earlier, Session, Writing};
use crate::rejection::Rejection;
use crate::request::Request;
use crate::request::identifier::Identifiers;
use crate::request::params::Params;
use crate::resolution::customer::Outcome;
use crate::resolution::matching::Resolution;
use crate::resolution::membership::WritePlan;
use crate::resolution::report::{Matches, Report};
use crate::resolution::stored::{MAX_OUTCOME_BYTES, StoredOutcome};
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
    pub request: &'i Request<'a>,
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

impl Import<'_, '_> {
    /// Runs the import, unless a request with the same key has run it or is running it (contract,
    /// section 8).
    ///
    /// # Errors
    /// The key was used with another body or cannot be checked, or as [`run`](Self::run); no membership was written.
    pub async fn run_once(self, claim: &Claim<'_>) -> Result<Ended, Rejection> {
        // The run whose outcome does not fit the request, and therefore counts as none.
        let mut unfit: Option<String> = None;
        loop {
            let claimed = self.session.claim(claim, unfit.as_deref()).await;
            match claimed.map_err(|_| Rejection::Unavailable)? {
                Ours => return self.run_claimed(claim).await.map(Ended::Ran),
                Theirs(earlier) if earlier.body_hash != claim.body_hash => return Err(Rejection::KeyReused),
                Theirs(Earlier { outcome: None, .. }) => return Ok(Ended::InProgress),
                Theirs(Earlier { run, outcome: Some(outcome), .. }) => match outcome.restore(self.request) {
                    Some(report) => return Ok(Ended::Replayed(report)),
                    // Another run took the key over in between.
                    None if unfit.is_some() => return Ok(Ended::InProgress),
                    None => unfit = Some(run),
                },
            }
        }
    }

    async fn run_claimed(self, claim: &Claim<'_>) -> Result<Run, Rejection> {
        let result = self.run_within(Some(MAX_OUTCOME_BYTES)).await;
        match &result {
            Ok(run) => self.session.store_outcome(claim, (&run.report).into()).await,
            Err(_) => self.session.release_claim(claim).await,
        }
        result
    }

    /// Runs the import.
    ///
    /// # Errors
    /// The requested explanation does not fit the response; no membership was written.
    pub async fn run(self) -> Result<Run, Rejection> {
        self.run_within(None).await
    }

    /// Runs the import, whose outcome may have this size in bytes if it is stored.
    async fn run_within(self, outcome_bytes: Option<usize>) -> Result<Run, Rejection> {
        let params = self.request.params;
        let Params { opt_type, dry_run, explain, .. } = params;
        let checked: Vec<_> = self.request.records.iter().map(|sent| sent.check(params)).collect();
        let valid: Vec<_> =
            (0..).zip(&checked).filter_map(|(index, record)| Some((index, record.as_ref().ok()?))).collect();

        let outcomes = self.resolve(valid.iter().map(|(_, record)| &record.identifiers)).await;
        let matches = explain.then(|| Matches::new(valid.iter().map(|(index, _)| *index).zip(&outcomes)));
        if matches.as_ref().is_some_and(|matches| matches.escaped_bytes() > self.room_for_matches) {
            return Err(Rejection::ResponseTooLarge(MAX_PAYLOAD_BYTES));
        }
        let most_bytes = StoredOutcome::most_bytes(checked.len(), matches.as_ref());
        if let Some(limit) = outcome_bytes.filter(|limit| most_bytes > *limit) {
            return Err(Rejection::OutcomeTooLarge(limit));
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
        self.session.look_up(self.tenant, &mut resolution).await;
        resolution.outcomes().collect()
    }
}
