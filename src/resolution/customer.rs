//! Who each record means (contract, section 5): what must be looked up, and what the answers say.
//!
//! Pure: a [`Resolution`] names the look-ups it needs, is told their answers, and in the end holds
//! one outcome a record. Whoever drives it does the reading.

use std::collections::HashMap;
use std::fmt;

use crate::request::failure::{Failure, Outage};
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::params::Matching;

/// What the look-up of one value found: the IDs (`audienceUserId`) of the customers of the tenant
/// that have it, no two alike; none is an answer too.
pub type LookupResult = Result<Vec<String>, Outage>;

/// What has become of a record: the customer it means, or why it means none.
pub type Outcome = Result<Match, Failure>;

/// The customer that a record means.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// The customer's ID, `audienceUserId`.
    pub customer: String,
    /// What decided.
    pub by: MatchedBy,
}

/// Shows what decided, and not whom it means.
impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match").field("by", &self.by).finish_non_exhaustive()
    }
}

/// What made a customer the one that a record means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedBy {
    /// One identifier: the first that matched anybody, or the one that names the customer.
    Identifier(Identifier),
    /// All identifiers together.
    Exact,
}

impl MatchedBy {
    /// As an explanation names it (contract, section 9).
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier(identifier) => identifier.field(),
            Self::Exact => "exact",
        }
    }
}

/// The distinct values of one identifier type that must be looked up.
pub struct Lookup<'r> {
    /// The type of all the values.
    pub identifier: Identifier,
    /// The values, normalised, no two alike.
    pub values: Vec<&'r str>,
    /// Who waits for the answers: a record, and the place of its value.
    waiting: Vec<(usize, usize)>,
}

/// The resolution of a batch of records.
pub struct Resolution<'r> {
    /// The identifier types of the waves still to come.
    waves: std::vec::IntoIter<Vec<Identifier>>,
    records: Vec<Progress<'r>>,
}

struct Progress<'r> {
    identifiers: &'r Identifiers<'r>,
    state: State,
}

enum State {
    /// Nothing more is to be asked.
    Decided(Outcome),
    /// Fuzzy: no identifier tried so far matches anybody.
    Unmatched,
    /// Exact: what the identifiers read so far have in common.
    Narrowing {
        /// `None` before the first answer.
        candidates: Option<Vec<String>>,
        /// Some identifier matches nobody.
        unmatched: bool,
        outage: Option<Outage>,
    },
}

impl<'r> Resolution<'r> {
    /// Begins the resolution of records with these identifiers.
    pub fn new(matching: Matching, identifiers: impl Iterator<Item = &'r Identifiers<'r>>) -> Self {
        let waves = match matching {
            Matching::Off => Vec::new(),
            Matching::Exact => vec![Identifier::ALL.to_vec()],
            Matching::Fuzzy(way) => way.order().map(|identifier| vec![identifier]).to_vec(),
        };
        let begin = |identifiers| Progress { identifiers, state: State::begin(matching, identifiers) };
        Self { waves: waves.into_iter(), records: identifiers.map(begin).collect() }
    }

    /// The look-ups that the records still undecided need next; `None` when none is left. The
    /// answers go to [`learn`](Self::learn) before the next wave is asked for.
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
        let mut places = HashMap::new();
        for (record, progress) in self.records.iter().enumerate() {
            if let State::Decided(_) = progress.state {
                continue;
            }
            let Some(value) = progress.identifiers.get(identifier) else { continue };
            let place = *places.entry(value).or_insert_with(|| {
                lookup.values.push(value);
                lookup.values.len() - 1
            });
            lookup.waiting.push((record, place));
        }
        (!lookup.values.is_empty()).then_some(lookup)
    }

    /// Takes the answers to `lookup`, one a value, in the same order.
    pub fn learn(&mut self, lookup: Lookup<'_>, answers: &[LookupResult]) {
        for (record, place) in lookup.waiting {
            self.records[record].state.learn(lookup.identifier, &answers[place]);
        }
    }

    /// What became of each record, in the order given.
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

    fn learn(&mut self, identifier: Identifier, answer: &LookupResult) {
        match self {
            Self::Decided(_) => {}
            Self::Unmatched => match answer.as_deref() {
                Ok([]) => {}
                Ok(customers) => {
                    *self = Self::Decided(only(customers, MatchedBy::Identifier(identifier)));
                }
                // Not a walk on to the next identifier: this one may have matched somebody.
                Err(outage) => *self = Self::Decided(Err((*outage).into())),
            },
            Self::Narrowing { candidates, unmatched, outage } => match answer {
                Ok(customers) => {
                    *unmatched |= customers.is_empty();
                    match candidates {
                        None => *candidates = Some(customers.clone()),
                        Some(candidates) => candidates.retain(|candidate| customers.contains(candidate)),
                    }
                }
                Err(this) => *outage = Some(outage.map_or(*this, |other| other.min(*this))),
            },
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Decided(outcome) => outcome,
            Self::Unmatched | Self::Narrowing { unmatched: true, .. } => Err(Failure::NotMatched),
            // What was not read may match nobody: only a full picture shows a conflict.
            Self::Narrowing { outage: Some(outage), .. } => Err(outage.into()),
            Self::Narrowing { candidates, .. } => match candidates.as_deref() {
                None => Err(Failure::MissingIdentifier),
                Some([]) => Err(Failure::Conflict),
                Some(candidates) => only(candidates, MatchedBy::Exact),
            },
        }
    }
}

/// The one customer of a list that has at least one.
fn only(customers: &[String], by: MatchedBy) -> Outcome {
    match customers {
        [customer] => Ok(Match { customer: customer.clone(), by }),
        _ => Err(Failure::Ambiguous),
    }
}
