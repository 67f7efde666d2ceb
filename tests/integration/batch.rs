//! Full batches of 5,000 records, compared with the model.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use testing::function::Function;
use testing::model::draw;
use testing::model::verdict::Faults;
use testing::stage::Stage;
use testing::trial::draw::Trial;
use testing::trial::run::Trials;

const RECORDS: usize = 5_000;

/// Adds a full batch, then deletes half of it.
async fn a_full_batch(mode: &str, codes: &[&str]) {
    let drawn = (draw::world(2_000, 3_000), draw::import(2_000, RECORDS..RECORDS + 1));
    let drawn = drawn.prop_filter("a large world", |(world, _)| world.customers.len() > 1_500);
    let drawn = drawn.new_tree(&mut TestRunner::deterministic()).expect("one in two is large");
    let (world, mut import) = drawn.current();
    (import.mode, import.params) = draw::modes().into_iter().find(|(name, _)| *name == mode).expect("a mode");
    import.params["optType"] = "add".into();
    let stage = Stage::of(&world).await;
    stage.database.statements_by_key();
    let function = stage.function().await;
    let mut trials = Trials::new(stage, function, world);

    let mut trial = Trial::calm(import);
    sent(&mut trials, &trial).await;
    for code in codes {
        assert!(trials.events.contains(&format!("record: {code}")), "{code}");
    }
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
    a_full_batch("fuzzy 1", &["AMBIGUOUS", "NOT_MATCHED", "success"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_exact_batch_matches_the_reference_model() {
    a_full_batch("exact", &["AMBIGUOUS", "CONFLICT", "NOT_MATCHED", "success"]).await;
}
