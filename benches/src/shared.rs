//! What an import costs of which every record has two values that thousands of customers share (contract, section 5).

use serde_json::{Value, json};
use testing::model::world::Customer;
use testing::serve::Transport;

use crate::Failure;
use crate::database::Database;
use crate::process::{Process, Program};
use crate::report::Limits;
use crate::workload::{LARGEST, TENANT, event};

/// The duration of a call.
const DELAY_MS: u64 = 3;

/// What it may take.
const MOST_CPU_MS: usize = 2_000;
const MOST_MEMORY_KIB: usize = 64 * 1024;

pub async fn check(limits: &mut Limits) -> Result<(), Failure> {
    let customers: Vec<_> = (0..LARGEST)
        .map(|n| {
            let customer = Customer::new(TENANT, &format!("c{n}")).with("phone", "0");
            customer.with("unionid", format!("u{n}")).with("openid", "null")
        })
        .collect();
    let database = Database::start(Transport::Plain, &customers).await?;
    database.set(DELAY_MS, None);
    for (name, mut params, failed) in [
        // By the phone alone, the records of two shared values are ambiguous.
        ("Fuzzy", json!({"matchingType": 2, "identifyWay": 2}), LARGEST),
        ("Exact", json!({"matchingType": 1}), 0),
    ] {
        params["isMatching"] = true.into();
        params["optType"] = "add".into();
        let mut process = Process::start(&Program::function(), &database).await?;
        let data = (0..LARGEST)
            .map(|n| json!({"unionid": format!("u{n}"), "openid": "null", "phone": "0", "groups": "g"}));
        let (cost, response) = process.invoke(&event(&params, data.collect())).await?;
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        if body["data"]["importFailNum"] != failed {
            return Err(format!("{} records failed, not {failed}", body["data"]["importFailNum"]).into());
        }
        let memory = process.peak_memory() as usize;
        let what = format!("{LARGEST} records with two values of {LARGEST} customers, {name} matching");
        limits.at_most(&format!("{what}: ms of CPU"), cost.cpu.as_millis() as usize, MOST_CPU_MS);
        limits.at_most(&format!("{what}: KiB of memory"), memory, MOST_MEMORY_KIB);
    }
    Ok(())
}
