//! Property tests: the parts of the crate that need no database, on random inputs.
//!
//! # Layout
//!
//! - `matching`: the customers and results of records, with and without outages
//! - `values`: identifiers and group names
//! - `incoming`: the two kinds of events
//! - `json`: failed records returned verbatim
//!
//! `PROPTEST_CASES` sets the number of cases of each property: 256 by default, or a multiple.

mod incoming;
mod json;
mod matching;
mod values;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

/// Settings for every property. Failing cases are stored under `target`, outside of the sources: a failure
/// prints its seed, and the next run begins with it.
pub fn config() -> Config {
    const SEEDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/proptest-regressions.txt");
    Config { failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))), ..Config::default() }
}

/// Enough cases for the rarest results to occur reliably: an ambiguous exact match, a random record that succeeds.
pub fn many() -> Config {
    let config = config();
    Config { cases: config.cases * 4, ..config }
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
