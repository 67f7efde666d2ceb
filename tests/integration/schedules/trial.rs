//! What a schedule is: a world, an import, faults in its way, and the settings it meets them with.

use std::ops::Range;
use std::time::Duration;

use group_import::config::{IdentityLookup, SkipUnchanged};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use reference::draw::{self, Import};
use reference::world::World;
use testing::proxy::{Action, Rule, Share};

/// Numbers of identifiers: enough for two statements of an identifier and three batches of writes.
const POOL: u32 = 12;

/// Every operation that the function makes use of.
pub const OPERATIONS: [&str; 7] =
    ["GetItem", "ExecuteStatement", "Query", "BatchGetItem", "BatchWriteItem", "PutItem", "UpdateItem"];

const fn refused(code: &'static str) -> Action {
    Action::Error { status: 400, code, message: "refused" }
}

const fn broken(status: u16, code: &'static str) -> Action {
    Action::Error { status, code, message: "broken" }
}

/// Every kind of fault.
pub const FAULTS: [Action; 17] = [
    refused("ProvisionedThroughputExceededException"),
    refused("ThrottlingException"),
    refused("RequestLimitExceeded"),
    refused("ExpiredTokenException"),
    refused("UnrecognizedClientException"),
    refused("ResourceNotFoundException"),
    refused("ValidationException"),
    refused("AccessDeniedException"),
    broken(500, "InternalServerError"),
    broken(503, "ServiceUnavailable"),
    Action::Reset,
    Action::Truncate,
    Action::Garble,
    Action::Hang,
    Action::Delay(Duration::from_millis(400)),
    Action::Unprocessed { processed: Share::Count(0) },
    Action::Unprocessed { processed: Share::Fraction(1, 2) },
];

/// A rule of the proxy that can be shown.
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

/// A trial of the function. Everything in it follows from one number.
#[derive(Clone, Debug)]
pub struct Trial {
    pub world: World,
    pub import: Import,
    pub faults: Vec<Planned>,
    /// The time of the invocation, in seconds, of which [`margin`](Self::margin) is kept from calls.
    pub seconds: f64,
    pub margin: Duration,
    pub identity_lookup: IdentityLookup,
    pub skip_unchanged: SkipUnchanged,
    /// Whether the token was good a moment ago, and is remembered.
    pub remembered: bool,
    /// Whether the import carries an `Idempotency-Key`.
    pub keyed: bool,
}

impl Trial {
    /// The trial of this number. Neighbouring numbers differ in the first fault, so that each meets
    /// each operation before long; all else is drawn.
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
    // What is called once is met at once.
    let after = if matches!(operation, "GetItem" | "PutItem" | "UpdateItem") { 0..1 } else { 0..2 };
    let first = planned(Just(Some(operation)), Just(fault), after);
    let others = planned(option::weighted(0.9, select(OPERATIONS.to_vec())), select(FAULTS.to_vec()), 0..4);
    let skips = select(vec![SkipUnchanged::Auto, SkipUnchanged::Always, SkipUnchanged::Never]);
    let settings =
        (any::<bool>(), any::<bool>(), prop::bool::weighted(0.3), prop::bool::weighted(0.3), looks(), skips);
    let drawn = (draw::world(POOL, 60), draw::import(POOL, 1..40), first, vec(others, 0..3), settings);
    drawn.prop_map(move |(world, mut import, first, others, settings)| {
        let (by_query, remembered, keyed, hurried, (dry_run, explain), skip_unchanged) = settings;
        let faults: Vec<_> = [first].into_iter().chain(others).collect();
        // What hangs for ever takes all the time there is.
        let hangs = |planned: &Planned| matches!(planned.fault, Action::Hang) && planned.times.is_none();
        let hurried = hurried || faults.iter().any(hangs);
        let (seconds, margin) = if hurried { (6.0, 4_000) } else { (30.0, 1_500) };
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
            remembered: remembered && operation != "GetItem",
            keyed,
        }
    })
}

/// `dryRun` and `explain`.
fn looks() -> impl Strategy<Value = (bool, bool)> {
    (prop::bool::weighted(0.05), prop::bool::weighted(0.3))
}

fn planned(
    operation: impl Strategy<Value = Option<&'static str>>,
    fault: impl Strategy<Value = Action>,
    after: Range<usize>,
) -> impl Strategy<Value = Planned> {
    let times = prop_oneof![2 => Just(None), 3 => (1..7usize).prop_map(Some)];
    (operation, fault, after, times).prop_map(|(operation, fault, after, times)| {
        // A call that hangs is given up after seconds: more than two make a trial long, and show no more.
        let operation = match fault {
            Action::Unprocessed { .. } if operation != Some("BatchGetItem") => Some("BatchWriteItem"),
            _ => operation,
        };
        let times = times.map(|times| if matches!(fault, Action::Hang) { times.min(2) } else { times });
        Planned { operation, fault, after, times }
    })
}
