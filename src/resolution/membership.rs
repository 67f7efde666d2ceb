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

/// The distinct memberships of a batch, and which record needs which.
#[derive(Default)]
pub struct WritePlan<'r> {
    /// All memberships to write.
    pub memberships: Vec<Membership<'r>>,
    /// For each record the positions of its memberships, or why it has none.
    records: Vec<Result<Vec<usize>, Failure>>,
}

impl<'r> WritePlan<'r> {
    /// The plan for records with these outcomes and groups.
    pub fn new(records: impl Iterator<Item = (&'r Outcome, &'r GroupNames<'r>)>) -> Self {
        let mut plan = Self::default();
        let mut positions = HashMap::new();
        for (outcome, groups) in records {
            let memberships =
                outcome.as_ref().map_err(|failure| *failure).map(|Match { customer, .. }| {
                    groups
                        .iter()
                        .map(|group| {
                            let membership = Membership { customer, group };
                            *positions.entry(membership).or_insert_with(|| {
                                plan.memberships.push(membership);
                                plan.memberships.len() - 1
                            })
                        })
                        .collect()
                });
            plan.records.push(memberships);
        }
        plan
    }

    /// The result of each record, given the result of writing each membership: a record succeeds if
    /// all its memberships were written.
    pub fn settle(&self, written: &[Result<(), Outage>]) -> impl Iterator<Item = Result<(), Failure>> {
        self.records.iter().map(|memberships| {
            let positions = memberships.as_ref().map_err(|failure| *failure)?.iter();
            let outages = positions.filter_map(|&position| written[position].err());
            outages.min().map_or(Ok(()), |outage| Err(outage.into()))
        })
    }
}
