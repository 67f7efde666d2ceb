//! The stored form of a report, from which a replay with the same `Idempotency-Key` is written.
//!
//! It must fit one item: indexes are stored as ranges, customers as a plain list.

use std::collections::BTreeMap;

use crate::request::Request;
use crate::request::failure::{Failure, Outage};
use crate::resolution::customer::MatchedBy;
use crate::resolution::report::{MatchedRecord, Matches, Report};

/// The largest outcome that can be stored, in bytes. An item is limited to 400 KB, 409,600 bytes (DynamoDB quotas);
/// the rest is for its other attributes.
pub const MAX_OUTCOME_BYTES: usize = 400_000;

/// The size of the names of codes and identifiers, and of the attributes around them.
const FRAME_BYTES: usize = 1_024;

/// Record indexes by a name, as ranges such as `0-3,7`.
pub type Ranges = BTreeMap<String, String>;

/// A stored report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOutcome {
    /// For each code the records that failed with it. The fault of an invalid field is not stored: a replay checks
    /// the record again.
    pub failures: Ranges,
    /// `matches` of the response, if it was requested.
    pub matches: Option<StoredMatches>,
}

/// The stored form of `matches`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMatches {
    /// The IDs of the customers, in the order of the records.
    pub customers: Vec<String>,
    /// For each value of `matchedBy` the records.
    pub matched_by: Ranges,
}

opaque_debug!(StoredMatches);

impl From<&Report> for StoredOutcome {
    fn from(report: &Report) -> Self {
        let failures = report.failures.iter().map(|(index, failure)| (*index, failure.code()));
        Self {
            failures: ranges_by_name(failures),
            matches: report.matches.as_ref().map(|Matches(records)| StoredMatches {
                customers: records.iter().map(|record| record.audience_user_id.clone()).collect(),
                matched_by: ranges_by_name(
                    records.iter().map(|record| (record.index, record.matched_by.name())),
                ),
            }),
        }
    }
}

impl StoredOutcome {
    /// An outcome that could not be read: it fits no request.
    pub fn unreadable() -> Self {
        Self { failures: Ranges::from([(String::new(), String::new())]), matches: None }
    }

    /// An upper bound on the size of the outcome of an import of `records` records, whatever fails.
    pub fn most_bytes(records: usize, matches: Option<&Matches>) -> usize {
        // A list's element takes one byte besides its text (DynamoDB, "Item sizes and formats").
        let customers: Option<usize> = matches
            .map(|Matches(matched)| matched.iter().map(|record| record.audience_user_id.len() + 1).sum());
        let indexes = records * (records.to_string().len() + ",".len());
        FRAME_BYTES + indexes + customers.map_or(0, |customers| indexes + customers)
    }

    /// The report of the import of `request`; `None` if the outcome does not fit the request: another version of this
    /// program, or one with other limits, has stored it.
    pub fn restore(self, request: &Request<'_>) -> Option<Report> {
        let mut failures = Vec::new();
        for (code, ranges) in &self.failures {
            for index in indexes(ranges)? {
                let sent = request.records.get(index)?;
                let by_record = || sent.check(request.params).err().filter(|failure| failure.code() == code);
                let failure = match by_code(code) {
                    // Of these codes there are several failures: the record says which.
                    by_code @ (None | Some(Failure::MissingIdentifier)) => by_record().or(by_code)?,
                    Some(failure) => failure,
                };
                failures.push((index, failure));
            }
        }
        failures.sort_unstable_by_key(|(index, _)| *index);
        if self.matches.is_some() != request.params.explain {
            return None;
        }
        let matches = match self.matches {
            None => None,
            Some(matches) => Some(matches.restore(request.records.len())?),
        };
        Some(Report { failures, matches })
    }
}

impl StoredMatches {
    fn restore(self, records: usize) -> Option<Matches> {
        let mut matched_by = Vec::new();
        for (name, ranges) in &self.matched_by {
            let by = MatchedBy::all().find(|by| by.name() == name)?;
            matched_by.extend(indexes(ranges)?.into_iter().map(|index| (index, by)));
        }
        matched_by.sort_unstable_by_key(|(index, _)| *index);
        let fits = matched_by.len() == self.customers.len()
            && matched_by.last().is_none_or(|(index, _)| *index < records);
        let record =
            |((index, matched_by), audience_user_id)| MatchedRecord { index, audience_user_id, matched_by };
        fits.then(|| Matches(matched_by.into_iter().zip(self.customers).map(record).collect()))
    }
}

/// A failure with this code; `None` for an invalid field, which has several.
fn by_code(code: &str) -> Option<Failure> {
    let failures = [
        Failure::MissingIdentifier,
        Failure::MissingGroups,
        Failure::NotMatched,
        Failure::Conflict,
        Failure::Ambiguous,
        Failure::Outage(Outage::StoreError),
        Failure::Outage(Outage::Timeout),
    ];
    failures.into_iter().find(|failure| failure.code() == code)
}

