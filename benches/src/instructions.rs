//! The instructions of an import, counted by valgrind, compared with those of an earlier state of the function.

use std::collections::BTreeMap;
use std::fs;

use crate::process::{Process, Program};
use crate::report::Limits;
use crate::workload::{Import, LARGEST, Matching};
use crate::{Bench, Failure};

const COMMITTED: &str = "benches/instructions.json";

/// What valgrind writes.
const COUNTS: &str = "target/bench.callgrind";

/// By what share the committed figure may be exceeded: hash maps and timing differ from run to run, compilers from
/// machine to machine.
const SLACK: f64 = 0.1;

/// Counts, and with `update` makes the figures the new limits.
pub async fn check(bench: &Bench, update: bool, limits: &mut Limits) -> Result<(), Failure> {
    if std::env::consts::ARCH != "x86_64" {
        println!("skipped: instructions are committed for x86_64 only");
        return Ok(());
    }
    let workload = &bench.workload;
    let start = count(bench, None).await?;
    let mut counted = BTreeMap::new();
    for (name, import) in [
        ("import", workload.import(Matching::Fuzzy, LARGEST)),
        ("import, a tenth of the records", workload.import(Matching::Fuzzy, LARGEST / 10)),
        ("look-ups alone", workload.dry_run(Matching::Fuzzy, LARGEST)),
        ("neither look-ups nor writes", workload.dry_run(Matching::Off, LARGEST)),
    ] {
        counted.insert(name, count(bench, Some(import)).await?.saturating_sub(start));
    }
    if update {
        fs::write(COMMITTED, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
    }
    let committed: BTreeMap<String, usize> = serde_json::from_str(&fs::read_to_string(COMMITTED)?)?;
    for (name, counted) in counted {
        let committed = committed.get(name).copied().unwrap_or_default() as f64;
        if (counted as f64) < committed * (1.0 - SLACK) {
            println!("{name}: far fewer than committed; make bench ARGS=--update records the new figures");
        }
        limits.at_most(&format!("instructions, {name}"), counted, (committed * (1.0 + SLACK)) as usize);
    }
    Ok(())
}

/// The instructions of a process that serves a small import and then, perhaps, another one.
async fn count(bench: &Bench, import: Option<Import>) -> Result<usize, Failure> {
    let mut program = Program::function();
    let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &format!("--callgrind-out-file={COUNTS}")];
    program.command.splice(..0, valgrind.map(str::to_owned));
    let mut process = Process::start(&program, &bench.database).await?;
    let small = bench.workload.import(Matching::Fuzzy, 1);
    for import in [small].into_iter().chain(import) {
        import.run(&mut process, &bench.database).await?;
    }
    process.end().await?;
    let text = fs::read_to_string(COUNTS)?;
    fs::remove_file(COUNTS)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("valgrind counted nothing")?.trim().parse()?)
}
