//! Memberships already in the desired state are not written again where checking is cheaper; the final state is
//! always the one that writing would produce (contract, section 6).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::future::join_all;
use group_import::config::SkipUnchanged::{self, Always, Auto, Never};
use serde_json::json;

use testing::dynamodb::{Action, Rule, Share};
use testing::function::{Function, REQUEST_ID};
use testing::items::BEFORE;
use testing::shorthand::{numbered, numbered_pairs, off, pairs};
use testing::stage::Stage;

/// Puts the memberships of [`numbered`] records, as an earlier import left them.
async fn put_earlier(stage: &Stage, numbers: impl IntoIterator<Item = usize>) {
    stage.put_memberships(&pairs(numbers.into_iter().map(|number| (format!("t1#c{number}"), "g")))).await;
}

async fn skipping(stage: &Stage, skip_unchanged: SkipUnchanged) -> Function {
    stage.function_with(|config| config.skip_unchanged = skip_unchanged).await
}

/// Calls of `BatchGetItem` and `BatchWriteItem`.
fn calls(stage: &Stage) -> (usize, usize) {
    (stage.database.count("BatchGetItem"), stage.database.count("BatchWriteItem"))
}

/// How many memberships were written by this import and by the earlier one.
async fn written_by(stage: &Stage) -> (usize, usize) {
    let items = stage.membership_items().await;
    let by = |id: &str| items.iter().filter(|item| item["importId"] == id).count();
    (by(REQUEST_ID), by(BEFORE))
}

