//! One import from its records to its result: look-ups, resolution, writes.

use crate::database::{Import, Session};
use crate::envelope::ImportResult;
use crate::failure::Failure;
use crate::identifier::Identifiers;
use crate::membership::WritePlan;
use crate::params::Matching;
use crate::record::{FailedRecord, Record, SentRecord};
use crate::request::ImportRequest;
use crate::resolution::{Outcome, Resolution};
use crate::tenant::TenantId;

/// Runs an import to its end. `id` is written to the memberships as their `importId`.
pub async fn run<'r, 'a>(
    session: Session<'_>,
    tenant: &TenantId,
    id: &str,
    request: &'r ImportRequest<'a>,
) -> ImportResult<'r, 'a> {
    let params = request.params;
    let checked: Vec<_> = request.records.iter().map(|sent| sent.check(params.matching)).collect();
    let sound: Vec<&Record<'_>> = checked.iter().filter_map(|record| record.as_ref().ok()).collect();

    let outcomes =
        resolve(session, tenant, params.matching, sound.iter().map(|record| &record.identifiers)).await;
    let plan = WritePlan::new(outcomes.iter().zip(sound.iter().map(|record| &record.groups)));
    let import = Import { tenant, opt_type: params.opt_type, id };
    let written = session.write(import, &plan.memberships).await;

    let mut settled = plan.settle(&written);
    let failures = checked.iter().map(|record| match record {
        Ok(_) => settled.next().expect("BUG: every sound record is settled").err(),
        Err(failure) => Some(*failure),
    });
    ImportResult::new(request.records.len(), failed(&request.records, failures))
}

async fn resolve<'r>(
    session: Session<'_>,
    tenant: &TenantId,
    matching: Matching,
    identifiers: impl Iterator<Item = &'r Identifiers<'r>>,
) -> Vec<Outcome> {
    let mut resolution = Resolution::new(matching, identifiers);
    while let Some(wave) = resolution.next_wave() {
        let answers = session.look_up(tenant, &wave).await;
        for (lookup, answers) in wave.into_iter().zip(&answers) {
            resolution.learn(lookup, answers);
        }
    }
    resolution.outcomes().collect()
}

fn failed<'r, 'a>(
    records: &'r [SentRecord<'a>],
    failures: impl Iterator<Item = Option<Failure>>,
) -> Vec<FailedRecord<'r, 'a>> {
    records
        .iter()
        .zip(failures)
        .filter_map(|(sent, failure)| Some(FailedRecord { sent, failure: failure? }))
        .collect()
}
