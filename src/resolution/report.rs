//! The result of an import: with the request, enough to write the response, now or in a replay.

use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::request::failure::Failure;
use crate::request::fields;
use crate::resolution::customer::{Match, MatchedBy, Outcome};

/// The results of the records of an import.
#[derive(Debug)]
pub struct Report {
    /// The failed records by index, in the order sent, and why each failed.
    pub failures: Vec<(usize, Failure)>,
    /// `matches` of the response, if it was requested (contract, section 9).
    pub matches: Option<Matches>,
}

/// `matches` of a response: the resolved records in the order sent (contract, section 9).
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Matches(pub Vec<MatchedRecord>);

/// A resolved record.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchedRecord {
    /// Its place in the `data` sent, from 0.
    pub index: usize,
    /// The customer's ID.
    pub audience_user_id: String,
    /// What the match is based on.
    pub matched_by: MatchedBy,
}

impl Matches {
    /// The matches among the outcomes of records with these indexes.
    pub fn new<'o>(outcomes: impl Iterator<Item = (usize, &'o Outcome)>) -> Self {
        let matched = outcomes.filter_map(|(index, outcome)| Some((index, outcome.as_ref().ok()?)));
        let record = |(index, matched): (usize, &Match)| MatchedRecord {
            index,
            audience_user_id: matched.customer.clone(),
            matched_by: matched.by,
        };
        Self(matched.map(record).collect())
    }

    /// The size as a string inside JSON, in bytes.
    pub fn escaped_bytes(&self) -> usize {
        fields::escaped_bytes(&to_raw_value(self).expect("BUG: matches are JSON"))
    }
}

opaque_debug!(Matches);
