//! Deterministic costs of an import (calls, connections, instructions), compared with their limits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use testing::memory::server::{Calls, FURTHER_PAGE, OF_MEMBERSHIPS, Tally};

use crate::Failure;
use crate::measure::{Bench, Import};
use crate::options::Options;
use crate::process::{Process, Program};
use crate::report::{THIS, verdict};
use crate::tls::{IMPORTS, Secured};
use crate::workload::{Expected, LARGEST, Matching, SIZES, Scenario};
use crate::{resync, shared};

/// Values of a statement, keys and items of a call: the maxima that the function must use.
const STATEMENT_VALUES: usize = 9;
const BATCH_GET_KEYS: usize = 100;
const BATCH_WRITE_ITEMS: usize = 25;

/// The default limit of concurrent calls.
const CALLS_AT_A_TIME: usize = 32;

/// Instructions counted by an earlier state of the function, by name.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");
type Instructions = BTreeMap<String, u64>;

/// By what share the committed figure may be exceeded: hash maps and timing differ from run to
/// run, compilers from machine to machine.
const SLACK: f64 = 0.1;

/// Checks every limit and prints the results.
pub async fn check(bench: &Bench, options: &Options, update: bool) -> Result<ExitCode, Failure> {
    let mut verdicts = Vec::new();
    for matching in [Matching::Fuzzy, Matching::Exact] {
        for records in SIZES {
            verdicts.extend(calls(bench, options, Scenario { matching, dry_run: false, records }).await?);
        }
    }
    verdicts.extend(handshakes(bench, options).await?);
    let resyncs = resync::measure(bench, options).await?;
    println!("{}", resync::table(&resyncs));
    verdicts.extend(resync::limits(&resyncs));
    verdicts.extend(shared::limits(&shared::measure(options).await?));
    if instructions_can_be_counted()? {
        let counted = count_all(bench, options).await?;
        if update {
            fs::write(COMMITTED, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
        }
        verdicts.extend(compare(&counted, &serde_json::from_str(&fs::read_to_string(COMMITTED)?)?));
    }
    let broken = verdicts.iter().filter(|kept| !**kept).count();
    println!("limits: {} kept, {broken} broken", verdicts.len() - broken);
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn calls(bench: &Bench, options: &Options, scenario: Scenario) -> Result<Vec<bool>, Failure> {
    let mut process = Process::start(&Program::function(options), &bench.database).await?;
    let import = Import::new(&bench.workload, scenario);
    let (_, Tally { calls, .. }) = import.run(&mut process, &bench.database).await?;
    process.end().await?;

    let limits = most_calls(&import.expected);
    let made = calls.iter().filter(|(kind, _)| **kind != FURTHER_PAGE);
    Ok(made
        .map(|(kind, made)| {
            let what = format!("{kind}, {} matching, {} records", scenario.matching.name(), scenario.records);
            verdict(&what, *made as u64, limits.get(kind).copied().unwrap_or_default() as u64)
        })
        .collect())
}

fn most_calls(expected: &Expected) -> Calls {
    let [by_index @ .., ids] = expected.looked_up;
    Calls::from([
        ("GetItem", 1),
        ("ExecuteStatement", by_index.iter().map(|values| values.div_ceil(STATEMENT_VALUES)).sum()),
        // Each was requested because the double returned a continuation.
        (FURTHER_PAGE, usize::MAX),
        ("BatchGetItem", ids.div_ceil(BATCH_GET_KEYS)),
        // The sample.
        (OF_MEMBERSHIPS, 1),
        ("BatchWriteItem", expected.memberships.len().div_ceil(BATCH_WRITE_ITEMS)),
    ])
}

/// TLS handshakes of a process in several imports: one for each concurrent call. Without a delay, where
/// connections become free while others are opened.
async fn handshakes(bench: &Bench, options: &Options) -> Result<Vec<bool>, Failure> {
    let secured = Secured::new(bench, options).await?;
    let mut verdicts = Vec::new();
    for records in SIZES {
        let scenario = Scenario { matching: Matching::Fuzzy, dry_run: false, records };
        let import = Import::new(&bench.workload, scenario);
        let most = most_calls(&import.expected);
        let look_ups = most["ExecuteStatement"] + most["BatchGetItem"];
        let at_a_time = look_ups.max(most["BatchWriteItem"]).min(CALLS_AT_A_TIME);
        let before = secured.handshakes();
        let mut process = secured.start(&Program::function(options)).await?;
        for _ in 0..IMPORTS {
            import.run(&mut process, &secured.database).await?;
        }
        process.end().await?;
        let what = format!("TLS handshakes in {IMPORTS} imports, {records} records");
        verdicts.push(verdict(&what, (secured.handshakes() - before) as u64, at_a_time as u64));
    }
    Ok(verdicts)
}

/// Whether valgrind is installed, and figures exist for this architecture.
fn instructions_can_be_counted() -> Result<bool, Failure> {
    if std::env::consts::ARCH != "x86_64" {
        println!("skipped: instructions are committed for x86_64 only");
        return Ok(false);
    }
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok() {
        return Ok(true);
    }
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        return Err("valgrind is not installed".into());
    }
    println!("skipped: no instructions counted, valgrind is not installed");
    Ok(false)
}

async fn count_all(bench: &Bench, options: &Options) -> Result<Instructions, Failure> {
    let fuzzy = Scenario { matching: Matching::Fuzzy, dry_run: false, records: LARGEST };
    let scenarios = [
        ("import", fuzzy),
        ("import, a tenth of the records", Scenario { records: LARGEST / 10, ..fuzzy }),
        ("look-ups alone", Scenario { dry_run: true, ..fuzzy }),
        ("neither look-ups nor writes", Scenario { matching: Matching::Off, dry_run: true, ..fuzzy }),
    ];
    let start = count(bench, options, None).await?;
    let mut counted = Instructions::new();
    for (name, scenario) in scenarios {
        let with_start = count(bench, options, Some(scenario)).await?;
        counted.insert(name.to_owned(), with_start.saturating_sub(start));
    }
    Ok(counted)
}

/// Instructions of a process that serves a small import and then, perhaps, another one.
async fn count(bench: &Bench, options: &Options, scenario: Option<Scenario>) -> Result<u64, Failure> {
    let counts = options.out.join("bench.callgrind");
    let program = Program {
        name: THIS,
        command: vec![
            "valgrind".into(),
            "--quiet".into(),
            "--tool=callgrind".into(),
            [OsString::from("--callgrind-out-file="), counts.as_os_str().into()].into_iter().collect(),
            options.function.as_os_str().into(),
        ],
        environment: vec![],
    };
    let small = Scenario { matching: Matching::Fuzzy, dry_run: false, records: 1 };
    let mut process = Process::start(&program, &bench.database).await?;
    for scenario in [small].into_iter().chain(scenario) {
        Import::new(&bench.workload, scenario).run(&mut process, &bench.database).await?;
    }
    process.end().await?;
    let total = total(&counts)?;
    fs::remove_file(counts)?;
    Ok(total)
}

fn total(counts: &Path) -> Result<u64, Failure> {
    let text = fs::read_to_string(counts)?;
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("valgrind counted nothing")?;
    Ok(total.trim().parse()?)
}

fn compare(counted: &Instructions, committed: &Instructions) -> Vec<bool> {
    counted
        .iter()
        .map(|(name, &counted)| {
            let committed = committed.get(name).copied().unwrap_or_default();
            if (counted as f64) < committed as f64 * (1.0 - SLACK) {
                println!("{name}: far fewer than committed; make bench-update records the new figures");
            }
            verdict(&format!("instructions, {name}"), counted, (committed as f64 * (1.0 + SLACK)) as u64)
        })
        .collect()
}
