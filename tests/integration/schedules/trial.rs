//! A schedule: a world, an import, the faults, and the settings of the function.

use std::ops::Range;
use std::time::Duration;

use group_import::config::{IdentityLookup, SkipUnchanged};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use testing::dynamodb::{Action, Rule, Share};
use testing::model::draw::{self, Import};
use testing::model::world::World;

/// Size of the pool of identifiers: enough for two statements of an identifier and three batches of writes.
const POOL: u32 = 12;

/// Every operation that the function uses.
pub const OPERATIONS: [&str; 7] =
    ["GetItem", "ExecuteStatement", "Query", "BatchGetItem", "BatchWriteItem", "PutItem", "UpdateItem"];

const fn rejected(code: &'static str) -> Action {
    Action::Error { status: 400, code, message: "rejected" }
}

const fn broken(status: u16, code: &'static str) -> Action {
    Action::Error { status, code, message: "broken" }
}

/// Every kind of fault.
pub const FAULTS: [Action; 18] = [
    rejected("ProvisionedThroughputExceededException"),
    rejected("ThrottlingException"),
    rejected("RequestLimitExceeded"),
    rejected("ExpiredTokenException"),
    rejected("UnrecognizedClientException"),
    rejected("ResourceNotFoundException"),
    rejected("ValidationException"),
    rejected("AccessDeniedException"),
    broken(500, "InternalServerError"),
    broken(503, "ServiceUnavailable"),
    Action::Reset,
    Action::Truncate,
    Action::Garble,
    Action::Hang,
    Action::Delay(Duration::from_millis(400)),
    Action::Delay(Duration::from_secs(4)),
    Action::Unprocessed { processed: Share::Count(0) },
    Action::Unprocessed { processed: Share::Fraction(1, 2) },
];

/// A rule that implements `Debug`.
#[derive(Clone, Debug)]
pub struct Planned {
    operation: Option<&'static str>,
    fault: Action,
    after: usize,
    times: Option<usize>,
}

impl Planned {
    pub fn rule(&self) -> Rule {
        let fault = self.fault.clone();
        let rule = self.operation.map_or(Rule::on_any(fault.clone()), |name| Rule::on(name, fault));
        let rule = rule.after(self.after);
        self.times.map_or(rule.clone(), |times| rule.times(times))
    }
}

/// A trial of the function, determined by one number.
#[derive(Clone, Debug)]
pub struct Trial {
    pub world: World,
    pub import: Import,
    pub faults: Vec<Planned>,
    /// The duration of the invocation in seconds; no call starts within [`margin`](Self::margin) of its end.
    pub seconds: f64,
    pub margin: Duration,
    pub identity_lookup: IdentityLookup,
    pub skip_unchanged: SkipUnchanged,
    /// Whether the token was checked before, and is cached.
    pub token_cached: bool,
    /// The reads and the writes that the tables can take a second, where they are limited.
    pub units_per_second: Option<f64>,
    /// Whether the import carries an `Idempotency-Key`.
    pub keyed: bool,
    /// Whether it is sent as a direct event, which has no such key.
    pub direct: bool,
}

impl Trial {
    /// The trial with this number. Consecutive numbers differ in the first fault, so that a short run combines
    /// every fault with every operation; everything else is random.
    pub fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let pick = |from: usize, within: usize| (seed / from as u64 % within as u64) as usize;
        let fault = FAULTS[pick(1, FAULTS.len())].clone();
        let operation = OPERATIONS[pick(FAULTS.len(), OPERATIONS.len())];
        trials(operation, fault).new_tree(&mut runner).expect("nothing is filtered out").current()
    }
}

fn trials(operation: &'static str, fault: Action) -> impl Strategy<Value = Trial> {
    // An operation that is called once must fail at its first call.
    let after = if matches!(operation, "GetItem" | "PutItem" | "UpdateItem") { 0..1 } else { 0..2 };
    let first = planned(Just(Some(operation)), Just(fault), after);
    let others = planned(option::weighted(0.9, select(OPERATIONS.to_vec())), select(FAULTS.to_vec()), 0..4);
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
    let drawn = (draw::world(POOL, 60), draw::import(POOL, 1..40), first, vec(others, 0..3), settings);
    drawn.prop_map(move |(world, mut import, first, others, settings)| {
        let (by_query, token_cached, keyed, little_time, (dry_run, explain), skip_unchanged, units, direct) =
            settings;
        let faults: Vec<_> = [first].into_iter().chain(others).collect();
        // A call that always hangs uses up all of the time.
        let hangs = |planned: &Planned| matches!(planned.fault, Action::Hang) && planned.times.is_none();
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
        Trial {
            world,
            import,
            faults,
            seconds,
            margin: Duration::from_millis(margin),
            identity_lookup: match operation {
                "Query" => IdentityLookup::Query,
                "ExecuteStatement" => IdentityLookup::Statement,
                _ if by_query => IdentityLookup::Query,
                _ => IdentityLookup::Statement,
            },
            skip_unchanged,
            units_per_second: units,
            token_cached: token_cached && operation != "GetItem",
            keyed,
            direct: direct && !keyed,
        }
    })
}

/// `dryRun` and `explain`.
fn inspection() -> impl Strategy<Value = (bool, bool)> {
    (prop::bool::weighted(0.05), prop::bool::weighted(0.3))
}

fn planned(
    operation: impl Strategy<Value = Option<&'static str>>,
    fault: impl Strategy<Value = Action>,
    after: Range<usize>,
) -> impl Strategy<Value = Planned> {
    let times = prop_oneof![2 => Just(None), 3 => (1..7usize).prop_map(Some)];
    (operation, fault, after, times).prop_map(|(operation, fault, after, times)| {
        // A hanging call is abandoned after seconds: more than two only prolong a trial.
        let operation = match fault {
            Action::Unprocessed { .. } if operation != Some("BatchGetItem") => Some("BatchWriteItem"),
            _ => operation,
        };
        let times = times.map(|times| if matches!(fault, Action::Hang) { times.min(2) } else { times });
        Planned { operation, fault, after, times }
    })
}
