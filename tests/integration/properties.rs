//! Property tests: the parts of the crate that need no database, on random inputs.
//!
//! # Layout
//!
//! - `matching`: the customers and results of records, with and without outages
//! - `json`: failed records returned verbatim
//!
//! `PROPTEST_CASES` sets the number of cases, 256 by default, of which each property has a multiple.

mod json;
mod matching;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

/// Settings for a property: this multiple of the default number of cases. Failing cases are stored under `target`, outside
/// of the sources: a failure prints its seed, and the next run begins with it.
pub fn many(times: u32) -> Config {
    const SEEDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/proptest-regressions.txt");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(SEEDS)) as _);
    let config = Config::default();
    Config { cases: times * config.cases, failure_persistence, ..config }
}

/// Checks a property; a failure prints the smallest failing case found.
pub fn check<S: Strategy>(config: Config, cases: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    if let Err(failure) = TestRunner::new(config).run(cases, property) {
        panic!("{failure}");
    }
}

/// Counts events over all cases of a property.
#[derive(Default)]
pub struct Coverage(RefCell<BTreeMap<String, usize>>);

impl Coverage {
    pub fn happened(&self, what: impl Into<String>) {
        *self.0.borrow_mut().entry(what.into()).or_default() += 1;
    }

    /// Fails unless exactly the expected events happened: a property of events that never happen tests nothing.
    pub fn is(&self, expected: impl IntoIterator<Item = String>) {
        let counts = self.0.borrow();

        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort();
        assert!(counts.keys().eq(&expected), "happened: {counts:#?}\nexpected: {expected:#?}");
    }
}
