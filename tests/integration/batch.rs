//! Full batches of 5,000 records, compared with the model.

use fastrand::Rng;
use serde_json::{Value, json};

use testing::function::Function;
use testing::model::draw::{self, Import, TENANTS};
use testing::model::verdict::Faults;
use testing::model::world::{Customer, World};
use testing::stage::{Stage, TENANT};
use testing::trial::draw::Trial;
use testing::trial::run::Trials;

/// Customers of the large batch, by tenant.
const CUSTOMERS: [(&str, u32); 2] = [(TENANTS[0], 2_000), (TENANTS[1], 500)];

const RECORDS: usize = 5_000;

/// Customers: about one in ten shares an identifier with another, and some have no identifiers.
fn customers(random: &mut Rng) -> Vec<Customer> {
    let mut customers = Vec::new();
    for (tenant, count) in CUSTOMERS {
        for number in 0..count {
            let mut draw = |kind: &str| {
                let number = if random.u32(..100) < 4 { random.u32(..count) } else { number };
                (random.u32(..100) < 85).then(|| format!("{kind}{number:08}"))
            };
            let drawn = [("unionid", "u"), ("openid", "o"), ("phone", "138")]
                .map(|(field, kind)| Some((field, draw(kind)?)));
            let attributes = drawn.into_iter().flatten().collect();
            customers.push(Customer { attributes, ..Customer::new(tenant, &format!("c{number:08}")) });
        }
    }
    customers
}

/// Records for those customers: one in ten matches nobody, and some have an identifier of another customer.
fn records(random: &mut Rng) -> Vec<Value> {
    let mut records = Vec::new();
    for _ in 0..RECORDS {
        let (_, count) = CUSTOMERS[0];
        let number = random.u32(..count) + if random.u32(..10) == 0 { count } else { 0 };
        let groups = format!("group {}, group {}", random.u32(..50), random.u32(..50));
        let mut record = json!({"groups": groups});
        for (field, kind, percent) in
            [("unionid", "u", 60), ("openid", "o", 60), ("phone", "+86 138", 60), ("audienceUserId", "c", 40)]
        {
            let number = if random.u32(..100) < 4 { random.u32(..count) } else { number };
            if random.u32(..100) < percent {
                record[field] = format!("{kind}{number:08}").into();
            }
        }
        records.push(record);
    }
    records
}

/// Adds a full batch, then deletes half of it.
async fn a_full_batch(mode: &'static str, expected: &[&str]) {
    let mut random = Rng::with_seed(20_260_801);
    let world = World { customers: customers(&mut random), ..World::default() };
    let (_, mut params) = draw::modes().into_iter().find(|(name, _)| *name == mode).expect("a mode");
    params["optType"] = "add".into();
    let import = Import { tenant: TENANT, mode, params, records: records(&mut random) };
    let stage = Stage::of(&world).await;
    let function = stage.function().await;
    let mut trials = Trials::new(stage, function, world);

    let mut trial = Trial::calm(import);
    sent(&mut trials, &trial).await;
    let mut ended: Vec<_> = trials.events.iter().filter_map(|event| event.strip_prefix("record: ")).collect();
    ended.sort_unstable();
    ended.dedup();
    assert_eq!(ended, expected);

    trial.import.params["optType"] = "delete".into();
    trial.import.records.truncate(RECORDS / 2);
    sent(&mut trials, &trial).await;
    assert!(!trials.world.memberships.is_empty());
}

async fn sent(trials: &mut Trials<Function>, trial: &Trial) {
    let response = trials.post(trial).await;
    trials.judge(trial, &response, Faults::NONE).await;
    trials.world.memberships = trials.stage.memberships().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_fuzzy_batch_matches_the_reference_model() {
    a_full_batch("fuzzy 1", &["AMBIGUOUS", "MISSING_IDENTIFIER", "NOT_MATCHED", "success"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_exact_batch_matches_the_reference_model() {
    a_full_batch("exact", &["AMBIGUOUS", "CONFLICT", "MISSING_IDENTIFIER", "NOT_MATCHED", "success"]).await;
}
