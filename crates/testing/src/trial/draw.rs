//! A trial: a world, an import, the faults, and the settings of the function.

use std::ops::Range;
use std::time::Duration;

use group_import::config::{IdentityLookup, SkipUnchanged};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::fault::{FAULTS, OPERATIONS};
use crate::dynamodb::{Action, Rule};
use crate::model::draw::{self, Import};
use crate::model::world::World;

/// A trial of the function, determined by one number.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What exists before, unless trials follow each other.
    pub world: World,
    pub import: Import,
    pub faults: Vec<Rule>,
    /// The reads and the writes that the tables can take a second, where they are limited.
    pub units_per_second: Option<f64>,
    /// Whether the import carries an `Idempotency-Key`.
    pub keyed: bool,
    /// Whether it is sent as a direct event, which has no such key.
    pub direct: bool,
    pub settings: Settings,
}

/// The settings of the function.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The duration of an invocation in seconds; no call starts within [`margin`](Self::margin) of its end.
    pub seconds: f64,
    pub margin: Duration,
    pub identity_lookup: IdentityLookup,
    pub skip_unchanged: SkipUnchanged,
    /// Whether the token was checked before, and is cached.
    pub token_cached: bool,
}

/// Those of a deployment, without the cache of tokens.
impl Default for Settings {
    fn default() -> Self {
        Self {
            seconds: 30.0,
            margin: Duration::from_millis(1_500),
            identity_lookup: IdentityLookup::Statement,
            skip_unchanged: SkipUnchanged::Auto,
            token_cached: false,
        }
    }
}

impl Trial {
    /// The trial with this number. Consecutive numbers differ in the first fault, so that a short run combines
    /// every fault with every operation; everything else is random.
    pub fn of(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let pick = |from: usize, within: usize| (number / from as u64 % within as u64) as usize;
        let fault = FAULTS[pick(1, FAULTS.len())].clone();
        let operation = OPERATIONS[pick(FAULTS.len(), OPERATIONS.len())];
        trials(operation, fault).new_tree(&mut runner).expect("nothing is filtered out").current()
    }

    /// A trial without faults, in a function with the default settings.
    pub fn calm(import: Import) -> Self {
        let (world, faults, settings) = Default::default();
        Self { world, import, faults, units_per_second: None, keyed: false, direct: false, settings }
    }

    /// What is sent, except in direct events.
    pub fn body(&self) -> Value {
        json!({"publicParams": self.import.params, "data": self.import.records})
    }

    pub fn is_dry_run(&self) -> bool {
        self.import.params["dryRun"] == true
    }
}

/// Small worlds, in which two statements of an identifier and three batches of writes are needed; some with a crowd of
/// thousands who share an identifier; and some larger ones.
fn imports() -> impl Strategy<Value = (World, Import)> {
    prop_oneof![
        8 => (draw::world(12, 60), draw::import(12, 1..40)),
        1 => (draw::crowded_world(12, 60), draw::import(12, 1..40)),
        1 => (draw::world(60, 160), draw::import(60, 50..150)),
    ]
}

fn trials(operation: &'static str, action: Action) -> impl Strategy<Value = Trial> {
    // An operation that is called once must fail at its first call.
    let after = if matches!(operation, "GetItem" | "PutItem" | "UpdateItem") { 0..1 } else { 0..2 };
    let first = fault(Just(Some(operation)), Just(action), after);
    let others = fault(option::weighted(0.9, select(OPERATIONS.to_vec())), select(FAULTS.to_vec()), 0..4);
    let skips = select(vec![SkipUnchanged::Auto, SkipUnchanged::Always, SkipUnchanged::Never]);
    let settings = (
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
        inspection(),
        skips,
        option::weighted(0.3, select(vec![5.0, 20.0, 60.0])),
        any::<bool>(),
    );
    let drawn = (imports(), first, vec(others, 0..3), settings);
    drawn.prop_map(move |((world, mut import), first, others, settings)| {
        let (by_query, token_cached, keyed, little_time, (dry_run, explain), skip_unchanged, units, direct) =
            settings;
        let faults: Vec<_> = [first].into_iter().chain(others).collect();
        // A call that always hangs uses up all of the time.
        let hangs = |fault: &Rule| matches!(fault.action, Action::Hang) && fault.left.is_none();
        let little_time = little_time || faults.iter().any(hangs);
        let (seconds, margin) = if little_time { (6.0, 4_000) } else { (30.0, 1_500) };
        if import.mode == "off" && matches!(operation, "ExecuteStatement" | "Query" | "BatchGetItem") {
            let [_, (mode, mut params), ..] = draw::modes();
            params["optType"] = import.params["optType"].take();
            import = Import { mode, params, ..import };
        }
        let keyed = keyed || matches!(operation, "PutItem" | "UpdateItem");
        import.params["dryRun"] = (dry_run && !keyed).into();
        import.params["explain"] = explain.into();
        let settings = Settings {
            seconds,
            margin: Duration::from_millis(margin),
            identity_lookup: match operation {
                "Query" => IdentityLookup::Query,
                "ExecuteStatement" => IdentityLookup::Statement,
                _ if by_query => IdentityLookup::Query,
                _ => IdentityLookup::Statement,
            },
            skip_unchanged,
            token_cached: token_cached && operation != "GetItem",
        };
        Trial { world, import, faults, units_per_second: units, keyed, direct: direct && !keyed, settings }
    })
}

/// `dryRun` and `explain`.
fn inspection() -> impl Strategy<Value = (bool, bool)> {
    (prop::bool::weighted(0.05), prop::bool::weighted(0.3))
}

fn fault(
    operation: impl Strategy<Value = Option<&'static str>>,
    action: impl Strategy<Value = Action>,
    after: Range<usize>,
) -> impl Strategy<Value = Rule> {
    let times = prop_oneof![2 => Just(None), 3 => (1..7usize).prop_map(Some)];
    (operation, action, after, times).prop_map(|(operation, action, skip, times)| {
        let operation = match action {
            Action::Unprocessed { .. } if operation != Some("BatchGetItem") => Some("BatchWriteItem"),
            _ => operation,
        };
        // A hanging call is abandoned after seconds: more than two only prolong a trial.
        let left = times.map(|times| if matches!(action, Action::Hang) { times.min(2) } else { times });
        Rule { operation, skip, left, ..Rule::on_any(action) }
    })
}
