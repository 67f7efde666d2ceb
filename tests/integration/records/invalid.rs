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
        for value in
            [json!(1), json!(13800000001_u64), json!(true), json!(false), json!([]), json!(["g"]), json!({})]
        {
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
    for char in ('\0'..='\u{1f}').chain(['\u{7f}']) {
        let data = FIELDS.map(|field| {
            let mut record = json!({"audienceUserId": "c1", "groups": "ok"});
            record[field] = format!("ok, 1{char}2").into();
            record
        });
        for params in [off("add"), exact("add"), fuzzy(2, "delete")] {
            let response = function.import(params, json!(data)).await;
            assert_eq!(response.failures(), ["INVALID_FIELD"; FIELDS.len()], "{char:?}");
            for (field, failed) in FIELDS.iter().zip(response.data()["errorData"].as_array().expect("failed"))
            {
                assert_eq!(failed["errorMsg"], format!("{field}含有控制字符"), "{char:?}");
            }
        }
    }
    assert!(stage.memberships().await.is_empty());
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

#[tokio::test]
async fn an_identifier_may_have_1024_bytes() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    // 3 bytes a character: 1,023 and one more are the limit.
    let longest = "客".repeat(341) + "x";
    for field in IDENTIFIERS {
        for (value, code) in [
            (longest.clone(), "NOT_MATCHED"),
            (format!("  {longest}\u{3000}"), "NOT_MATCHED"),
            (longest.clone() + "x", "INVALID_FIELD"),
            ("客".repeat(342), "INVALID_FIELD"),
        ] {
            for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
                let record = json!({field: value, "groups": "g"});
                assert_eq!(failure(&function, params, record).await.as_deref(), Some(code), "{field}");
            }
        }
    }
    let record = json!({"audienceUserId": longest, "groups": "g"});
    assert_eq!(failure(&function, off("add"), record).await, None);
    assert_eq!(stage.memberships().await, pairs([(format!("t1#{longest}"), "g")]));
}

#[tokio::test]
async fn groups_are_valid_up_to_their_limits() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let hundred: Vec<_> = (0..100).map(|n| format!("g{n}")).collect();
    let hundred = hundred.join(",");
    let cases = [
        ("组".repeat(85) + "x", None),
        (format!(" {}\t", "n".repeat(256)), None),
        ("n".repeat(257), Some("INVALID_FIELD")),
        (format!("ok,{}", "组".repeat(86)), Some("INVALID_FIELD")),
        (hundred.clone(), None),
        (format!("{hundred},g0, g99 ,,"), None),
        (format!("{hundred},g100"), Some("INVALID_FIELD")),
    ];
    for (groups, expected) in cases {
        let record = json!({"audienceUserId": "c1", "groups": groups});
        assert_eq!(failure(&function, off("add"), record).await.as_deref(), expected, "{groups}");
    }
    assert_eq!(stage.memberships().await.len(), 102);
}
