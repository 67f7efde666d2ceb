//! Matching records with customers by their identifiers (contract, section 5).
//!
//! Pure: a [`Resolution`] returns the look-ups it needs, receives their results, and finally returns
//! one outcome per record. The caller performs the look-ups.

use crate::request::failure::{Failure, Outage};
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::params::{IdentifyWay, Matching};
use crate::resolution::customer::{Match, MatchedBy, Outcome};
use crate::resolution::lookup::{Column, Customer, Found, Lookup, LookupResult, MAX_LISTED};

/// The resolution of a batch of records.
pub struct Resolution<'r> {
    matching: Matching,
    /// The values of each identifier type. Fuzzy: in the order in which a record's are looked up; exact: all of a
    /// record's at once, and the last are the IDs, as candidates are compared by them.
    pub(super) columns: [Column<'r>; Identifier::COUNT],
    pub(super) records: Vec<Progress<'r>>,
}

pub(super) struct Progress<'r> {
    pub identifiers: &'r Identifiers<'r>,
    pub state: State,
}

pub(super) enum State {
    /// No further look-up is needed.
    Decided(Outcome),
    /// Fuzzy: no identifier in a column before this one matches a customer.
    Unmatched { column: usize },
    /// Exact: so many identifiers are not looked up yet.
    Open { identifiers: usize },
}

impl<'r> Resolution<'r> {
    /// Starts the resolution of records with these identifiers.
    pub fn new(matching: Matching, identifiers: impl Iterator<Item = &'r Identifiers<'r>>) -> Self {
        let order = match matching {
            Matching::Off | Matching::Exact => IdentifyWay::UnionidFirst.order(),
            Matching::Fuzzy(way) => way.order(),
        };
        let columns = order.map(Column::new);
        let begin = |identifiers| Progress { identifiers, state: State::Unmatched { column: 0 } };
        let mut resolution = Self { matching, columns, records: identifiers.map(begin).collect() };
        for record in 0..resolution.records.len() {
            match matching {
                Matching::Off => resolution.take_id(record),
                Matching::Exact => resolution.open(record),
                Matching::Fuzzy(_) => resolution.advance(record, false),
            }
        }
        resolution
    }

    /// Whether no look-up is needed.
    pub fn is_decided(&self) -> bool {
        self.columns.iter().all(Column::is_done)
    }

    /// The next look-up that can start; `None` if there is none until the results of another are received. A look-up has
    /// as many values as a call takes at present (0: none may start), unless no more can follow; in a `hurry` it does not
    /// wait for them.
    pub fn next_lookup(&mut self, hurry: bool, per_call: impl Fn(Identifier) -> usize) -> Option<Lookup<'r>> {
        let is_exact = self.matching == Matching::Exact;
        let mut earlier_are_done = true;
        let mut next = None;
        for column in &mut self.columns {
            let size = per_call(column.identifier);
            let is_due = column.is_full(size) || hurry || earlier_are_done || (is_exact && column.has_new());
            earlier_are_done &= column.is_done();
            let turn = column.turn().filter(|_| is_due && size > 0);
            if let Some(turn) = turn
                && next.as_ref().is_none_or(|(first, _, _)| turn < *first)
            {
                next = Some((turn, size, column));
            }
        }
        let most = if is_exact { MAX_LISTED } else { 1 };
        next.map(|(_, size, column)| column.take(size, most, is_exact))
    }

    /// Has each value of a look-up looked up alone: they could not be looked up together.
    pub fn put_back(&mut self, lookup: Lookup<'r>) {
        self.column_mut(lookup.identifier).put_back(lookup);
    }

    /// Receives the results of a look-up: one per value, in the same order.
    pub fn learn(&mut self, lookup: Lookup<'r>, results: Vec<LookupResult>) {
        let identifier = lookup.identifier;
        let decided: Vec<_> = results.iter().map(|result| decided(identifier, result)).collect();
        let waiting = self.column_mut(identifier).learn(lookup, results);
        for (waiting, decided) in waiting.into_iter().zip(decided) {
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

    /// Off: the record itself names the customer.
    fn take_id(&mut self, record: usize) {
        let Progress { identifiers, state } = &mut self.records[record];
        let id = Identifier::AudienceUserId;
        let customer = identifiers.get(id).map(str::to_owned);
        let matched = customer.map(|customer| Match { customer, by: MatchedBy::Identifier(id) });
        *state = State::Decided(matched.ok_or(Failure::MissingIdentifier));
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

    pub(super) fn column(&self, identifier: Identifier) -> &Column<'r> {
        let column = self.columns.iter().find(|column| column.identifier == identifier);
        column.expect("BUG: each identifier type has a column")
    }

    pub(super) fn column_mut(&mut self, identifier: Identifier) -> &mut Column<'r> {
        let column = self.columns.iter_mut().find(|column| column.identifier == identifier);
        column.expect("BUG: each identifier type has a column")
    }
}

