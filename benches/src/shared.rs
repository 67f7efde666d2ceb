//! Values that thousands of customers share: what they add to an import, and what an import costs of which every record
//! has two (contract, section 5).

use serde_json::{Value, json};
use testing::memory::server::MemoryServer;
use testing::memory::{Customer, Memory};

use crate::Failure;
use crate::options::Options;
use crate::process::{Process, Program, Run};
use crate::report::{self, ms, verdict};
use crate::workload::{LARGEST, TENANT, event};

/// The customers who share a phone, and the good records beside the one that has it.
const SHARERS: usize = 20_000;
const GOOD: usize = 8;

/// The duration of a call.
const DELAY_MS: u64 = 3;

/// What a shared value may add, and what an import of shared values may take.
const MOST_CALLS_MORE: u64 = 10;
const MOST_CPU_MS: u64 = 2_000;
const MOST_MEMORY_KIB: u64 = 64 * 1024;

/// One import, and the limit of what it costs.
pub struct Cost {
    what: String,
    unit: &'static str,
    cost: u64,
    limit: u64,
}

/// Measures the imports, and checks their results.
pub async fn measure(options: &Options) -> Result<Vec<Cost>, Failure> {
    let database = MemoryServer::start(memory()).await?;
    database.delay(DELAY_MS);
    let mut costs = Vec::new();
    for (name, params) in [
        ("fuzzy", json!({"isMatching": true, "matchingType": 2, "identifyWay": 2, "optType": "add"})),
        ("exact", json!({"isMatching": true, "matchingType": 1, "optType": "add"})),
    ] {
        for lookup in ["statement", "query"] {
            eprintln!("a value of {SHARERS} customers, {name} matching, by {lookup}");
            let program = Program {
                environment: vec![("IDENTITY_LOOKUP", lookup.into())],
                ..Program::function(options)
            };
            let mut process = Process::start(&program, &database).await?;
            let good: Vec<_> = (0..GOOD).map(|n| json!({"phone": format!("g{n}"), "groups": "g"})).collect();
            let shared = [vec![json!({"phone": "crowd", "groups": "g"})], good.clone()].concat();
            let mut calls = async |data: Vec<Value>, failed| -> Result<u64, Failure> {
                database.take_tally();
                run(&mut process, &params, data, failed).await?;
                Ok(database.take_tally().calls.values().sum::<usize>() as u64)
            };
            // The first import opens the connections.
            calls(good.clone(), 0).await?;
            let without = calls(good, 0).await?;
            let with = calls(shared, 1).await?;
            process.end().await?;
            let what = format!("a value of {SHARERS} customers, {name}, by {lookup}");
            costs.push(Cost { what, unit: "calls more", cost: with - without, limit: MOST_CALLS_MORE });
        }
        eprintln!("{LARGEST} records with two shared values, {name} matching");
        let mut process = Process::start(&Program::function(options), &database).await?;
        let data = (0..LARGEST)
            .map(|n| json!({"unionid": format!("u{n}"), "openid": "null", "phone": "0", "groups": "g"}));
        // By the phone alone, the records are ambiguous.
        let failed = if name == "exact" { 0 } else { LARGEST as u64 };
        let Run { cpu, .. } = run(&mut process, &params, data.collect(), failed).await?;
        let memory = process.peak_memory()?;
        process.end().await?;
        let what = format!("{LARGEST} records with two values of {LARGEST} customers, {name}");
        let cpu = ms(cpu) as u64;
        costs.push(Cost { what: what.clone(), unit: "ms of CPU", cost: cpu, limit: MOST_CPU_MS });
        costs.push(Cost { what, unit: "KiB of memory", cost: memory, limit: MOST_MEMORY_KIB });
    }
    Ok(costs)
}

fn memory() -> Memory {
    let customer = |id: String, unionid: Option<String>, openid: Option<&str>, phone: String| Customer {
        tenant: TENANT.to_owned(),
        id,
        identifiers: [unionid, openid.map(str::to_owned), Some(phone)],
    };
    let crowd = (0..SHARERS).map(|n| customer(format!("s{n}"), None, None, "crowd".to_owned()));
    let good = (0..GOOD).map(|n| customer(format!("g{n}"), None, None, format!("g{n}")));
    let both =
        (0..LARGEST).map(|n| customer(format!("c{n}"), Some(format!("u{n}")), Some("null"), "0".to_owned()));
    Memory::new(TENANT, crowd.chain(good).chain(both))
}

/// Runs an import of which this many records must fail.
async fn run(process: &mut Process, params: &Value, data: Vec<Value>, failed: u64) -> Result<Run, Failure> {
    let run = process.invoke(event(&json!({"publicParams": params, "data": data})).into()).await?;
    let body: Value = serde_json::from_str(run.response["body"].as_str().unwrap_or_default())?;
    if body["data"]["importFailNum"].as_u64() != Some(failed) {
        return Err(format!("{} records failed, not {failed}", body["data"]["importFailNum"]).into());
    }
    Ok(run)
}

/// Whether each cost is within its limit.
pub fn limits(costs: &[Cost]) -> Vec<bool> {
    costs
        .iter()
        .map(|cost| verdict(&format!("{}: {}", cost.what, cost.unit), cost.cost, cost.limit))
        .collect()
}

pub fn table(costs: &[Cost]) -> String {
    let rows = costs
        .iter()
        .map(|cost| vec![cost.what.clone(), format!("{} {}", cost.cost, cost.unit), cost.limit.to_string()]);
    report::table(&["import", "cost", "limit"], rows)
}
