//! The contents of a record and of the item that it becomes (contract, sections 4 and 10): what the tests of `src/`, the
//! properties and the trials do not show of them.

use std::time::SystemTime;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use serde_json::json;
use testing::shorthand::{exact, numbered, off, pairs};
use testing::stage::Stage;

#[tokio::test]
async fn the_longest_key_is_written_and_found() {
    let stage = Stage::new().await;
    let (tenant, customer, group) = ("T".repeat(64), "客".repeat(341) + "x", "组".repeat(85) + "x");
    stage.put_tenant("long", json!({"tenantId": tenant})).await;
    stage.put_customers([json!({"audienceUserId": customer, "tenantId": tenant, "unionid": customer})]).await;
    let function = stage.function().await;
    let data = json!([{"audienceUserId": customer, "unionid": customer, "groups": group}]);
    for params in [off("add"), exact("add")] {
        assert_eq!(function.import_as("long", params, data.clone()).await.data()["status"], 1);
        assert_eq!(stage.memberships().await, pairs([(format!("{tenant}#{customer}"), &group)]));
    }
}

#[tokio::test]
async fn an_item_says_when_it_was_written() {
    let stage = Stage::new().await;
    stage.function().await.import(off("add"), numbered(1)).await.data();
    let time = &stage.membership_items().await[0]["updatedAt"];
    let written = DateTime::from_str(time.as_str().expect("a time"), DateTimeFormat::DateTime);
    let (written, now) =
        (written.expect("a time of RFC 3339").secs(), DateTime::from(SystemTime::now()).secs());
    assert!((now - 60..=now).contains(&written), "{time}");
}
