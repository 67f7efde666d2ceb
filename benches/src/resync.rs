//! The cost of a nightly resync: calls and units, by the share of memberships that exist already.

use fastrand::Rng;
use serde_json::{Value, json};
use testing::memory::Units;
use testing::memory::server::OF_MEMBERSHIPS;

use crate::Failure;
use crate::measure::{Bench, Import};
use crate::options::Options;
use crate::process::{Process, Program};
use crate::report::{self, verdict};
use crate::workload::{LARGEST, Matching, Scenario};

const SETTINGS: [&str; 3] = ["auto", "always", "never"];

/// Shares of the memberships that are new.
const NEW: [(&str, f64); 4] = [("all", 1.0), ("50 %", 0.5), ("5 %", 0.05), ("none", 0.0)];

/// US dollars per unit (Amazon DynamoDB pricing, on demand, us-east-1).
const READ_UNIT: f64 = 0.125e-6;
const WRITE_UNIT: f64 = 0.625e-6;

/// One import of 5,000 records.
pub struct Resync {
    new: &'static str,
    setting: &'static str,
    asks: usize,
    writes: usize,
    units: Units,
}

impl Resync {
    fn price(&self) -> f64 {
        self.units.read * READ_UNIT + self.units.write * WRITE_UNIT
    }
}

/// Imports the same records with each setting, for each share of existing memberships.
pub async fn measure(bench: &Bench, options: &Options) -> Result<Vec<Resync>, Failure> {
    let scenario = Scenario { matching: Matching::Fuzzy, dry_run: false, records: LARGEST };
    let mut import = Import::new(&bench.workload, scenario);
    let mut resyncs = Vec::new();
    for (new, share) in NEW {
        let mut rng = Rng::with_seed(20_261_122);
        let mut wanted: Vec<_> = import.expected.memberships.iter().cloned().collect();
        wanted.sort_unstable();
        import.before = wanted.into_iter().filter(|_| rng.f64() >= share).collect();
        for setting in SETTINGS {
            let environment = vec![("SKIP_UNCHANGED", setting.into())];
            let program = Program { environment, ..Program::function(options) };
            let mut process = Process::start(&program, &bench.database).await?;
            let ran = import.run(&mut process, &bench.database).await;
            let (_, tally) = ran.map_err(|error| format!("{setting}, new: {new}: {error}"))?;
            process.end().await?;
            let count = |kind| tally.calls.get(kind).copied().unwrap_or_default();
            let (asks, writes) = (count(OF_MEMBERSHIPS), count("BatchWriteItem"));
            resyncs.push(Resync { new, setting, asks, writes, units: tally.units });
        }
    }
    Ok(resyncs)
}

/// Calls and units of one import, as JSON.
pub fn json(resyncs: &[Resync]) -> Value {
    resyncs
        .iter()
        .map(|resync| {
            json!({
                "records": LARGEST,
                "new": resync.new,
                "setting": resync.setting,
                "checkingCalls": resync.asks,
                "writingCalls": resync.writes,
                "readUnits": resync.units.read,
                "writeUnits": resync.units.write,
                "dollars": resync.price(),
            })
        })
        .collect()
}

/// A table: per 1,000 records, and the price of a million.
pub fn table(resyncs: &[Resync]) -> String {
    let head = [
        "new",
        "`SKIP_UNCHANGED`",
        "checking calls",
        "writing calls",
        "read units",
        "write units",
        "$ a million",
    ];
    let rows = resyncs.iter().map(|resync| {
        let thousands = LARGEST as f64 / 1e3;
        let mut row = vec![resync.new.to_owned(), resync.setting.to_owned()];
        row.extend([resync.asks, resync.writes].map(|calls| format!("{:.1}", calls as f64 / thousands)));
        row.extend([resync.units.read, resync.units.write].map(|units| format!("{:.0}", units / thousands)));
        row.push(format!("{:.2}", resync.price() / LARGEST as f64 * 1e6));
        row
    });
    report::table(&head, rows)
}

/// Checks what a resync may cost.
pub fn limits(resyncs: &[Resync]) -> [bool; 3] {
    let find = |new: &str, setting: &str| {
        resyncs
            .iter()
            .find(|resync| (resync.new, resync.setting) == (new, setting))
            .expect("BUG: all are measured")
    };
    let share = |new: &str| (find(new, "auto").price() / find(new, "never").price() * 1e4).round() as u64;
    [
        verdict("writing calls of a resync with nothing new", find("none", "auto").writes as u64, 0),
        verdict("its price, in 1/100 % of SKIP_UNCHANGED=never", share("none"), 2_500),
        verdict("price of a first import, likewise", share("all"), 10_200),
    ]
}
