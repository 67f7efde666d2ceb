//! What the integration tests' model of the contract says of an import.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::check::{Imported, is_outage};
use crate::world::{TENANT, world};
use reference::world::Ending;

/// An import as the model reads it.
pub struct Import {
    params: Value,
    endings: Vec<Ending>,
    /// The memberships when it is done.
    memberships: BTreeSet<(String, String)>,
}

impl Import {
    /// `None` for a body that `serde_json::Value` does not hold: half a surrogate pair, a number beyond `f64`, very
    /// deep nesting. What such a body says is the business of other tests.
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let (params, records) = (body["publicParams"].clone(), body["data"].as_array()?);
        if !records.iter().all(Value::is_object) || !params.is_object() {
            return None;
        }
        let mut world = world();
        let before = world.memberships.clone();
        let endings = world.import(TENANT, &params, records);
        let memberships = if params["dryRun"] == true { before } else { world.memberships };
        Some(Self { params, endings, memberships })
    }

    /// Holds a result and what is stored against the model; after faults only what holds then, too.
    pub fn holds_for(&self, result: &Imported, stored: &BTreeSet<(String, String)>, faults: bool) {
        let failed: BTreeMap<usize, &str> =
            result.failed.iter().map(|failed| (failed.index, failed.code.as_str())).collect();
        for (index, ending) in self.endings.iter().enumerate() {
            let code = failed.get(&index).copied();
            if code.is_some_and(is_outage) {
                let unsound =
                    matches!(ending.code, Some("INVALID_FIELD" | "MISSING_IDENTIFIER" | "MISSING_GROUPS"));
                assert!(faults && !unsound, "record {index}");
            } else {
                assert_eq!(code, ending.code, "record {index}");
            }
            if code.is_none() {
                self.is_done(ending, stored);
            }
        }
        if !faults {
            assert_eq!(stored, &self.memberships);
            if let Some(matches) = &result.matches {
                assert_eq!(matches, &self.matches());
            }
        }
    }

    /// Every membership of a record that succeeded is as it should be.
    fn is_done(&self, ending: &Ending, stored: &BTreeSet<(String, String)>) {
        let customer = ending.customer.as_deref().expect("a success has a customer");
        for group in &ending.groups {
            let membership = (format!("{TENANT}#{customer}"), group.clone());
            let expected = self.memberships.contains(&membership);
            assert_eq!(stored.contains(&membership), expected, "{membership:?}");
        }
    }

    fn matches(&self) -> Value {
        let endings = (0..).zip(&self.endings);
        endings.filter_map(|(index, ending)| ending.explained(index, &self.params)).collect()
    }
}
