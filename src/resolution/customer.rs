//! Which customer each record identifies (contract, section 5).
//!
//! Pure: a [`Resolution`] returns the look-ups it needs, receives their results, and finally returns
//! one outcome per record. The caller performs the look-ups.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::request::failure::{Failure, Outage};
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::params::Matching;

/// The result of looking up one value: the distinct IDs (`audienceUserId`) of the tenant's customers
/// that have it, possibly none.
pub type LookupResult = Result<Vec<String>, Outage>;

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

/// The distinct values of one identifier type that must be looked up.
pub struct Lookup<'r> {
    /// The type of all the values.
    pub identifier: Identifier,
    /// The distinct values, normalised.
    pub values: Vec<&'r str>,
    /// The records that need the results, each with the position of its value.
    waiting: Vec<(usize, usize)>,
}

/// The resolution of a batch of records.
pub struct Resolution<'r> {
    /// The identifier types of the remaining waves.
    waves: std::vec::IntoIter<Vec<Identifier>>,
    records: Vec<Progress<'r>>,
}

struct Progress<'r> {
    identifiers: &'r Identifiers<'r>,
    state: State,
}

enum State {
    /// No further look-up is needed.
    Decided(Outcome),
    /// Fuzzy: no identifier looked up so far matches a customer.
    Unmatched,
    /// Exact: the customers that all identifiers looked up so far have in common.
    Narrowing {
        /// `None` before the first result.
        candidates: Option<Vec<String>>,
        /// Whether an identifier matches no customer.
        unmatched: bool,
        outage: Option<Outage>,
    },
}

impl<'r> Resolution<'r> {
    /// Starts the resolution of records with these identifiers.
    pub fn new(matching: Matching, identifiers: impl Iterator<Item = &'r Identifiers<'r>>) -> Self {
        let waves = match matching {
            Matching::Off => Vec::new(),
            Matching::Exact => vec![Identifier::ALL.to_vec()],
            Matching::Fuzzy(way) => way.order().map(|identifier| vec![identifier]).to_vec(),
        };
        let begin = |identifiers| Progress { identifiers, state: State::begin(matching, identifiers) };
        Self { waves: waves.into_iter(), records: identifiers.map(begin).collect() }
    }

    /// The next look-ups for the undecided records; `None` if there are no more. Their results must be
    /// passed to [`learn`](Self::learn) before the next wave is requested.
    pub fn next_wave(&mut self) -> Option<Vec<Lookup<'r>>> {
        loop {
            let wave = self.waves.next()?;
            let lookups: Vec<_> = wave.into_iter().filter_map(|identifier| self.lookup(identifier)).collect();
            if !lookups.is_empty() {
                return Some(lookups);
            }
        }
    }

    fn lookup(&self, identifier: Identifier) -> Option<Lookup<'r>> {
        let mut lookup = Lookup { identifier, values: Vec::new(), waiting: Vec::new() };
        let mut positions = HashMap::new();
        for (record, progress) in self.records.iter().enumerate() {
            if let State::Decided(_) = progress.state {
                continue;
            }
            let Some(value) = progress.identifiers.get(identifier) else { continue };
            let position = *positions.entry(value).or_insert_with(|| {
                lookup.values.push(value);
                lookup.values.len() - 1
            });
            lookup.waiting.push((record, position));
        }
        (!lookup.values.is_empty()).then_some(lookup)
    }

    /// Receives the results of `lookup`: one per value, in the same order.
    pub fn learn(&mut self, lookup: Lookup<'_>, results: &[LookupResult]) {
        for (record, position) in lookup.waiting {
            self.records[record].state.learn(lookup.identifier, &results[position]);
        }
    }

    /// The outcome of each record, in the order given.
    pub fn outcomes(self) -> impl Iterator<Item = Outcome> {
        self.records.into_iter().map(|record| record.state.outcome())
    }
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
            Matching::Exact => Self::Narrowing { candidates: None, unmatched: false, outage: None },
            Matching::Fuzzy(_) => Self::Unmatched,
        }
    }

    fn learn(&mut self, identifier: Identifier, result: &LookupResult) {
        match self {
            Self::Decided(_) => {}
            Self::Unmatched => match result.as_deref() {
                Ok([]) => {}
                Ok(customers) => {
                    *self = Self::Decided(single(customers, MatchedBy::Identifier(identifier)));
                }
                // The next identifier is not tried: this one may match a customer.
                Err(outage) => *self = Self::Decided(Err((*outage).into())),
            },
            Self::Narrowing { candidates, unmatched, outage } => match result {
                Ok(customers) => {
                    *unmatched |= customers.is_empty();
                    match candidates {
                        None => *candidates = Some(customers.clone()),
                        Some(candidates) => candidates.retain(|candidate| customers.contains(candidate)),
                    }
                }
                Err(new) => *outage = Some(outage.map_or(*new, |earlier| earlier.min(*new))),
            },
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Decided(outcome) => outcome,
            Self::Unmatched | Self::Narrowing { unmatched: true, .. } => Err(Failure::NotMatched),
            // The identifier not read may match no customer: a conflict needs all results.
            Self::Narrowing { outage: Some(outage), .. } => Err(outage.into()),
            Self::Narrowing { candidates, .. } => match candidates.as_deref() {
                None => Err(Failure::MissingIdentifier),
                Some([]) => Err(Failure::Conflict),
                Some(candidates) => single(candidates, MatchedBy::Exact),
            },
        }
    }
}

/// A match if the list, which is not empty, contains exactly one customer.
fn single(customers: &[String], by: MatchedBy) -> Outcome {
    match customers {
        [customer] => Ok(Match { customer: customer.clone(), by }),
        _ => Err(Failure::Ambiguous),
    }
}
