//! What holds for every input: the parts of the crate that need no database, on random inputs.
//!
//! # Layout
//!
//! - `matching`: who records mean and how they end, with and without outages
//! - `values`: identifiers and group names
//! - `json`: records echoed as they were sent
//!
//! `PROPTEST_CASES` raises the number of cases of each property, which is 256 or a multiple.

mod json;
mod matching;
mod values;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

/// Settings for every property. Failing cases are kept under `target`: a failure prints its seed,
/// the next run begins with it, and nothing is left among the sources.
pub fn config() -> Config {
    const SEEDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/proptest-regressions.txt");
    Config { failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))), ..Config::default() }
}

/// Checks a property; a failure shows the smallest case found.
pub fn check<S: Strategy>(config: Config, cases: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    if let Err(failure) = TestRunner::new(config).run(cases, property) {
        panic!("{failure}");
    }
}

/// How often each thing happened over all cases of a property.
#[derive(Default)]
pub struct Coverage(RefCell<BTreeMap<String, usize>>);

impl Coverage {
    pub fn happened(&self, what: impl Into<String>) {
        *self.0.borrow_mut().entry(what.into()).or_default() += 1;
    }

    /// Fails unless exactly these happened: a property about what never happens says nothing.
    pub fn is(&self, expected: impl IntoIterator<Item = String>) {
        let counts = self.0.borrow();

        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort();
        assert!(counts.keys().eq(&expected), "happened: {counts:#?}\nexpected: {expected:#?}");
    }
}
