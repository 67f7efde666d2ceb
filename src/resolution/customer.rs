//! Which customer each record identifies (contract, section 5).
//!
//! Pure: a [`Resolution`] returns the look-ups it needs, receives their results, and finally returns
//! one outcome per record. The caller performs the look-ups.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::request::failure::{Failure, Outage};
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::params::{IdentifyWay, Matching};
use crate::resolution::lookup::{Column, Customer, Found, Lookup, LookupResult, MAX_LISTED};

/// The outcome of a record: the customer it identifies, or why it identifies none.
pub type Outcome = Result<Match, Failure>;

/// The customer that a record identifies.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// The customer's ID, `audienceUserId`.
    pub customer: String,
    /// What the match is based on.
    pub by: MatchedBy,
}

/// Does not show the customer.
impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match").field("by", &self.by).finish_non_exhaustive()
    }
}

/// What a match is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedBy {
    /// One identifier: the first that matched a customer, or the customer's ID.
    Identifier(Identifier),
    /// All identifiers together.
    Exact,
}

impl MatchedBy {
    /// Every basis.
    pub const ALL: [Self; Identifier::COUNT + 1] = [
        Self::Identifier(Identifier::AudienceUserId),
        Self::Identifier(Identifier::Openid),
        Self::Identifier(Identifier::Unionid),
        Self::Identifier(Identifier::Phone),
        Self::Exact,
    ];

    /// The name in an explanation (contract, section 9).
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier(identifier) => identifier.field(),
            Self::Exact => "exact",
        }
    }
}

impl Serialize for MatchedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The resolution of a batch of records.
pub struct Resolution<'r> {
    matching: Matching,
    /// The values of each identifier type. Fuzzy: in the order in which a record's are looked up; exact: all of a
    /// record's at once, and the last are the IDs, as candidates are compared by them.
    columns: [Column<'r>; Identifier::COUNT],
    records: Vec<Progress<'r>>,
}

struct Progress<'r> {
    identifiers: &'r Identifiers<'r>,
    state: State,
}

enum State {
    /// No further look-up is needed.
    Decided(Outcome),
    /// Fuzzy: no identifier in a column before this one matches a customer.
    Unmatched { column: usize },
    /// Exact: so many identifiers are not looked up yet.
    Open { identifiers: usize },
}

impl<'r> Resolution<'r> {
    /// Starts the resolution of records with these identifiers. A call looks up as many values as `per_call` allows.
    pub fn new(
        matching: Matching,
        identifiers: impl Iterator<Item = &'r Identifiers<'r>>,
        per_call: impl Fn(Identifier) -> usize,
    ) -> Self {
        let order = match matching {
            Matching::Off | Matching::Exact => IdentifyWay::UnionidFirst.order(),
            Matching::Fuzzy(way) => way.order(),
        };
        let columns = order.map(|identifier| Column::new(identifier, per_call(identifier)));
        let begin = |identifiers| Progress { identifiers, state: State::begin(matching, identifiers) };
        let records: Vec<_> = identifiers.map(begin).collect();
        let mut resolution = Self { matching, columns, records };
        for record in 0..resolution.records.len() {
            match resolution.records[record].state {
                State::Decided(_) => {}
                State::Unmatched { .. } => resolution.advance(record, false),
                State::Open { .. } => resolution.open(record),
            }
        }
        resolution
    }

    /// Whether no look-up is needed.
    pub fn is_decided(&self) -> bool {
        self.columns.iter().all(Column::is_done)
    }

