//! The function's release binary under a long run of mixed requests, faults included: no wrong response, stable memory,
//! no leaked file descriptor.
//!
//! `make soak` runs it for a minute, `make soak ARGS="--minutes 30"` for longer. It prints its seed; `--seed` draws the
//! same requests again. Memory and descriptors are read from `/proc`: Linux only.
//!
//! # Layout
//!
//! - `main` (here): one request after another, and the summary at the end
//! - [`draw`]: requests and faults
//! - [`requests`]: the kinds of requests, each with its expected result
//! - [`vitals`]: memory and descriptors of the process

mod draw;
mod options;
mod requests;
mod vitals;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{copy, sink};

use crate::draw::{DISABLED, Draw};
use crate::options::Options;
use crate::vitals::Vitals;
use testing::capacity::Capacity;
use testing::dynamodb::Throughput;
use testing::model::draw::{Import, TENANTS};
use testing::model::verdict::Faults;
use testing::model::world::{Customer, World};
use testing::runtime_api::Process;
use testing::stage::Stage;

/// The duration of an invocation: so short that some outages use it up, and long enough for the largest import right
/// after a fault that throttled every call, when the pace needs some seven seconds for it: look-ups have 70 % of the time,
/// less the margin.
const TIME: Duration = Duration::from_secs(20);

/// The size of the import before each memory sample, and the number of samples.
const PROBE_RECORDS: usize = 3_000;
const PROBES: usize = 5;

/// The tokens of [`TENANTS`].
const TOKENS: [&str; 2] = ["token-1", "token-2"];

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if cfg!(not(target_os = "linux")) {
        println!("soak: NOT run, memory and file descriptors of another process are read on Linux only");
        return ExitCode::SUCCESS;
    }
    println!("seed {}", options.seed);
    let mut soak = Soak::start(&options).await;
    // What is drawn comes twice: how much memory a process keeps depends on the largest imports so far, and a minute in
    // which they come last is no leak.
    let again = soak.draw.clone();
    let end = Instant::now() + options.time / 2;
    let mut steps = 0;
    while Instant::now() < end {
        soak.step().await;
        steps += 1;
    }
    let earlier = soak.memory().await;
    soak.draw = again;
    soak.kept.clear();
    for _ in 0..steps {
        soak.step().await;
    }
    let later = soak.memory().await;
    soak.end(earlier, later).await
}

struct Soak {
    draw: Draw,
    stage: Stage,
    process: Process,
    vitals: Vitals,
    /// The memberships that the model has stored.
    world: World,
    /// The faults that a request may show while no others are set.
    tolerated: Faults,
    /// Records that ended as `TIMEOUT` while no other faults were set.
    timed_out: usize,
    /// Requests with an `Idempotency-Key`, and their responses.
    kept: Vec<(Value, String)>,
    requests: usize,
    records: usize,
    /// Imports by direct events.
    direct: usize,
    faults: usize,
    /// File descriptors after the first request.
    descriptors: usize,
}

impl Soak {
    async fn start(options: &Options) -> Self {
        let mut draw = Draw::new(options.seed);
        let world = draw.world();
        let stage = Stage::new().await;
        for (tenant, token) in TENANTS.into_iter().zip(TOKENS) {
            stage.put_tenant(token, json!({"tenantId": tenant})).await;
        }
        stage.put_tenant(DISABLED, json!({"tenantId": "t9", "enabled": false})).await;
        stage.put_customers(world.customers.iter().map(Customer::item)).await;
        if let Some(units) = options.throttled {
            let capacity = || Some(Arc::new(Capacity::new(4, units / 4.0, 1.0)));
            stage.database.throughput(Throughput {
                reads: capacity(),
                writes: capacity(),
                ..Default::default()
            });
        }
        // Tokens are read repeatedly.
        let more = [("TOKEN_CACHE_SECONDS", "1")];
        let mut process = stage.process(&options.function, TIME, &more).await;
        let mut log = process.child.stdout.take().expect("piped");
        tokio::spawn(async move { copy(&mut log, &mut sink()).await });
        let vitals = Vitals::of(process.child.id().expect("the process lives"));
        let kept = Vec::new();
        let mut soak = Self {
            draw,
            stage,
            process,
            vitals,
            world,
            tolerated: Faults { timeout: options.throttled.is_some(), ..Faults::NONE },
            timed_out: 0,
            kept,
            requests: 0,
            records: 0,
            direct: 0,
            faults: 0,
            descriptors: 0,
        };
        soak.first().await;
        soak
    }

    /// One customer's import, after which the process has one connection.
    async fn first(&mut self) {
        let params = json!({"isMatching": false, "optType": "add"});
        let records = vec![json!({"audienceUserId": "w0", "groups": "bulk"})];
        self.import(&Import { tenant: TENANTS[0], mode: "off", params, records }).await;
        self.descriptors = self.vitals.descriptors();
    }

    async fn step(&mut self) {
        match self.draw.rng.u8(0..20) {
            0..=2 => self.rejected().await,
            3..=4 => self.repeat().await,
            5..=8 => self.import_through_faults().await,
            9..=11 => self.import_with_key().await,
            _ => {
                let import = self.draw.import();
                self.import(&import).await;
            }
        }
        self.stage.database.reset();
    }

    /// The median of the resident memory in KiB, each time after the same large import: otherwise the size of the last
    /// import would show.
    async fn memory(&mut self) -> u64 {
        // The pace may still be that of a fault just before.
        let tolerated = self.tolerated;
        self.tolerated.timeout = true;
        let mut samples = [0; PROBES];
        for sample in &mut samples {
            self.probe().await;
            *sample = self.vitals.memory();
        }
        self.tolerated = tolerated;
        samples.sort_unstable();
        samples[PROBES / 2]
    }

    async fn probe(&mut self) {
        let params = json!({"isMatching": true, "matchingType": 2, "identifyWay": 1, "optType": "add"});
        let records = (0..PROBE_RECORDS)
            .map(|n| json!({"unionid": format!("stranger-{n}"), "groups": "vip"}))
            .collect();
        self.import_by_api(&Import { tenant: TENANTS[0], mode: "fuzzy 1", params, records }).await;
        self.stage.database.reset();
    }

    async fn end(mut self, earlier: u64, later: u64) -> ExitCode {
        // Every idle connection of the process is closed.
        requests::cut(&mut self.stage).await;
        let before = self.descriptors;
        self.first().await;
        println!("direct events: {}", self.direct);
        println!(
            "soak: {} requests, {} records, {} through faults, {} timed out, 0 wrong, rss {earlier} → {later} KiB, fds {before} → {}",
            self.requests, self.records, self.faults, self.timed_out, self.descriptors
        );
        let mut healthy = true;
        if vitals::grew(earlier, later) {
            println!("memory grew");
            healthy = false;
        }
        if self.descriptors > before {
            println!("file descriptors leaked");
            healthy = false;
        }
        if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
