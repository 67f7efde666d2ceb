//! The result of an import: with the request, enough to write the response, now or in a replay.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::request::ImportRequest;
use crate::request::failure::{Failure, Outage};
use crate::resolution::customer::Outcome;

/// The results of the records of an import.
pub struct Report {
    /// The failed records by index, in the order sent, and why each failed.
    pub failures: Vec<(usize, Failure)>,
    /// `matches` of the response as JSON text, if it was requested (contract, section 9).
    pub matches: Option<Box<RawValue>>,
}

/// The stored form of a report, compact for large batches.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredOutcome {
    /// For each code the indexes of the records that failed with it, as ranges such as `0-3,7`. Field
    /// errors are not stored in detail: a replay checks the records again.
    pub failures: BTreeMap<String, String>,
    /// `matches` of the response as JSON text, if it was requested.
    pub matches: Option<String>,
}

/// Does not show the matches: they contain customer IDs.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("failures", &self.failures).finish_non_exhaustive()
    }
}

/// Does not show the matches: they contain customer IDs.
impl fmt::Debug for StoredOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredOutcome").field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl From<&Report> for StoredOutcome {
    fn from(report: &Report) -> Self {
        let mut indexes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, failure) in &report.failures {
            indexes.entry(failure.code()).or_default().push(*index);
        }
        Self {
            failures: indexes
                .into_iter()
                .map(|(code, indexes)| (code.to_owned(), ranges(&indexes)))
                .collect(),
            matches: report.matches.as_deref().map(|matches| matches.get().to_owned()),
        }
    }
}

impl StoredOutcome {
    /// The report of the import of `request`; `None` if the outcome does not fit the request.
    pub fn restore(self, request: &ImportRequest<'_>) -> Option<Report> {
        let mut failures = Vec::new();
        for (code, ranges) in &self.failures {
            for index in indexes(ranges)? {
                let sent = request.records.get(index)?;
                let invalid = sent.check(request.params.matching).err();
                let failure = invalid.or_else(|| by_code(code)).filter(|failure| failure.code() == code)?;
                failures.push((index, failure));
            }
        }
        failures.sort_unstable_by_key(|(index, _)| *index);
        let matches = self.matches.map(RawValue::from_string).transpose().ok()?;
        Some(Report { failures, matches })
    }
}

/// The failure with this code, if it does not result from the record itself.
fn by_code(code: &str) -> Option<Failure> {
    let failures = [
        Failure::NotMatched,
        Failure::Conflict,
        Failure::Ambiguous,
        Failure::Outage(Outage::StoreError),
        Failure::Outage(Outage::Timeout),
    ];
    failures.into_iter().find(|failure| failure.code() == code)
}

fn ranges(indexes: &[usize]) -> String {
    let runs = indexes.chunk_by(|one, next| one + 1 == *next);
    let range = |run: &[usize]| match run {
        [first, .., last] => format!("{first}-{last}"),
        single => single.iter().map(usize::to_string).collect(),
    };
    runs.map(range).collect::<Vec<_>>().join(",")
}

fn indexes(ranges: &str) -> Option<Vec<usize>> {
    let mut indexes = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        indexes.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(indexes)
}

/// `matches` of a response: for each matched record, its index and its customer.
pub fn matches<'o>(outcomes: impl Iterator<Item = (usize, &'o Outcome)>) -> Box<RawValue> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'o> {
        index: usize,
        audience_user_id: &'o str,
        matched_by: &'static str,
    }
    let entries: Vec<_> = outcomes
        .filter_map(|(index, outcome)| {
            let matched = outcome.as_ref().ok()?;
            Some(Entry { index, audience_user_id: &matched.customer, matched_by: matched.by.name() })
        })
        .collect();
    to_raw_value(&entries).expect("BUG: entries are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_round_trip_through_ranges() {
        for (indexes_of, text) in [
            (vec![0], "0"),
            (vec![0, 1], "0-1"),
            (vec![0, 1, 2, 7, 9, 10], "0-2,7,9-10"),
            ((0..5_000).collect(), "0-4999"),
        ] {
            assert_eq!(ranges(&indexes_of), text);
            assert_eq!(indexes(text), Some(indexes_of));
        }
        for text in ["", "a", "1-", "-1", "1,,2"] {
            assert_eq!(indexes(text), None, "{text}");
        }
    }

    #[test]
    fn report_is_restored_from_its_stored_form() {
        let body = br#"{"publicParams":{"isMatching":true,"matchingType":1,"optType":"add"},"data":[
            {"phone":1}, {"openid":"a","groups":"g"}, {"groups":"g"}, {"openid":"b","groups":"g"}, {"openid":"c"}]}"#;
        let request = ImportRequest::parse(body, 10).expect("an import");
        let mut failures: Vec<_> = request
            .records
            .iter()
            .enumerate()
            .filter_map(|(index, sent)| Some((index, sent.check(request.params.matching).err()?)))
            .collect();
        failures.push((3, Failure::Outage(Outage::Timeout)));
        failures.sort_unstable_by_key(|(index, _)| *index);
        let matches = RawValue::from_string(r#"[{"index":4}]"#.to_owned()).expect("JSON");
        let report = Report { failures, matches: Some(matches) };
        let stored = StoredOutcome::from(&report);
        assert_eq!(stored.failures.get("TIMEOUT").map(String::as_str), Some("3"));
        let restored = stored.restore(&request).expect("stored for this request");
        assert_eq!(restored.failures, report.failures);
        assert_eq!(restored.matches.as_deref().map(RawValue::get), Some(r#"[{"index":4}]"#));

        for (code, ranges) in [("TIMEOUT", "9"), ("TIMEOUT", "0"), ("ELSE", "1"), ("TIMEOUT", "x")] {
            let failures = BTreeMap::from([(code.to_owned(), ranges.to_owned())]);
            assert!(StoredOutcome { failures, matches: None }.restore(&request).is_none(), "{code} {ranges}");
        }
    }
}
