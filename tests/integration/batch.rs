//! Complete imports through the function and the database: responses and stored memberships are compared with
//! the reference model.

use std::collections::BTreeSet;

use fastrand::Rng;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::properties;
use testing::function::Function;
use testing::model::draw::{self, Import, TENANTS};
use testing::model::verdict::Case;
use testing::model::world::{CODES, Customer, Ending, World};
use testing::stage::{Stage, TENANT};

/// Enough time for any machine: results must not depend on its speed.
const SECONDS: f64 = 600.0;

/// The tokens of [`TENANTS`].
const TOKENS: [(&str, &str); 2] = [(TENANTS[0], "token-1"), (TENANTS[1], "token-2")];

/// A stage with the tenants, customers and memberships of a world.
async fn stage(world: &World) -> Stage {
    let stage = Stage::new().await;
    for (tenant, token) in TOKENS {
        stage.put_tenant(token, json!({"tenantId": tenant})).await;
    }
    stage.put_customers(world.customers.iter().map(Customer::item)).await;
    stage.put_memberships(&world.memberships).await;
    stage
}

async fn function(stage: &Stage) -> Function {
    let mut function = stage.function().await;
    function.seconds = SECONDS;
    function
}

/// Posts an import and compares the result with the reference model; a failure states the difference.
async fn agree(
    stage: &Stage,
    function: &Function,
    world: &mut World,
    import: &Import,
) -> Result<Vec<Ending>, TestCaseError> {
    let (_, token) = TOKENS[usize::from(import.tenant != TENANTS[0])];
    let body = json!({"publicParams": import.params, "data": import.records}).to_string();
    let response = function.post(token, &*body).await;
    let verdict = Case::new(world, import.tenant, body.as_bytes()).imported(&response.reply());
    let verdict = verdict.map_err(TestCaseError::fail)?;
    let stored = stage.memberships().await;
    verdict.stored(&stored).map_err(TestCaseError::fail)?;
    world.memberships = stored;
    Ok(verdict.endings)
}

/// Size of the pool of identifiers in a small world.
const POOL: u32 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn random_imports_match_the_reference_model() {
    let coverage = properties::Coverage::default();
    let cases = (draw::world(POOL, 160), prop::collection::vec(draw::import(POOL, 50..150), 2..4));
    // Each case needs a database of its own: run few cases, and few attempts to shrink a failing one.
    let config = Config { cases: 30, max_shrink_iters: 60, ..properties::config() };
    properties::check(config, &cases, |(mut world, imports)| {
        block_in_place(|| {
            Handle::current().block_on(async {
                let stage = stage(&world).await;
                let function = function(&stage).await;
                for import in &imports {
                    let endings = agree(&stage, &function, &mut world, import).await?;
                    for ending in &endings {
                        coverage.happened(ending.code.unwrap_or("success"));
                    }
                    coverage.happened(import.mode);
                    coverage.happened(import.params["optType"].to_string());
                    let again = agree(&stage, &function, &mut world, import).await?;
                    prop_assert_eq!(again, endings);
                }
                Ok(())
            })
        })
    });
    let settings = draw::modes().map(|(mode, _)| mode.to_owned()).into_iter();
    let settings = settings.chain(["\"add\"", "\"delete\""].map(str::to_owned));
    coverage.is(settings.chain(codes_without_outages()));
}

/// Every result of a record while the database is available.
fn codes_without_outages() -> impl Iterator<Item = String> {
    let codes = CODES.into_iter().filter(|code| !matches!(*code, "STORE_ERROR" | "TIMEOUT"));
    codes.chain(["success"]).map(str::to_owned)
}

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
            customers.push(Customer {
                tenant: tenant.to_owned(),
                unionid: draw("u"),
                openid: draw("o"),
                phone: draw("138"),
                id: format!("c{number:08}"),
            });
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
    let mut world = World { customers: customers(&mut random), ..World::default() };
    let (_, params) = draw::modes().into_iter().find(|(name, _)| *name == mode).expect("a mode");
    let mut import = Import { tenant: TENANT, mode, params, records: records(&mut random) };
    let stage = stage(&world).await;
    stage.database.statements_by_key();
    let function = function(&stage).await;

    import.params["optType"] = "add".into();
    let endings = agree(&stage, &function, &mut world, &import).await.expect("agrees with the model");
    let ended: BTreeSet<_> = endings.iter().map(|ending| ending.code.unwrap_or("success")).collect();
    assert_eq!(ended, expected.iter().copied().collect());

    import.params["optType"] = "delete".into();
    import.records.truncate(RECORDS / 2);
    agree(&stage, &function, &mut world, &import).await.expect("agrees with the model");
    assert!(!world.memberships.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_fuzzy_batch_matches_the_reference_model() {
    a_full_batch("fuzzy 1", &["AMBIGUOUS", "MISSING_IDENTIFIER", "NOT_MATCHED", "success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_exact_batch_matches_the_reference_model() {
    a_full_batch("exact", &["AMBIGUOUS", "CONFLICT", "MISSING_IDENTIFIER", "NOT_MATCHED", "success"]).await;
}
