//! The item of a membership says who wrote it, and when.

use std::time::SystemTime;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use serde_json::json;

use testing::function::REQUEST_ID;
use testing::shorthand::{numbered, off};
use testing::stage::{Stage, TENANT};

#[tokio::test]
async fn an_item_has_the_import_and_its_time() {
    let stage = Stage::new().await;
    stage.function().await.import(off("add"), numbered(1)).await.data();
    let [item] = &stage.membership_items().await[..] else { panic!("one membership") };
    let time = item["updatedAt"].as_str().expect("a time");
    let expected = json!({
        "customerKey": "t1#c0", "groupName": "g", "tenantId": TENANT, "audienceUserId": "c0",
        "importId": REQUEST_ID, "updatedAt": time,
    });
    assert_eq!(*item, expected);
    let written = DateTime::from_str(time, DateTimeFormat::DateTime).expect("a time of RFC 3339");
    let now = DateTime::from(SystemTime::now()).secs();
    assert!((now - 60..=now).contains(&written.secs()), "{time}");
}
