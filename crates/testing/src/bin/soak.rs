//! The function's release binary under a long run of [trials](testing::trial), one after another: no wrong response, stable
//! memory, no leaked file descriptor.
//!
//! `make soak` runs it for a minute, `make soak ARGS="--minutes 30"` for longer. It prints its seed; `--seed` draws the
//! same trials again, but the timing of function and database differs. Memory and descriptors are read from `/proc`: Linux only.

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lexopt::ValueExt;
use lexopt::prelude::Long;
use serde_json::{Value, json};
use tokio::io::{copy, sink};

use testing::dynamodb::Action;
use testing::function::Response;
use testing::model::draw::{Import, TENANTS};
use testing::model::verdict::Faults;
use testing::runtime_api::Process;
use testing::serve::Transport;
use testing::stage::Stage;
use testing::trial::draw::{Settings, Trial};
use testing::trial::run::{Target, Trials};

/// The duration of an invocation: so short that some outages use it up, and long enough for the largest import right
/// after a fault that throttled every call, when the pace needs some seven seconds for it: look-ups have 70 % of the time,
/// less the margin.
const TIME: Duration = Duration::from_secs(20);

/// The size of the import before each memory sample, and the number of samples.
const PROBE_RECORDS: usize = 3_000;
const PROBES: usize = 5;

/// How much memory may grow: what an allocator retains varies by half of it.
const TOLERANCE_KIB: u64 = 4 * 1024;

/// Where make builds the function.
const FUNCTION: &str = "target/release/customer-group-import";

/// The maximum bytes of a body, the function's default.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut minutes, mut seed) = (1.0, fastrand::u64(..u64::MAX / 2));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("minutes") => minutes = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if cfg!(not(target_os = "linux")) {
        println!("soak: NOT run, memory and file descriptors of another process are read on Linux only");
        return Ok(());
    }
    println!("seed {seed}");
    let mut soak = Soak::start(seed).await;
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes / 2.0);
    let mut next = seed;
    while Instant::now() < end {
        soak.step(next).await;
        next += 1;
    }
    let earlier = soak.memory().await;
    // All of it once more: how much memory a process keeps depends on the largest imports so far, and a minute in which
    // they come last is no leak.
    for number in seed..next {
        soak.step(number).await;
    }
    let later = soak.memory().await;
    soak.end(earlier, later).await
}

