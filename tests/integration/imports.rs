//! Imports from event to items: the items written and the response returned.

use std::time::SystemTime;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat as Format};
use serde_json::json;

use testing::function::REQUEST_ID;
use testing::shorthand::{fuzzy, pairs};
use testing::stage::{Stage, TENANT};

#[tokio::test]
async fn a_fuzzy_add_writes_one_item_for_each_customer_and_group() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1", "phone": "13800000001"}),
            json!({"audienceUserId": "c2", "openid": "o2"}),
        ])
        .await;
    let function = stage.function().await;
    let data = json!([
        {"unionid": "u1", "groups": "vip, new"},
        {"unionid": "nobody", "openid": "o2", "groups": "vip"},
        {"phone": "+86 138-0000-0001", "groups": "vip"},
    ]);
    let response = function.import(fuzzy(1, "add"), data).await;
    assert_eq!((&response.data()["status"], &response.data()["importSuccessNum"]), (&json!(1), &json!(3)));
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "vip"), ("t1#c1", "new"), ("t1#c2", "vip")]));
    for item in stage.membership_items().await {
        assert_eq!((&item["tenantId"], &item["importId"]), (&json!(TENANT), &json!(REQUEST_ID)));
        let updated_at = item["updatedAt"].as_str().expect("a time");
        let written = DateTime::from_str(updated_at, Format::DateTime).expect("a time of RFC 3339");
        let now = DateTime::from(SystemTime::now()).secs();
        assert!((now - 60..=now).contains(&written.secs()), "{updated_at}");
        let has_three_decimals =
            updated_at.len() == "2026-11-23T08:00:00.000Z".len() && updated_at.ends_with('Z');
        assert!(has_three_decimals, "{updated_at}");
        assert_eq!(format!("t1#{}", item["audienceUserId"].as_str().expect("an ID")), item["customerKey"]);
    }
}
