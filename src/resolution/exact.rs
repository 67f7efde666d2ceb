//! Exact matching: the customer that has all identifiers of a record (contract, section 5). Pure.

use crate::request::failure::Failure;
use crate::request::identifier::Identifier;
use crate::resolution::customer::{Match, MatchedBy, Outcome};
use crate::resolution::lookup::{Customer, Found};
use crate::resolution::matching::{Progress, Resolution, State};

/// The customers that an exact record may identify.
struct Candidates<'s> {
    customers: Vec<&'s Customer>,
    /// The identifiers of the record that more customers have than are listed.
    unlisted: Vec<(Identifier, &'s str)>,
}

impl Resolution<'_> {
    /// Has all identifiers of a record looked up.
    pub(super) fn open(&mut self, record: usize) {
        let Progress { identifiers, state } = &mut self.records[record];
        let mut open = 0;
        for column in &mut self.columns {
            if let Some(value) = identifiers.get(column.identifier) {
                column.request(value.into(), record, false);
                open += 1;
            }
        }
        *state = match open {
            0 => State::Decided(Err(Failure::MissingIdentifier)),
            identifiers => State::Open { identifiers },
        };
    }

    /// Decides the outcome of a record whose identifiers are all looked up, or has its candidates looked up that
    /// must be compared.
    pub(super) fn narrow(&mut self, record: usize) {
        let outcome = match self.candidates(record) {
            Ok(Candidates { customers, unlisted }) if !unlisted.is_empty() => {
                let ids: Vec<_> = customers.iter().map(|customer| customer.id.clone()).collect();
                for id in ids {
                    self.column_mut(Identifier::AudienceUserId).queue(id.into(), record, true);
                }
                return;
            }
            Ok(Candidates { customers, .. }) => single(&customers),
            Err(failure) => Err(failure),
        };
        self.records[record].state = State::Decided(outcome);
    }

    /// The customers that all listed identifiers of a record have in common.
    fn candidates(&self, record: usize) -> Result<Candidates<'_>, Failure> {
        let (mut lists, mut unlisted, mut outages) = (Vec::new(), Vec::new(), Vec::new());
        for column in &self.columns {
            let Some(value) = self.records[record].identifiers.get(column.identifier) else { continue };
            match column.found(value) {
                Ok(Found::Customers(customers)) if customers.is_empty() => return Err(Failure::NotMatched),
                Ok(Found::Customers(customers)) => lists.push(customers),
                Ok(Found::Many) => unlisted.push((column.identifier, value)),
                Err(outage) => outages.push(outage),
            }
        }
        // The identifier not read may match no customer: a conflict needs all results.
        if let Some(outage) = outages.into_iter().min() {
            return Err(outage.into());
        }
        lists.sort_unstable_by_key(|customers| customers.len());
        let Some((shortest, others)) = lists.split_first() else { return Err(Failure::Ambiguous) };
        let is_listed = |list: &&Vec<Customer>, customer: &Customer| {
            list.binary_search_by(|other| other.id.cmp(&customer.id)).is_ok()
        };
        let is_common = |customer: &&Customer| others.iter().all(|list| is_listed(list, customer));
        Ok(Candidates { customers: shortest.iter().filter(is_common).collect(), unlisted })
    }

    /// The outcome of a record whose candidates were compared with its identifiers that are not listed.
    pub(super) fn compared(&self, record: usize) -> Outcome {
        let Candidates { customers, unlisted } = self.candidates(record)?;
        let items = self.column(Identifier::AudienceUserId);
        let (mut matched, mut outages) = (Vec::new(), Vec::new());
        for customer in customers {
            match items.found(&customer.id) {
                Ok(Found::Customers(found)) => {
                    let has = |(identifier, value): &(Identifier, &str)| {
                        let stored = found.first().and_then(|customer| customer.identifiers.as_ref());
                        stored.is_some_and(|stored| stored.get(*identifier) == Some(value))
                    };
                    matched.extend(unlisted.iter().all(has).then_some(customer));
                }
                Ok(Found::Many) => unreachable!("an ID is that of one customer"),
                Err(outage) => outages.push(outage),
            }
        }
        match outages.into_iter().min() {
            Some(outage) if matched.len() < 2 => Err(outage.into()),
            _ => single(&matched),
        }
    }
}

/// The only customer that has all identifiers of a record.
fn single(customers: &[&Customer]) -> Outcome {
    match customers {
        [] => Err(Failure::Conflict),
        [customer] => Ok(Match { customer: customer.id.clone(), by: MatchedBy::Exact }),
        _ => Err(Failure::Ambiguous),
    }
}
