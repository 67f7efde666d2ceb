//! Fields that are invalid, and the limits up to which they are valid (contract, section 4).

use serde_json::json;
use testing::function::post_event;
use testing::model::request::{FIELDS, IDENTIFIERS};
use testing::shorthand::{exact, fuzzy, off, pairs};
use testing::stage::{Stage, TOKEN};

use super::failure;

#[tokio::test]
async fn a_field_that_is_not_a_string_is_invalid() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for field in FIELDS {
        for value in [json!(13800000001_u64), json!(["g"])] {
            let mut record = json!({"audienceUserId": "c1", "groups": "g"});
            record[field] = value;
            for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "delete")] {
                let response = function.import(params, json!([record])).await;
                assert_eq!(response.failures(), ["INVALID_FIELD"], "{record}");
                let message = &response.data()["errorData"][0]["errorMsg"];
                assert_eq!(*message, format!("{field}必须是字符串"));
            }
        }
    }
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test]
async fn a_control_character_inside_a_value_is_invalid() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for field in FIELDS {
        let mut record = json!({"audienceUserId": "c1", "groups": "ok"});
        record[field] = "ok, 1\u{7}2".into();
        let response = function.import(exact("add"), json!([record])).await;
        assert_eq!(response.failures(), ["INVALID_FIELD"], "{field}");
        assert_eq!(response.data()["errorData"][0]["errorMsg"], format!("{field}含有控制字符"));
    }
    // White space at the ends of a value or a name is no part of it, and other invisible characters are allowed.
    let record =
        json!({"audienceUserId": "\r\nc\u{80}1\t", "phone": "\t1\n", "groups": "a\u{85}b\t,\u{b}c\r\n"});
    assert_eq!(failure(&function, off("add"), record).await, None);
    assert_eq!(stage.memberships().await, pairs([("t1#c\u{80}1", "a\u{85}b"), ("t1#c\u{80}1", "c")]));
}

#[tokio::test]
async fn a_damaged_name_can_be_deleted_but_not_added() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    stage.put_memberships(&pairs([("t1#c1", "王\u{fffd}"), ("t1#c1", "g")])).await;
    let record = json!({"audienceUserId": "c1", "groups": "王\u{fffd}, g"});
    assert_eq!(failure(&function, off("add"), record.clone()).await.as_deref(), Some("INVALID_FIELD"));
    assert_eq!(failure(&function, off("delete"), record).await, None);
    assert!(stage.memberships().await.is_empty());
    for field in IDENTIFIERS {
        for params in [off("delete"), fuzzy(1, "delete")] {
            let mut record = json!({"audienceUserId": "c1", "groups": "g"});
            record[field] = "1\u{fffd}".into();
            assert_eq!(failure(&function, params, record).await.as_deref(), Some("INVALID_FIELD"), "{field}");
        }
    }
}

#[tokio::test]
async fn a_misnamed_identifier_does_not_mean_another_customer() {
    let stage = Stage::new().await;
    let customers = [("c1", "u1", "1"), ("c2", "u2", "2")];
    let customers = customers
        .map(|(id, unionid, phone)| json!({"audienceUserId": id, "unionid": unionid, "phone": phone}));
    stage.put_customers(customers).await;
    let function = stage.function().await;
    for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
        for misnamed in
            [json!({"unionId": "u1"}), json!({"unionid": "\u{200b}", "union_id": "u1", "unionId": null})]
        {
            let mut record = misnamed;
            record["phone"] = "2".into();
            record["groups"] = "g".into();
            let response = function.import(params.clone(), json!([record])).await;
            assert_eq!(response.failures(), ["INVALID_FIELD"], "{record}");
            let failed = &response.data()["errorData"][0];
            let name = if record["unionId"].is_null() { "union_id" } else { "unionId" };
            assert_eq!(failed["errorMsg"], format!("字段名{name}应为unionid"));
            for (name, value) in record.as_object().expect("an object") {
                assert_eq!(failed[name], *value, "{name}");
            }
        }
    }
    // Without matching the field is not used, and beside the field itself a variant is an unknown field.
    for (params, record) in [
        (off("add"), json!({"audienceUserId": "c1", "unionId": "u2", "groups": "g"})),
        (exact("add"), json!({"unionid": "u1", "unionId": "u2", "groups": "g"})),
    ] {
        assert_eq!(failure(&function, params, record).await, None);
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
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