/// The indexes, which ascend, by their names.
fn ranges_by_name(names: impl Iterator<Item = (usize, &'static str)>) -> Ranges {
    let mut indexes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, name) in names {
        indexes.entry(name).or_default().push(index);
    }
    indexes.into_iter().map(|(name, indexes)| (name.to_owned(), ranges(&indexes))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::identifier::Identifier;

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
        let even: Vec<_> = (0..5_000).step_by(2).collect();
        assert_eq!(indexes(&ranges(&even)), Some(even));
        for text in ["", "a", "1-", "-1", "1,,2"] {
            assert_eq!(indexes(text), None, "{text}");
        }
    }

    fn body(data: &str) -> String {
        let params = r#"{"isMatching":true,"matchingType":1,"optType":"add","explain":true}"#;
        format!(r#"{{"publicParams":{params},"data":{data}}}"#)
    }

    fn matched(index: usize, customer: &str, matched_by: MatchedBy) -> MatchedRecord {
        MatchedRecord { index, audience_user_id: customer.to_owned(), matched_by }
    }

    #[test]
    fn report_is_restored_from_its_stored_form() {
        let body = body(
            r#"[{"phone":1}, {"openid":"a","groups":"g"}, {"groups":"g"}, {"openid":"b\u0001","groups":"g"}, {"openid":"c"},
                {"unionId":"u","groups":"g"}, {"unionId":"u","phone":"1","groups":"g"}]"#,
        );
        let request = Request::parse(body.as_bytes(), 10).expect("an import");
        let [invalid, misnamed] =
            [0, 5].map(|index| request.records[index].check(request.params).expect_err("invalid"));
        let failures = vec![
            (0, invalid),
            (2, Failure::MissingIdentifier),
            // Stored before control characters became invalid.
            (3, Failure::Outage(Outage::Timeout)),
            (4, Failure::MissingGroups),
            (5, misnamed),
            // Stored before names that are nearly a field's became invalid.
            (6, Failure::NotMatched),
        ];
        let by = MatchedBy::Identifier(Identifier::Openid);
        let matches = Matches(vec![matched(1, "c1", MatchedBy::Exact), matched(3, "c2", by)]);
        let report = Report { failures, matches: Some(matches) };
        let stored = StoredOutcome::from(&report);
        assert_eq!(stored.failures.get("TIMEOUT").map(String::as_str), Some("3"));
        let restored = stored.restore(&request).expect("stored for this request");
        assert_eq!((restored.failures, restored.matches), (report.failures, report.matches));
    }

    #[test]
    fn unfit_outcomes_are_not_restored() {
        let body = body(r#"[{"phone":1},{"openid":"a","groups":"g"}]"#);
        let request = Request::parse(body.as_bytes(), 10).expect("an import");
        let ranges = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
        let matches = |name: &str, text: &str, customers: &[&str]| {
            let customers = customers.iter().map(|&customer| customer.to_owned()).collect();
            Some(StoredMatches { customers, matched_by: ranges(name, text) })
        };
        let failures = || ranges("TIMEOUT", "1");
        let right = StoredOutcome { failures: failures(), matches: matches("exact", "1", &["c1"]) };
        assert!(right.clone().restore(&request).is_some());
        assert!(StoredOutcome::unreadable().restore(&request).is_none());
        for (code, text) in [("TIMEOUT", "9"), ("INVALID_FIELD", "1"), ("ELSE", "1"), ("TIMEOUT", "x")] {
            let stored = StoredOutcome { failures: ranges(code, text), ..right.clone() };
            assert!(stored.restore(&request).is_none(), "{code} {text}");
        }
        for matches in [
            None,
            matches("exact", "1", &[]),
            matches("exact", "1", &["c1", "c2"]),
            matches("exact", "2", &["c1"]),
            matches("else", "1", &["c1"]),
            matches("exact", "x", &["c1"]),
        ] {
            let stored = StoredOutcome { failures: failures(), matches };
            assert!(stored.clone().restore(&request).is_none(), "{stored:?}");
        }
    }

    #[test]
    fn most_bytes_is_an_upper_bound() {
        // 5,000 matches with IDs of 64 bytes always fit (contract, section 8).
        for (records, id_bytes) in [(1, 1), (5_000, 64)] {
            // The longest text: no two indexes form a range.
            let by = MatchedBy::all().cycle();
            let matches = (0..records).zip(by).map(|(index, by)| matched(index, &"i".repeat(id_bytes), by));
            let matches = Matches(matches.collect());
            let outages = [Outage::StoreError, Outage::Timeout];
            let failures = (0..records).map(|index| (index, outages[index % 2].into())).collect();
            let bound = StoredOutcome::most_bytes(records, Some(&matches));
            let stored = StoredOutcome::from(&Report { failures, matches: Some(matches) });
            let matches = stored.matches.expect("explained");
            let ranges = stored.failures.iter().chain(&matches.matched_by);
            let ranges: usize = ranges.map(|(name, text)| name.len() + text.len() + 1).sum();
            let customers: usize = matches.customers.iter().map(|customer| customer.len() + 1).sum();
            assert!((ranges + customers..=MAX_OUTCOME_BYTES).contains(&bound), "{bound}");
        }
        assert!(StoredOutcome::most_bytes(5_000, None) < 30_000);
    }
}
