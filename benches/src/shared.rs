//! Values that thousands of customers share: what they add to an import, and what an import costs of which every record
//! has two (contract, section 5).

use serde_json::{Value, json};
use testing::model::world::Customer;
use testing::serve::Transport;

use crate::Failure;
use crate::database::Database;
use crate::process::{Cost, Process, Program};
use crate::report::Limits;
use crate::workload::{LARGEST, TENANT, event};

/// The customers who share a phone, and the good records beside the one that has it.
const SHARERS: usize = 20_000;
const GOOD: usize = 8;

/// The duration of a call.
const DELAY_MS: u64 = 3;

/// What a shared value may add, and what an import of shared values may take.
const MOST_CALLS_MORE: usize = 10;
const MOST_CPU_MS: usize = 2_000;
const MOST_MEMORY_KIB: usize = 64 * 1024;

pub async fn check(limits: &mut Limits) -> Result<(), Failure> {
    let database = Database::start(Transport::Plain, &customers()).await?;
    database.set(DELAY_MS, None);
    for (name, mut params, failed) in [
        // By the phone alone, the records of two shared values are ambiguous.
        ("Fuzzy", json!({"matchingType": 2, "identifyWay": 2}), LARGEST),
        ("Exact", json!({"matchingType": 1}), 0),
    ] {
        params["isMatching"] = true.into();
        params["optType"] = "add".into();
        for lookup in ["statement", "query"] {
            let program = Program::function().with("IDENTITY_LOOKUP", lookup);
            let mut process = Process::start(&program, &database).await?;
            let good: Vec<_> = (0..GOOD).map(|n| json!({"phone": format!("g{n}"), "groups": "g"})).collect();
            let shared = [vec![json!({"phone": "crowd", "groups": "g"})], good.clone()].concat();
            let mut calls = async |data, failed| -> Result<usize, Failure> {
                database.take_calls()?;
                import(&mut process, &params, data, failed).await?;
                Ok(database.take_calls()?.values().sum())
            };
            // The first import reads the tenant.
            calls(good.clone(), 0).await?;
            let without = calls(good, 0).await?;
            let with = calls(shared, 1).await?;
            let what = format!("a value of {SHARERS} customers, {name} matching, by {lookup}: calls more");
            limits.at_most(&what, with - without, MOST_CALLS_MORE);
        }
        let mut process = Process::start(&Program::function(), &database).await?;
        let data = (0..LARGEST)
            .map(|n| json!({"unionid": format!("u{n}"), "openid": "null", "phone": "0", "groups": "g"}));
        let cost = import(&mut process, &params, data.collect(), failed).await?;
        let memory = process.peak_memory() as usize;
        let what = format!("{LARGEST} records with two values of {LARGEST} customers, {name} matching");
        limits.at_most(&format!("{what}: ms of CPU"), cost.cpu.as_millis() as usize, MOST_CPU_MS);
        limits.at_most(&format!("{what}: KiB of memory"), memory, MOST_MEMORY_KIB);
    }
    Ok(())
}

fn customers() -> Vec<Customer> {
    let with_phone = |id: String, phone: &str| Customer::new(TENANT, &id).with("phone", phone);
    let crowd = (0..SHARERS).map(|n| with_phone(format!("s{n}"), "crowd"));
    let good = (0..GOOD).map(|n| with_phone(format!("g{n}"), &format!("g{n}")));
    let both = (0..LARGEST)
        .map(|n| with_phone(format!("c{n}"), "0").with("unionid", format!("u{n}")).with("openid", "null"));
    crowd.chain(good).chain(both).collect()
}

/// Runs an import of which this many records must fail.
async fn import(
    process: &mut Process,
    params: &Value,
    data: Vec<Value>,
    failed: usize,
) -> Result<Cost, Failure> {
    let (cost, response) = process.invoke(&event(params, data)).await?;
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
    if body["data"]["importFailNum"] != failed {
        return Err(format!("{} records failed, not {failed}", body["data"]["importFailNum"]).into());
    }
    Ok(cost)
}
