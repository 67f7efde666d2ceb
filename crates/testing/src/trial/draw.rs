//! A trial: a world, an import, the faults, and the settings of the function.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use group_import::config::{IdentityLookup, SkipUnchanged};
use proptest::prop_oneof;
use proptest::strategy::{Strategy, ValueTree};
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
    /// Whether it exists in hash maps, as for the fuzzer and the benchmarks.
    pub in_maps: bool,
    /// The items of a page, where they are fewer than DynamoDB's.
    pub page_size: Option<usize>,
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
    /// every fault with every operation, and in the store; everything else is random.
    pub fn of(number: u64) -> Self {
        let (world, mut import) = import(number);
        let random = &mut Rng::with_seed(number);
        let in_maps = number.is_multiple_of(2);
        let pick = |from: usize, within: usize| (number / from as u64 % within as u64) as usize;
        let operation = OPERATIONS[pick(FAULTS.len(), OPERATIONS.len())];
        // An operation that is called once must fail at its first call.
        let after = if matches!(operation, "GetItem" | "PutItem" | "UpdateItem") { 0..1 } else { 0..2 };
        let mut faults = vec![fault(random, Some(operation), &FAULTS[pick(1, FAULTS.len())], after)];
        for _ in 0..random.usize(0..3) {
            let operation = random.choice(OPERATIONS).filter(|_| random.u8(0..10) > 0);
            let action = random.choice(&FAULTS).expect("there are some");
            faults.push(fault(random, operation, action, 0..4));
        }
        if import.mode == "off" && matches!(operation, "ExecuteStatement" | "Query" | "BatchGetItem") {
            let [_, (mode, mut params), ..] = draw::modes();
            params["optType"] = import.params["optType"].take();
            import = Import { mode, params, ..import };
        }
        let keyed = random.u8(0..10) < 3 || matches!(operation, "PutItem" | "UpdateItem");
        import.params["dryRun"] = (random.u8(0..20) == 0 && !keyed).into();
        import.params["explain"] = (random.u8(0..10) < 3).into();
        // A call that always hangs uses up all of the time.
        let hangs = |fault: &Rule| matches!(fault.action, Action::Hang) && fault.left.is_none();
        let little_time = random.u8(0..10) < 3 || faults.iter().any(hangs);
        let (seconds, margin) = if little_time { (6.0, 4_000) } else { (30.0, 1_500) };
        let by_query = operation == "Query" || operation != "ExecuteStatement" && random.bool();
        let skips = [SkipUnchanged::Auto, SkipUnchanged::Always, SkipUnchanged::Never];
        let settings = Settings {
            seconds,
            margin: Duration::from_millis(margin),
            identity_lookup: if by_query { IdentityLookup::Query } else { IdentityLookup::Statement },
            skip_unchanged: random.choice(skips).expect("there are three"),
            token_cached: random.bool() && operation != "GetItem",
        };
        Self {
            world,
            in_maps,
            // The embedded database reads the whole of a statement for each page.
            page_size: random.choice([1, 3, 30]).filter(|_| in_maps && random.bool()),
            import,
            faults,
            units_per_second: random.choice([5.0, 20.0, 60.0]).filter(|_| random.u8(0..10) < 3),
            keyed,
            direct: random.bool() && !keyed,
            settings,
        }
    }

    /// A trial without faults, in a function with the default settings.
    pub fn calm(import: Import) -> Self {
        let (world, in_maps, page_size, faults, units_per_second, keyed, direct, settings) =
            Default::default();
        Self { world, in_maps, page_size, import, faults, units_per_second, keyed, direct, settings }
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
fn import(number: u64) -> (World, Import) {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let imports = prop_oneof![
        8 => (draw::world(12, 60), draw::import(12, 1..40)),
        1 => (draw::crowded_world(12, 60), draw::import(12, 1..40)),
        1 => (draw::world(60, 160), draw::import(60, 50..150)),
    ];
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    imports.new_tree(&mut runner).expect("nothing is filtered out").current()
}

fn fault(random: &mut Rng, operation: Option<&'static str>, action: &Action, after: Range<usize>) -> Rule {
    let operation = match action {
        Action::Unprocessed { .. } if operation != Some("BatchGetItem") => Some("BatchWriteItem"),
        _ => operation,
    };
    // A hanging call is abandoned after seconds: more than two only prolong a trial.
    let most = if matches!(action, Action::Hang) { 2 } else { 6 };
    let left = Some(random.usize(1..7).min(most)).filter(|_| random.u8(0..5) < 3);
    Rule { operation, left, ..Rule::on_any(action.clone()) }.after(random.usize(after))
}