    /// The next look-up that can start; `None` if there is none until the results of another are received. A look-up has
    /// as many values as a call takes, unless no more can follow; in a `hurry` it does not wait for them.
    pub fn next_lookup(&mut self, hurry: bool) -> Option<Lookup<'r>> {
        let is_exact = self.matching == Matching::Exact;
        let mut earlier_are_done = true;
        let mut next = None;
        for column in &mut self.columns {
            let is_due = column.is_full() || hurry || earlier_are_done || (is_exact && column.has_new());
            earlier_are_done &= column.is_done();
            let turn = column.turn().filter(|_| is_due);
            if let Some(turn) = turn
                && next.as_ref().is_none_or(|(first, _)| turn < *first)
            {
                next = Some((turn, column));
            }
        }
        let most = if is_exact { MAX_LISTED } else { 1 };
        next.map(|(_, column)| column.take(most, is_exact))
    }

    /// Receives the results of a look-up: one per value, in the same order.
    pub fn learn(&mut self, lookup: Lookup<'r>, results: Vec<LookupResult>) {
        let identifier = lookup.identifier;
        let learnt = self.column_mut(identifier).learn(lookup, results);
        for (place, waiting) in learnt {
            let result = self.column(identifier).result_at(place);
            let decided = result.and_then(|result| decided(identifier, result));
            for record in waiting {
                match (&mut self.records[record].state, &decided) {
                    (State::Decided(_), _) => {}
                    (state @ State::Unmatched { .. }, Some(outcome)) => {
                        *state = State::Decided(outcome.clone());
                    }
                    (State::Unmatched { .. }, None) => self.advance(record, true),
                    (State::Open { identifiers }, _) => {
                        *identifiers -= 1;
                        if *identifiers == 0 {
                            self.narrow(record);
                        }
                    }
                }
            }
        }
    }

    /// The outcome of each record, in the order given.
    pub fn outcomes(self) -> impl Iterator<Item = Outcome> {
        (0..self.records.len()).map(move |record| match &self.records[record].state {
            State::Decided(outcome) => outcome.clone(),
            State::Open { .. } => self.compared(record),
            State::Unmatched { .. } => Err(Outage::Timeout.into()),
        })
    }

    /// Fuzzy: has the next identifier of a record looked up, or decides its outcome by what is known.
    fn advance(&mut self, record: usize, is_begun: bool) {
        let Progress { identifiers, state } = &mut self.records[record];
        let State::Unmatched { column: next } = *state else { return };
        for (position, column) in self.columns.iter_mut().enumerate().skip(next) {
            let Some(value) = identifiers.get(column.identifier) else { continue };
            let identifier = column.identifier;
            match column.request(value.into(), record, is_begun).map(|result| decided(identifier, result)) {
                None => return *state = State::Unmatched { column: position + 1 },
                Some(None) => {}
                Some(Some(outcome)) => return *state = State::Decided(outcome),
            }
        }
        *state = State::Decided(Err(Failure::NotMatched));
    }

    /// Exact: has all identifiers of a record looked up.
    fn open(&mut self, record: usize) {
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

    /// Exact: decides the outcome of a record whose identifiers are all looked up, or has its candidates looked up that
    /// must be compared.
    fn narrow(&mut self, record: usize) {
        let outcome = match self.candidates(record) {
            Ok(Candidates { customers, unlisted }) if !unlisted.is_empty() => {
                let ids: Vec<_> = customers.iter().map(|customer| customer.id.clone()).collect();
                for id in ids {
                    self.column_mut(Identifier::AudienceUserId).queue(id.into(), record, true);
                }
                return;
            }
            Ok(Candidates { customers, .. }) => single(&customers, MatchedBy::Exact),
            Err(failure) => Err(failure),
        };
        self.records[record].state = State::Decided(outcome);
    }

    /// Exact: the customers that all listed identifiers of a record have in common, at least one.
    fn candidates(&self, record: usize) -> Result<Candidates<'_>, Failure> {
        let (mut lists, mut unlisted, mut outage) = (Vec::new(), Vec::new(), None);
        for column in &self.columns {
            let Some(value) = self.records[record].identifiers.get(column.identifier) else { continue };
            match column.result(value) {
                Some(Ok(Found::Customers(customers))) if customers.is_empty() => {
                    return Err(Failure::NotMatched);
                }
                Some(Ok(Found::Customers(customers))) => lists.push(customers),
                Some(Ok(Found::Many)) => unlisted.push((column.identifier, value)),
                Some(Err(new)) => outage = earliest(outage, *new),
                None => outage = earliest(outage, Outage::Timeout),
            }
        }
        // The identifier not read may match no customer: a conflict needs all results.
        if let Some(outage) = outage {
            return Err(outage.into());
        }
        lists.sort_unstable_by_key(|customers| customers.len());
        let Some((shortest, others)) = lists.split_first() else { return Err(Failure::Ambiguous) };
        let is_listed = |list: &&Vec<Customer>, customer: &Customer| {
            list.binary_search_by(|other| other.id.cmp(&customer.id)).is_ok()
        };
        let is_common = |customer: &&Customer| others.iter().all(|list| is_listed(list, customer));
        let customers: Vec<_> = shortest.iter().filter(is_common).collect();
        if customers.is_empty() { Err(Failure::Conflict) } else { Ok(Candidates { customers, unlisted }) }
    }

    /// Exact: the outcome of a record whose candidates were compared with its identifiers that are not listed.
    fn compared(&self, record: usize) -> Outcome {
        let Candidates { customers, unlisted } = self.candidates(record)?;
        let items = self.column(Identifier::AudienceUserId);
        let (mut matched, mut outage) = (Vec::new(), None);
        for customer in customers {
            match items.result(&customer.id) {
                Some(Ok(Found::Customers(found))) => {
                    let has = |(identifier, value): &(Identifier, &str)| {
                        let stored = found.first().and_then(|customer| customer.identifiers.as_ref());
                        stored.is_some_and(|stored| stored.get(*identifier) == Some(value))
                    };
                    matched.extend(unlisted.iter().all(has).then_some(customer));
                }
                Some(Ok(Found::Many)) => unreachable!("an ID is that of one customer"),
                Some(Err(new)) => outage = earliest(outage, *new),
                None => outage = earliest(outage, Outage::Timeout),
            }
        }
        match outage {
            Some(outage) if matched.len() < 2 => Err(outage.into()),
            _ if matched.is_empty() => Err(Failure::Conflict),
            _ => single(&matched, MatchedBy::Exact),
        }
    }

    fn column(&self, identifier: Identifier) -> &Column<'r> {
        let column = self.columns.iter().find(|column| column.identifier == identifier);
        column.expect("BUG: each identifier type has a column")
    }

    fn column_mut(&mut self, identifier: Identifier) -> &mut Column<'r> {
        let column = self.columns.iter_mut().find(|column| column.identifier == identifier);
        column.expect("BUG: each identifier type has a column")
    }
}