/// Fuzzy: what the look-up of an identifier decides; nothing if it matches no customer.
fn decided(identifier: Identifier, result: &LookupResult) -> Option<Outcome> {
    match result {
        Ok(Found::Customers(customers)) => match &customers[..] {
            [] => None,
            [Customer { id, .. }] => {
                Some(Ok(Match { customer: id.clone(), by: MatchedBy::Identifier(identifier) }))
            }
            _ => Some(Err(Failure::Ambiguous)),
        },
        Ok(Found::Many) => Some(Err(Failure::Ambiguous)),
        // The next identifier is not tried: this one may match a customer.
        Err(outage) => Some(Err((*outage).into())),
    }
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
    fn next(resolution: &mut Resolution<'_>, size: usize, hurry: bool) -> String {
        resolution.next_lookup(hurry, |_| size).map_or(String::new(), |lookup| lookup.values.join(" "))
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
        let mut resolution = Resolution::new(fuzzy, records.iter());
        let first = resolution.next_lookup(false, |_| 2).expect("there is one");
        assert_eq!(first.values, ["u0", "u1"]);
        let results = nobody(&first);
        resolution.learn(first, results);
        let second = resolution.next_lookup(false, |_| 2).expect("there is one");
        assert_eq!((second.identifier, second.values.join(" ")), (Openid, "o0 o1".to_owned()));
        assert_eq!(next(&mut resolution, 2, false), "u2 u4");
        // Further openids may follow, unless there is no time to wait for them.
        assert_eq!(next(&mut resolution, 2, false), "");
        assert_eq!(next(&mut resolution, 2, true), "o3");
        let results = nobody(&second);
        resolution.learn(second, results);
        assert_eq!(next(&mut resolution, 2, true), "");
    }

    #[test]
    fn a_value_of_begun_and_new_records_has_the_turn_of_the_begun_ones() {
        let records = records(&[
            &[(Unionid, "u0"), (Openid, "o2")],
            &[(Unionid, "u1"), (Openid, "o3")],
            &[(Unionid, "u4")],
            &[(Openid, "o2")],
            &[(Openid, "o3")],
        ]);
        let fuzzy = Matching::Fuzzy(IdentifyWay::UnionidFirst);
        let mut resolution = Resolution::new(fuzzy, records.iter());
        let first = resolution.next_lookup(false, |_| 1).expect("there is one");
        assert_eq!((&*first.values[0], next(&mut resolution, 1, false)), ("u0", "u1".to_owned()));
        let results = nobody(&first);
        resolution.learn(first, results);
        assert_eq!(next(&mut resolution, 1, false), "o2");
        let rest: Vec<_> = (0..3).map(|_| next(&mut resolution, 1, false)).collect();
        assert_eq!(rest, ["u4", "o3", ""]);
    }

    #[test]
    fn values_that_are_put_back_are_looked_up_alone_in_their_order() {
        let values = ["u0", "u1", "u2", "u3", "u4"];
        let records = values.iter().flat_map(|value| records(&[&[(Unionid, value)]])).collect::<Vec<_>>();
        let fuzzy = Matching::Fuzzy(IdentifyWay::UnionidFirst);
        let mut resolution = Resolution::new(fuzzy, records.iter());
        let mut lookup = || resolution.next_lookup(false, |_| 2).expect("there is one");
        let (first, second) = (lookup(), lookup());
        resolution.put_back(second);
        resolution.put_back(first);
        for value in ["u0", "u1", "u2", "u3"] {
            let lookup = resolution.next_lookup(false, |_| 2).expect("there is one");
            assert_eq!((&lookup.values[..], lookup.is_alone), (&[value.into()][..], true));
        }
        assert_eq!(next(&mut resolution, 2, false), "u4");
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
        let mut resolution = Resolution::new(Matching::Exact, records.iter());
        let order: Vec<_> = (0..6).map(|_| next(&mut resolution, 2, false)).collect();
        assert_eq!(order, ["u0 u1", "p0 p2", "o2 o3", "u3 u4", "p4", ""]);
    }
}