struct Soak {
    trials: Trials<Process>,
    /// The number of trials through faults, and of requests rejected.
    disturbed: usize,
    rejected: usize,
    /// File descriptors after the first request.
    descriptors: usize,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let trial = Trial { in_maps: true, ..Trial::of(seed) };
        let stage = Stage::of(&trial).await;
        // Tokens are read repeatedly.
        let mut process = stage.process(Path::new(FUNCTION), TIME, &[("TOKEN_CACHE_SECONDS", "1")]).await;
        let mut log = process.child.stdout.take().expect("piped");
        tokio::spawn(async move { copy(&mut log, &mut sink()).await });
        let trials = Trials::new(stage, process, trial.world);
        let mut soak = Self { trials, disturbed: 0, rejected: 0, descriptors: 0 };
        soak.first().await;
        soak
    }

    /// One customer's import, after which the process has one connection.
    async fn first(&mut self) {
        let params = json!({"isMatching": false, "optType": "add"});
        let records = vec![json!({"audienceUserId": "w0", "groups": "bulk"})];
        let trial = Trial::calm(Import { tenant: TENANTS[0], mode: "off", params, records });
        self.trials.begin(&trial);
        let response = self.trials.post(&trial).await;
        self.trials.conclude(&trial, &response, Faults::NONE).await;
        let process = self.trials.target.child.id().expect("the process lives");
        self.descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("the process lives").count();
    }

    /// The trial with this number; many without faults, some larger, some with a connection broken. Or a request that
    /// must be rejected.
    async fn step(&mut self, number: u64) {
        let mut random = Rng::with_seed(number);
        let settings = Settings::default();
        let mut trial = Trial { page_size: None, units_per_second: None, settings, ..Trial::of(number) };
        if random.u8(0..4) != 0 {
            trial.faults.clear();
        }
        // On a clock that is not paused.
        let slow = trial.faults.iter_mut().filter(|it| matches!(it.action, Action::Hang | Action::Delay(_)));
        slow.for_each(|fault| fault.left = Some(1));
        match random.u8(0..20) {
            0..=4 => trial.import.records.truncate(1),
            5..=14 => {}
            15..=18 => grow(&mut trial.import.records, 60..600, &mut random),
            _ => grow(&mut trial.import.records, 600..5_000, &mut random),
        }
        while trial.body().to_string().len() > MAX_BODY_BYTES {
            trial.import.records.truncate(trial.import.records.len() / 2);
        }
        if random.u8(0..8) == 0 {
            return self.reject(&trial, &mut random).await;
        }
        self.trials.begin(&trial);
        let breaks = random.u8(0..20);
        let response = match breaks {
            0 => {
                // New connections are refused.
                self.trials.stage.server.stop().await;
                let response = self.trials.post(&trial).await;
                let Stage { database, server, .. } = &mut self.trials.stage;
                let again = database.serve(Transport::Plain, server.address());
                *server = again.await.expect("the port is free");
                response
            }
            1 => self.post_while_cutting(&trial, Duration::from_millis(random.u64(0..40))).await,
            _ => self.trials.post(&trial).await,
        };
        let mut faults = Faults::NONE;
        if breaks < 2 || !trial.faults.is_empty() {
            faults = Faults::OF_CALLS;
            self.disturbed += 1;
            self.trials.stage.server.close_connections();
            // An abandoned write may still be on its way to the database.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.trials.conclude(&trial, &response, faults).await;
    }

    async fn post_while_cutting(&mut self, trial: &Trial, pause: Duration) -> Response {
        let event = self.trials.event(trial);
        let cut = async {
            tokio::time::sleep(pause).await;
            self.trials.stage.server.close_connections();
        };
        tokio::join!(self.trials.target.respond(event), cut).0
    }

    /// Sends the import of a trial, spoilt.
    async fn reject(&mut self, trial: &Trial, random: &mut Rng) {
        let mut event = self.trials.event(&Trial { direct: false, ..trial.clone() });
        let (body, unknown) = (trial.body().to_string(), format!("unknown-{}", random.u32(..)));
        let (status, place, value) = random
            .choice([
                (404, "/rawPath", "/else".to_owned()),
                (401, "/headers/x-token", unknown),
                (415, "/headers/content-type", "text/plain".to_owned()),
                (413, "/body", body.clone() + &" ".repeat(MAX_BODY_BYTES)),
                (400, "/body", body[..body.len() - 1].to_owned()),
            ])
            .expect("there are five");
        *event.pointer_mut(place).expect("it is there") = value.into();
        let response = self.trials.target.respond(event).await;
        assert_eq!((response.status, &response.envelope["data"]), (status, &Value::Null));
        self.trials.assert_memberships(&self.trials.world.memberships).await;
        self.rejected += 1;
    }

    /// The median of the resident memory in KiB, each time after the same large import: otherwise the size of the last
    /// import would show.
    async fn memory(&mut self) -> u64 {
        let params = json!({"isMatching": true, "matchingType": 2, "identifyWay": 1, "optType": "add"});
        let stranger = |n| json!({"unionid": format!("stranger-{n}"), "groups": "vip"});
        let records = (0..PROBE_RECORDS).map(stranger).collect();
        let probe = Trial::calm(Import { tenant: TENANTS[0], mode: "fuzzy 1", params, records });
        let mut samples = [0; PROBES];
        for sample in &mut samples {
            self.trials.begin(&probe);
            let response = self.trials.post(&probe).await;
            // The pace may still be that of a fault just before.
            self.trials.judge(&probe, &response, Faults { timeout: true, ..Faults::NONE }).await;
            *sample = self.trials.target.memory("VmRSS:");
        }
        samples.sort_unstable();
        samples[PROBES / 2]
    }

    async fn end(mut self, earlier: u64, later: u64) -> Result<(), Box<dyn Error>> {
        // Every idle connection of the process is closed.
        self.trials.stage.server.close_connections();
        let before = self.descriptors;
        self.first().await;
        let Trials { number, records, .. } = self.trials;
        println!(
            "soak: {number} trials, {records} records, {} through faults, {} rejected, 0 wrong, rss {earlier} → {later} KiB, fds {before} → {}",
            self.disturbed, self.rejected, self.descriptors
        );
        if later > earlier + TOLERANCE_KIB {
            return Err("memory grew".into());
        }
        if self.descriptors > before {
            return Err("file descriptors leaked".into());
        }
        Ok(())
    }
}

/// Adds repeated records, unknown customers, and customers in a group of their own.
fn grow(records: &mut Vec<Value>, sizes: Range<usize>, random: &mut Rng) {
    let (drawn, size) = (records.len(), random.usize(sizes));
    while records.len() < size {
        let number = random.u32(..);
        records.push(match random.u8(0..3) {
            0 => records[random.usize(..drawn)].clone(),
            1 => json!({"unionid": format!("x{number}"), "phone": format!("+86 {number}"), "groups": "vip"}),
            _ => json!({"audienceUserId": format!("w{}", number % 300), "groups": "bulk"}),
        });
    }
}
