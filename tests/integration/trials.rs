//! No fault may lose or corrupt a record: [trials](testing::trial), each on a database of its own and a paused clock.
//!
//! `PROPTEST_CASES` sets the number of trials. A failure names its trial; `TRIAL=number` runs only that one.

use std::collections::BTreeMap;
use std::iter;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use proptest::test_runner::Config;
use serde_json::json;
use tokio::runtime;

use testing::model::world::CODES;
use testing::stage::Stage;
use testing::trial::draw::Trial;
use testing::trial::fault::{FAULTS, OPERATIONS};
use testing::trial::run::{Trials, token};

/// Enough trials for every event listed by [`possible`] to happen.
const ENOUGH: u32 = 200;

#[test]
fn no_fault_loses_or_corrupts_a_record() {
    let numbers = match std::env::var("TRIAL") {
        Ok(number) => {
            let number = number.parse().expect("TRIAL is the number of a trial");
            println!("{:#?}", Trial::of(number));
            number..number + 1
        }
        Err(_) => {
            let cases = Config::default().cases;
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + u64::from(cases)
        }
    };
    let all = numbers.end - numbers.start >= u64::from(ENOUGH);
    let next = AtomicU64::new(numbers.start);
    let work = || {
        let taken = iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        let taken = taken.take_while(|number| numbers.contains(number));
        taken
            .map(|number| catch_unwind(|| run_on_a_paused_clock(number)).map_err(|_| number))
            .collect::<Vec<_>>()
    };
    let ran: Vec<_> = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut happened: BTreeMap<&String, usize> = BTreeMap::new();
    for event in ran.iter().flatten().flatten() {
        *happened.entry(event).or_default() += 1;
    }
    let broken: Vec<_> = ran.iter().filter_map(|ran| ran.as_ref().err()).collect();
    println!("{happened:#?}");
    assert!(
        broken.is_empty(),
        "TRIAL={} reproduces the first of {broken:?}; see the panics above",
        broken[0]
    );
    if all {
        let missing: Vec<_> = possible().into_iter().filter(|event| !happened.contains_key(event)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

/// The events that a full run must contain.
fn possible() -> Vec<String> {
    let faults = FAULTS.iter().map(|fault| format!("fault: {}", fault.name()));
    let operations = OPERATIONS.map(|operation| format!("faults on {operation}"));
    let records = CODES.into_iter().chain(["success"]).map(|code| format!("record: {code}"));
    let responses = ["200", "503"].map(|status| format!("response: {status}"));
    let keys = ["replayed", "ran again"].map(|what| format!("key: {what}"));
    let trials = ["throttled beyond the capacity", "sent directly"].map(|what| format!("trial: {what}"));
    let keys = keys.into_iter().chain(trials);
    faults.chain(operations).chain(records).chain(responses).chain(keys).collect()
}

fn run_on_a_paused_clock(number: u64) -> Vec<String> {
    // The pauses that the function and the SDK draw.
    fastrand::seed(number);
    let runtime = runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(run(&Trial::of(number)))
}

async fn run(trial: &Trial) -> Vec<String> {
    let stage = Stage::of(trial).await;
    let settings = &trial.settings;
    let function = stage
        .function_with(|config| {
            config.identity_lookup = settings.identity_lookup;
            config.skip_unchanged = settings.skip_unchanged;
            config.deadline_margin = settings.margin;
            config.token_cache = Duration::from_secs(if settings.token_cached { 3_600 } else { 0 });
        })
        .await;
    if settings.token_cached {
        let nothing = json!({"isMatching": false, "optType": "add", "dryRun": true});
        let data = json!([{"audienceUserId": "c0", "groups": "g"}]);
        function.import_as(&token(trial.import.tenant), nothing, data).await.data();
    }
    let mut trials = Trials::new(stage, function, trial.world.clone());
    trials.run(trial).await;
    trials.events
}
