//! The cost of a nightly resync: calls, units and price, by the share of memberships that exist already.

use fastrand::Rng;

use crate::database::{OF_MEMBERSHIPS, Tally};
use crate::process::{Process, Program};
use crate::report::Limits;
use crate::workload::{Import, LARGEST, Matching, SEED};
use crate::{Bench, Failure};

/// US dollars per unit (Amazon DynamoDB pricing, on demand, us-east-1).
const READ_UNIT: f64 = 0.125e-6;
const WRITE_UNIT: f64 = 0.625e-6;

/// Imports the same records for each share of new memberships, by `SKIP_UNCHANGED=auto`, and by `never` as a comparison.
pub async fn check(bench: &Bench, limits: &mut Limits) -> Result<(), Failure> {
    let mut import = bench.workload.import(Matching::Fuzzy, LARGEST);
    let mut after: Vec<_> = import.after.iter().cloned().collect();
    after.sort_unstable();
    println!("\n| new | checking calls | writing calls | read units | write units | $ a million | `never` |");
    println!("|{}", " ---: |".repeat(7));
    let mut results = vec![];
    for new in [1.0, 0.5, 0.05, 0.0] {
        let mut rng = Rng::with_seed(SEED);
        import.before = after.iter().filter(|_| rng.f64() >= new).cloned().collect();
        let auto = run(bench, &import, "auto").await?;
        let never = run(bench, &import, "never").await?;
        let calls = |kind| auto.calls.get(kind).copied().unwrap_or_default();
        let (checks, writes) = (calls(OF_MEMBERSHIPS), calls("BatchWriteItem"));
        let (new, read, write) = (new * 100.0, auto.read_units, auto.write_units);
        let [price, beside] = [auto, never].map(price);
        println!("| {new} % | {checks} | {writes} | {read} | {write} | {price:.2} | {beside:.2} |");
        results.push((writes, (price / beside * 1e4).round() as usize));
    }
    let ((_, first_price), (writes, price)) = (results[0], results[3]);
    limits.at_most("writing calls of a resync with nothing new", writes, 0);
    limits.at_most("its price, in 1/100 % of that by SKIP_UNCHANGED=never", price, 2_500);
    limits.at_most("the price of a first import, likewise", first_price, 10_200);
    Ok(())
}

async fn run(bench: &Bench, import: &Import, setting: &str) -> Result<Tally, Failure> {
    let program = Program::function().with("SKIP_UNCHANGED", setting);
    let mut process = Process::start(&program, &bench.database).await?;
    let (_, tally) = import.run(&mut process, &bench.database).await?;
    Ok(tally)
}

/// Of a million records, in US dollars.
fn price(tally: Tally) -> f64 {
    (tally.read_units * READ_UNIT + tally.write_units * WRITE_UNIT) * 1e6 / LARGEST as f64
}