/// The customers that an exact record may identify.
struct Candidates<'s> {
    customers: Vec<&'s Customer>,
    /// The identifiers of the record that more customers have than are listed.
    unlisted: Vec<(Identifier, &'s str)>,
}

impl State {
    fn begin(matching: Matching, identifiers: &Identifiers<'_>) -> Self {
        match matching {
            Matching::Off => Self::Decided(
                identifiers
                    .get(Identifier::AudienceUserId)
                    .map(|customer| Match {
                        customer: customer.to_owned(),
                        by: MatchedBy::Identifier(Identifier::AudienceUserId),
                    })
                    .ok_or(Failure::MissingIdentifier),
            ),
            Matching::Exact => Self::Open { identifiers: 0 },
            Matching::Fuzzy(_) => Self::Unmatched { column: 0 },
        }
    }
}

/// Fuzzy: what the look-up of an identifier decides; nothing if it matches no customer.
fn decided(identifier: Identifier, result: &LookupResult) -> Option<Outcome> {
    match result {
        Ok(Found::Customers(customers)) if customers.is_empty() => None,
        Ok(Found::Customers(customers)) => {
            let customers: Vec<_> = customers.iter().collect();
            Some(single(&customers, MatchedBy::Identifier(identifier)))
        }
        Ok(Found::Many) => Some(Err(Failure::Ambiguous)),
        // The next identifier is not tried: this one may match a customer.
        Err(outage) => Some(Err((*outage).into())),
    }
}

/// A match if the list, which is not empty, contains exactly one customer.
fn single(customers: &[&Customer], by: MatchedBy) -> Outcome {
    match customers {
        [customer] => Ok(Match { customer: customer.id.clone(), by }),
        _ => Err(Failure::Ambiguous),
    }
}

/// The one that comes first in the contract's table.
fn earliest(earlier: Option<Outage>, new: Outage) -> Option<Outage> {
    Some(earlier.map_or(new, |earlier| earlier.min(new)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records, each with these identifiers.
    fn records(records: &[&[(Identifier, &'static str)]]) -> Vec<Identifiers<'static>> {
        let record = |given: &&[(Identifier, &'static str)]| {
            let mut identifiers = Identifiers::default();
            given.iter().for_each(|(identifier, value)| identifiers.set(*identifier, Some((*value).into())));
            identifiers
        };
        records.iter().map(record).collect()
    }

    /// The values of the next look-up; empty if there is none.
    fn next(resolution: &mut Resolution<'_>, hurry: bool) -> String {
        resolution.next_lookup(hurry).map_or(String::new(), |lookup| lookup.values.join(" "))
    }

    fn nobody(lookup: &Lookup<'_>) -> Vec<LookupResult> {
        lookup.values.iter().map(|_| Ok(Found::Customers(Vec::new()))).collect()
    }

    use Identifier::{Openid, Phone, Unionid};

    #[test]
    fn fuzzy_records_are_completed_before_new_ones_begin() {
        let records = records(&[
            &[(Unionid, "u0"), (Openid, "o0")],
            &[(Unionid, "u1"), (Openid, "o1")],
            &[(Unionid, "u2"), (Openid, "o2")],
            &[(Openid, "o3")],
            &[(Unionid, "u4"), (Phone, "p4")],
        ]);
        let fuzzy = Matching::Fuzzy(IdentifyWay::UnionidFirst);
        let mut resolution = Resolution::new(fuzzy, records.iter(), |_| 2);
        let first = resolution.next_lookup(false).expect("there is one");
        assert_eq!(first.values, ["u0", "u1"]);
        let results = nobody(&first);
        resolution.learn(first, results);
        let second = resolution.next_lookup(false).expect("there is one");
        assert_eq!((second.identifier, second.values.join(" ")), (Openid, "o0 o1".to_owned()));
        assert_eq!(next(&mut resolution, false), "u2 u4");
        // Further openids may follow, unless there is no time to wait for them.
        assert_eq!(next(&mut resolution, false), "");
        assert_eq!(next(&mut resolution, true), "o3");
        let results = nobody(&second);
        resolution.learn(second, results);
        assert_eq!(next(&mut resolution, true), "");
    }

    #[test]
    fn exact_records_are_completed_in_their_order() {
        let records = records(&[
            &[(Unionid, "u0"), (Phone, "p0")],
            &[(Unionid, "u1"), (Phone, "p0")],
            &[(Openid, "o2"), (Phone, "p2")],
            &[(Unionid, "u3"), (Openid, "o3")],
            &[(Unionid, "u4"), (Phone, "p4")],
        ]);
        let mut resolution = Resolution::new(Matching::Exact, records.iter(), |_| 2);
        let order: Vec<_> = (0..6).map(|_| next(&mut resolution, false)).collect();
        assert_eq!(order, ["u0 u1", "p0 p2", "o2 o3", "u3 u4", "p4", ""]);
    }
}
