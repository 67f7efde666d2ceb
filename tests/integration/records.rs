//! The contents of a record (contract, section 4): what the tests of `src/request/`, the properties and the trials do not
//! show of them.

use serde_json::json;
use testing::function::post_event;
use testing::shorthand::{exact, fuzzy, off, pairs};
use testing::stage::{Stage, TOKEN};

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
async fn records_that_need_no_customer_look_up_none() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "u1"})]).await;
    let function = stage.function().await;
    let invalid = json!([{"unionid": "u1"}, {"groups": "g"}, {"audienceUserId": 1, "groups": "g"}]);
    let of_unknown = json!([{"audienceUserId": "unknown", "unionid": "u1", "phone": "1", "groups": "g"}]);
    for (params, data, failures, operations) in [
        (off("add"), &invalid, 3, &["GetItem"][..]),
        (exact("add"), &invalid, 3, &["GetItem"]),
        (fuzzy(1, "delete"), &invalid, 3, &["GetItem"]),
        (off("add"), &of_unknown, 0, &["GetItem", "BatchWriteItem"]),
    ] {
        stage.database.reset();
        assert_eq!(function.import(params, data.clone()).await.failures().len(), failures);
        let calls: Vec<_> = stage.database.calls().into_iter().map(|call| call.operation).collect();
        assert_eq!(calls, operations);
    }
    assert_eq!(stage.memberships().await, pairs([("t1#unknown", "g")]));
}

#[tokio::test]
async fn the_message_distinguishes_the_faults_of_a_field() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let hundred_and_one: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let long = "x".repeat(1025);
    let cases = [
        (r#"{"openid":7}"#.to_owned(), "openid必须是字符串"),
        (r#"{"openid":"\ud800"}"#.to_owned(), "openid含有无法解码的转义字符"),
        (r#"{"groups":"a,\udc00"}"#.to_owned(), "groups含有无法解码的转义字符"),
        (format!(r#"{{"unionid":"{long}"}}"#), "unionid超过1024字节"),
        (format!(r#"{{"groups":"a,{}"}}"#, &long[..257]), "groups中有分组名超过256字节"),
        (format!(r#"{{"groups":"{}"}}"#, hundred_and_one.join(",")), "groups中的分组超过100个"),
        (r#"{"phone":"1\u00002"}"#.to_owned(), "phone含有控制字符"),
        (r#"{"groups":"a,b\ufffd"}"#.to_owned(), "groups含有U+FFFD，可能已损坏"),
        (r#"{"union\u0049d":["x"],"phone":"1"}"#.to_owned(), "字段名unionId应为unionid"),
    ];
    for (record, message) in cases {
        let body = format!(r#"{{"publicParams":{},"data":[{record}]}}"#, exact("add"));
        let reply = function.reply(&post_event(TOKEN, body).to_string()).await;
        let expected = format!(r#""errorCode":"INVALID_FIELD","errorMsg":"{message}","#);
        assert!(reply["body"].as_str().is_some_and(|body| body.contains(&expected)), "{reply}");
    }
}
