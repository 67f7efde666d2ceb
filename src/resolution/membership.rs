//! What must be written for a batch of resolved records (contract, section 6). Pure.

use std::collections::HashMap;

use crate::request::failure::{Failure, Outage};
use crate::request::group::GroupNames;
use crate::resolution::customer::{Match, Outcome};

/// One customer in one group.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Membership<'r> {
    /// The customer's ID, `audienceUserId`.
    pub customer: &'r str,
    /// The group's name.
    pub group: &'r str,
}

/// The memberships of a batch, no two alike, and which record wants which.
#[derive(Default)]
pub struct WritePlan<'r> {
    /// Everything to be written.
    pub memberships: Vec<Membership<'r>>,
    /// For each record the places of its memberships, or why it has none.
    records: Vec<Result<Vec<usize>, Failure>>,
}

impl<'r> WritePlan<'r> {
    /// The plan for records with these outcomes and groups.
    pub fn new(records: impl Iterator<Item = (&'r Outcome, &'r GroupNames<'r>)>) -> Self {
        let mut plan = Self::default();
        let mut places = HashMap::new();
        for (outcome, groups) in records {
            let wanted = outcome.as_ref().map_err(|failure| *failure).map(|Match { customer, .. }| {
                groups
                    .iter()
                    .map(|group| {
                        let membership = Membership { customer, group };
                        *places.entry(membership).or_insert_with(|| {
                            plan.memberships.push(membership);
                            plan.memberships.len() - 1
                        })
                    })
                    .collect()
            });
            plan.records.push(wanted);
        }
        plan
    }

    /// How each record ended, given how the writing of each membership ended: success only if
    /// every one of its memberships was written.
    pub fn settle(&self, written: &[Result<(), Outage>]) -> impl Iterator<Item = Result<(), Failure>> {
        self.records.iter().map(|wanted| {
            let outages =
                wanted.as_ref().map_err(|failure| *failure)?.iter().filter_map(|&place| written[place].err());
            outages.min().map_or(Ok(()), |outage| Err(outage.into()))
        })
    }
}
