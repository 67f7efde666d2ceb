//! No fault may lose or corrupt a record: imports under random schedules of faults, each compared with the
//! reference model (contract, sections 4 to 9).
//!
//! `PROPTEST_CASES` sets the number of schedules. A failure names its schedule; `SCHEDULE=number` runs only
//! that one.
//!
//! # Layout
//!
//! - `schedules` (this file): the property, and the steps before and after the faults
//! - `trial`: the contents of a schedule, and how it is generated
//! - `verdict`: the reference's verdict on a response, and the checks of the membership items
//! - `keys`: the checks of an `Idempotency-Key`

mod keys;
mod trial;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::test_runner::Config;
use serde_json::{Value, json};
use tokio::runtime;
use tokio::time::Instant;

use testing::capacity::Capacity;
use testing::dynamodb::Throughput;
use testing::function::{Function, Response, post_event};
use testing::model::draw::{Import, TENANTS};
use testing::model::world::Customer;
use testing::stage::Stage;
use trial::{FAULTS, OPERATIONS, Trial};

/// Enough schedules for every event listed by [`possible`] to happen.
const ENOUGH: u32 = 200;

#[test]
fn no_fault_loses_or_corrupts_a_record() {
    let seeds = match std::env::var("SCHEDULE") {
        Ok(seed) => {
            let seed = seed.parse().expect("SCHEDULE is the number of a schedule");
            println!("{:#?}", Trial::of(seed));
            seed..seed + 1
        }
        Err(_) => {
            let cases = Config::default().cases;
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + u64::from(cases)
        }
    };
    let all = seeds.end - seeds.start >= u64::from(ENOUGH);
    let happened: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let broken = Mutex::new(Vec::new());
    let seeds = Mutex::new(seeds);
    let work = || {
        let next = || seeds.lock().expect("no panic").next();
        while let Some(seed) = next() {
            match catch_unwind(|| run_on_a_paused_clock(seed)) {
                Ok(events) => {
                    let mut happened = happened.lock().expect("no panic");
                    events.into_iter().for_each(|event| *happened.entry(event).or_default() += 1);
                }
                Err(_) => broken.lock().expect("no panic").push(seed),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (happened, broken) =
        (happened.into_inner().expect("no panic"), broken.into_inner().expect("no panic"));
    println!("{happened:#?}");
    assert!(
        broken.is_empty(),
        "SCHEDULE={} reproduces the first of {broken:?}; see the panics above",
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
    let codes = ["success", "NOT_MATCHED", "CONFLICT", "AMBIGUOUS", "STORE_ERROR", "TIMEOUT"];
    let records = codes.map(|code| format!("record: {code}"));
    let responses = ["200", "503"].map(|status| format!("response: {status}"));
    let keys = ["replayed", "ran again"].map(|what| format!("key: {what}"));
    let trials = ["throttled beyond the capacity", "sent directly"].map(|what| format!("trial: {what}"));
    let keys = keys.into_iter().chain(trials);
    faults.chain(operations).chain(records).chain(responses).chain(keys).collect()
}

/// A trial and its stage.
struct Run {
    trial: Trial,
    stage: Stage,
    function: Function,
    /// The memberships that the import would produce without faults.
    goal: BTreeSet<(String, String)>,
    events: Vec<String>,
}

fn run_on_a_paused_clock(seed: u64) -> Vec<String> {
    // The pauses that the function and the SDK draw.
    fastrand::seed(seed);
    let runtime = runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(run(Trial::of(seed)))
}

async fn run(trial: Trial) -> Vec<String> {
    let mut run = Run::prepare(trial).await;
    let start = Instant::now();
    let response = run.post().await;
    let took = start.elapsed();
    assert!(took.as_secs_f64() < run.trial.seconds, "response after {took:?}");
    run.stage.database.clear_rules();
    run.stage.database.throughput(Throughput::default());
    run.function.seconds = 30.0;
    run.count_faults();
    run.judge(&response, took).await;
    if run.trial.keyed {
        run.retry_with_key(&response).await;
    }
    run.resend(&response).await;
    run.events
}

impl Run {
    async fn prepare(trial: Trial) -> Self {
        let stage = Stage::new().await;
        for tenant in TENANTS {
            stage.put_tenant(&format!("token-of-{tenant}"), json!({"tenantId": tenant})).await;
        }
        stage.put_customers(trial.world.customers.iter().map(Customer::item)).await;
        stage.put_memberships(&trial.world.memberships).await;
        let mut function = stage
            .function_with(|config| {
                config.identity_lookup = trial.identity_lookup;
                config.skip_unchanged = trial.skip_unchanged;
                config.deadline_margin = trial.margin;
                config.token_cache = Duration::from_secs(if trial.token_cached { 3_600 } else { 0 });
            })
            .await;
        function.seconds = trial.seconds;

        let mut world = trial.world.clone();
        world.import(trial.import.tenant, &trial.import.params, &trial.import.records);
        let dry_run = trial.import.params["dryRun"] == true;
        let goal = if dry_run { trial.world.memberships.clone() } else { world.memberships };
        let run = Self { trial, stage, function, goal, events: Vec::new() };
        if run.trial.token_cached {
            let nothing = json!({"isMatching": false, "optType": "add", "dryRun": true});
            let body = json!({"publicParams": nothing, "data": [{"audienceUserId": "c0", "groups": "g"}]});
            run.function.post(&run.token(), body.to_string()).await.data();
        }
        run.stage.database.reset();
        run.trial.faults.iter().for_each(|planned| run.stage.database.rule(planned.rule()));
        if let Some(units) = run.trial.units_per_second {
            let capacity = || Some(Arc::new(Capacity::new(4, units / 4.0, 1.0)));
            let latency = Duration::from_millis(5);
            run.stage.database.throughput(Throughput { reads: capacity(), writes: capacity(), latency });
        }
        run
    }

    fn token(&self) -> String {
        format!("token-of-{}", self.trial.import.tenant)
    }

    fn body(&self) -> Value {
        json!({"publicParams": self.trial.import.params, "data": self.trial.import.records})
    }

    /// Sends the import of the trial, with its key, if any.
    async fn post(&self) -> Response {
        if self.trial.direct {
            let Import { params, records, .. } = &self.trial.import;
            return self.function.import_directly(&self.token(), params.clone(), json!(records)).await;
        }
        let mut event = post_event(&self.token(), self.body().to_string());
        if self.trial.keyed {
            event["headers"]["idempotency-key"] = keys::KEY.into();
        }
        self.function.invoke(event).await
    }

    fn happened(&mut self, what: impl Into<String>) {
        self.events.push(what.into());
    }

    fn count_faults(&mut self) {
        if self.trial.direct {
            self.happened("trial: sent directly");
        }
        let faults = self.stage.database.faults();
        self.happened(if faults.is_empty() { "trial: no faults" } else { "trial: faults" });
        if self.stage.database.throttled() > 0 {
            self.happened("trial: throttled beyond the capacity");
        }
        for (operation, fault) in faults {
            self.happened(format!("fault: {}", fault.name()));
            self.happened(format!("faults on {operation}"));
        }
    }

    /// Without faults: resending the failed records produces the full state, and resending the whole import
    /// gets the response of an undisturbed one.
    async fn resend(&mut self, response: &Response) {
        if response.status == 200 && response.envelope["data"]["importFailNum"] != 0 {
            let params = &self.trial.import.params;
            let body = format!(r#"{{"publicParams":{params},"data":{}}}"#, response.error_data());
            let again = self.function.post(&self.token(), &*body).await;
            self.case(&body).imported(&again.reply()).unwrap();
            self.assert_memberships(&self.goal).await;
        }
        let body = self.body().to_string();
        let whole = self.function.post(&self.token(), &*body).await;
        self.case(&body).imported(&whole.reply()).unwrap();
        self.assert_memberships(&self.goal).await;
    }

    async fn assert_memberships(&self, expected: &BTreeSet<(String, String)>) {
        let found = self.stage.memberships().await;
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(expected).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
    }
}