#[tokio::test]
async fn memberships_are_checked_and_written_where_it_pays() {
    let all = || (0..250).collect::<Vec<_>>();
    let four_fifths = all().into_iter().filter(|number| number % 5 != 0).collect();
    // Of 200 memberships every even index is in the sample of 100; of these, 19 or 20 exist.
    let of_sample = |there: usize| (0..there).map(|number| 2 * number).collect();
    for (name, skip, opt_type, earlier, records, expected_calls, written) in [
        ("what one call writes", Auto, "add", (0..25).collect(), 25, (0, 1), (25, 0)),
        ("more than one call writes", Auto, "add", (0..25).collect(), 26, (1, 1), (1, 25)),
        ("a resync", Auto, "add", all(), 250, (3, 0), (0, 250)),
        ("a resync", Always, "add", all(), 250, (3, 0), (0, 250)),
        ("a resync", Never, "add", all(), 250, (0, 10), (250, 0)),
        ("a first import", Auto, "add", vec![], 250, (1, 10), (250, 0)),
        ("a first import", Always, "add", vec![], 250, (3, 10), (250, 0)),
        ("a first import", Never, "add", vec![], 250, (0, 10), (250, 0)),
        ("deletes of nothing", Auto, "delete", vec![], 250, (3, 0), (0, 0)),
        ("deletes", Auto, "delete", all(), 250, (1, 10), (0, 0)),
        ("some new", Auto, "add", four_fifths, 250, (3, 2), (50, 200)),
        ("below the break-even", Auto, "add", of_sample(19), 200, (1, 8), (181, 19)),
        ("at the break-even", Auto, "add", of_sample(20), 200, (2, 8), (180, 20)),
    ] {
        let stage = Stage::new().await;
        put_earlier(&stage, earlier).await;
        let function = skipping(&stage, skip).await;
        assert_eq!(function.import(off(opt_type), numbered(records)).await.failures(), [""; 0]);
        assert_eq!((calls(&stage), written_by(&stage).await), (expected_calls, written), "{name}, {skip:?}");
        for call in stage.database.calls().iter().filter(|call| call.operation == "BatchGetItem") {
            let of_table = &call.body["RequestItems"][&stage.names.memberships];
            assert_eq!(of_table["ConsistentRead"], true, "what was written before is seen");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn memberships_that_cannot_be_checked_are_written() {
    let faults = [
        Action::rejected("AccessDeniedException"),
        Action::rejected("ValidationException"),
        Action::BROKEN,
        Action::Garble,
        Action::Reset,
        Action::THROTTLED,
        Action::Unprocessed { processed: Share::Count(0) },
    ];
    for fault in faults {
        // The sample itself, or one of the calls after it.
        for (passed, left_alone) in [(0, 0), (1, 100)] {
            let stage = Stage::new().await;
            put_earlier(&stage, 0..250).await;
            let function = skipping(&stage, Auto).await;
            stage.database.rule(Rule::on("BatchGetItem", fault.clone()).after(passed));
            assert_eq!(function.import(off("add"), numbered(250)).await.failures(), [""; 0], "{fault:?}");
            assert_eq!(written_by(&stage).await, (250 - left_alone, left_alone), "{fault:?}");
            // The SDK repeats these.
            let is_repeated = matches!(fault, Action::Reset | Action::Error { status: 500, .. });
            assert!(is_repeated || calls(&stage).0 <= 3, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slow_checks_leave_time_for_writing_and_spare_what_they_saw() {
    // At two at a time, what follows the checks at the end of a quarter of the time, 1.1 s, is not checked.
    for (slow, begun, ended) in [
        (Action::Hang, 2, 0),
        (Action::Delay(Duration::from_secs(2)), 2, 0),
        (Action::Delay(Duration::from_millis(400)), 6, 4),
    ] {
        let stage = Stage::new().await;
        put_earlier(&stage, 0..990).await;
        let function = stage.function_with(|config| {
            config.skip_unchanged = Always;
            config.lookup_concurrency = 2;
        });
        // Less than the attempts at one call may take.
        let function = Function { seconds: 6.0, ..function.await };
        stage.database.rule(Rule::on("BatchGetItem", slow.clone()));
        assert_eq!(function.import(off("add"), numbered(1_000)).await.failures(), [""; 0], "{slow:?}");
        let calls = stage.database.calls().into_iter().filter(|call| call.operation == "BatchGetItem");
        let checks: BTreeSet<_> = calls.map(|call| call.body.to_string()).collect();
        assert_eq!(checks.len(), begun, "{slow:?}");
        assert_eq!(written_by(&stage).await, (1_000 - 100 * ended, 100 * ended), "{slow:?}");
        assert_eq!(stage.memberships().await, numbered_pairs(1_000));
    }
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_requested_again() {
    let stage = Stage::new().await;
    put_earlier(&stage, 0..250).await;
    // One call at a time: a second one could have to wait for two pauses, longer than a check does.
    let function = stage.function_with(|config| config.lookup_concurrency = 1).await;
    let part = Action::Unprocessed { processed: Share::Fraction(1, 3) };
    stage.database.rule(Rule::on("BatchGetItem", part).times(4));
    assert_eq!(function.import(off("add"), numbered(250)).await.data()["status"], 1);
    assert_eq!(calls(&stage), (7, 0));
    assert_eq!(written_by(&stage).await, (0, 250));
}

/// One of several concurrent imports.
struct Ran {
    add: bool,
    customers: BTreeSet<usize>,
    from: Instant,
    to: Instant,
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_imports_are_equivalent_to_some_order() {
    const CUSTOMERS: usize = 12;
    const ROUNDS: usize = 6;
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    for skip in [Auto, Always, Never] {
        let stage = Stage::new().await;
        let function = skipping(&stage, skip).await;
        for round in 0..ROUNDS {
            let before = stage.memberships().await;
            stage.database.clear_rules();
            for operation in ["BatchGetItem", "BatchWriteItem"] {
                let pause = Duration::from_millis(random.u64(1..12));
                stage.database.rule(Rule::on(operation, Action::Delay(pause)).times(random.usize(1..6)));
            }
            let drawn: Vec<(_, _, BTreeSet<_>)> = (0..10)
                .map(|_| {
                    let pause = Duration::from_millis(random.u64(0..40));
                    (pause, random.bool(), (0..CUSTOMERS).filter(|_| random.bool()).chain([0]).collect())
                })
                .collect();
            let ran = join_all(drawn.into_iter().map(async |(pause, add, customers)| {
                tokio::time::sleep(pause).await;
                let data =
                    customers.iter().map(|n| json!({"audienceUserId": format!("c{n}"), "groups": "g"}));
                let from = Instant::now();
                let response = function.import(off(if add { "add" } else { "delete" }), data.collect()).await;
                assert_eq!(response.failures(), [""; 0]);
                Ran { add, customers, from, to: Instant::now() }
            }))
            .await;
            let after = stage.memberships().await;
            for customer in 0..CUSTOMERS {
                let membership = (format!("t1#c{customer}"), "g".to_owned());
                let is_there = after.contains(&membership);
                let of_customer: Vec<_> =
                    ran.iter().filter(|ran| ran.customers.contains(&customer)).collect();
                // The import that can have been last: no opposite one started after it ended.
                let could_be_last = |one: &Ran| {
                    one.add == is_there
                        && !of_customer.iter().any(|other| other.add != one.add && other.from > one.to)
                };
                let unchanged = of_customer.is_empty() && before.contains(&membership) == is_there;
                assert!(
                    unchanged || of_customer.iter().any(|one| could_be_last(one)),
                    "seed {seed}, {skip:?}, round {round}: customer {customer} is there: {is_there}"
                );
            }
        }
    }
}
