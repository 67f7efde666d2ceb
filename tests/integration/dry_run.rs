//! `dryRun` and `explain` (contract, section 9). What they return, and that a dry run writes nothing, is seen by the trials.

use serde_json::{Value, json};

use testing::function::{import_event, with_key};
use testing::shorthand::{customers, exact, off, records};
use testing::stage::Stage;

fn with(mut params: Value, member: &str, value: bool) -> Value {
    params[member] = value.into();
    params
}

#[tokio::test]
async fn a_dry_run_ignores_its_idempotency_key() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let event = |dry_run| {
        let params = with(off("add"), "dryRun", dry_run);
        with_key(import_event(params, records("audienceUserId", "c", 3)), "k1")
    };
    function.invoke(event(true)).await.data();
    assert_eq!(stage.database.count("PutItem"), 0);
    function.invoke(event(false)).await.data();
    assert_eq!(stage.memberships().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_explanation_is_rejected_before_writing() {
    let stage = Stage::new().await;
    // The lookup finds IDs far longer than the values sent.
    let quotes = "\"".repeat(1_020);
    stage
        .put_customers(customers(100).map(|mut customer| {
            customer["audienceUserId"] = format!("{}{quotes}", customer["openid"]).into();
            customer
        }))
        .await;
    let function = stage.function().await;
    let record = |n| json!({"openid": format!("o{}", n % 100), "groups": "vip"});
    let data: Value = (0..5_000).map(record).collect();
    let event = |explain| import_event(with(exact("add"), "explain", explain), data.clone());
    for _ in 0..2 {
        let rejected = function.invoke(with_key(event(true), "k1")).await;
        assert_eq!(rejected.code(), "PAYLOAD_TOO_LARGE", "the rejection is not stored");
    }
    let rejected = function.invoke(event(true)).await;
    assert!(rejected.msg().contains("6291456字节（6 MB）"), "{}", rejected.msg());
    assert!(stage.memberships().await.is_empty());
    assert_eq!(function.invoke(event(false)).await.data()["importSuccessNum"], 5_000);
}
