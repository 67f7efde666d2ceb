//! The contents of a record, and their meaning (contract, section 4).

mod invalid;

use serde_json::{Value, json};
use testing::function::Function;
use testing::shorthand::{exact, fuzzy, off, pairs};
use testing::stage::{Stage, TENANT};

/// Imports one record; returns its code, or `None` if it succeeded.
async fn failure(function: &Function, params: Value, record: Value) -> Option<String> {
    let response = function.import(params, json!([record])).await;
    response.failures().first().map(|code| (*code).to_owned())
}

#[tokio::test]
async fn surrounding_white_space_and_marks_are_no_part_of_a_value() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c 1", "unionid": "u 1", "openid": "o"})]).await;
    let function = stage.function().await;
    let record = json!({
        "audienceUserId": "\tc 1\u{feff}\r\n", "unionid": "\u{200b}\u{3000}u 1 ", "openid": "\u{a0}o\u{202c}",
        "groups": "\u{feff} g 1 \u{200b},\u{2060}",
    });
    for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
        assert_eq!(failure(&function, params, record.clone()).await, None);
        assert_eq!(stage.memberships().await, pairs([("t1#c 1", "g 1")]));
    }
    assert_eq!(failure(&function, exact("delete"), record).await, None);
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test]
async fn identifiers_are_compared_exactly() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "aBc", "openid": "o\"1'\\"})]).await;
    let function = stage.function().await;
    for (record, expected) in [
        (json!({"unionid": "aBc"}), None),
        (json!({"unionid": "abc"}), Some("NOT_MATCHED")),
        (json!({"unionid": "aBc "}), None),
        (json!({"unionid": "a Bc"}), Some("NOT_MATCHED")),
        (json!({"openid": "o\"1'\\"}), None),
        (json!({"openid": "' OR '1'='1"}), Some("NOT_MATCHED")),
    ] {
        let mut record = record;
        record["groups"] = "g".into();
        assert_eq!(
            failure(&function, fuzzy(1, "add"), record.clone()).await.as_deref(),
            expected,
            "{record}"
        );
    }
}

#[tokio::test]
async fn a_phone_is_compared_in_its_canonical_form() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "phone": "13800000001"})]).await;
    let function = stage.function().await;
    let forms = [
        "13800000001",
        "(+86) 138-0000-0001",
        "\u{202a}＋86\u{2011}138\u{a0}0000\u{2013}0001\u{202c}",
        "１３８００００００01.0",
    ];
    for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
        let data = forms.map(|phone| json!({"phone": phone, "groups": "g"}));
        assert_eq!(function.import(params.clone(), json!(data)).await.failures(), [""; 0]);
        // One country code is removed, not two.
        let failed = failure(&function, params, json!({"phone": "+868613800000001", "groups": "g"})).await;
        assert_eq!(failed.as_deref(), Some("NOT_MATCHED"));
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
}

#[tokio::test]
async fn null_absent_and_blank_mean_not_given() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1"})]).await;
    let function = stage.function().await;
    for nothing in [json!(null), json!("\u{200b}\u{feff} ")] {
        let record = json!({"audienceUserId": "c1", "openid": nothing, "unionid": nothing, "phone": nothing, "groups": "g"});
        for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add"), off("add")] {
            assert_eq!(failure(&function, params, record.clone()).await, None, "{record}");
        }
        let mut nobody = record.clone();
        nobody["audienceUserId"] = nothing.clone();
        for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add"), off("add")] {
            let failed = failure(&function, params, nobody.clone()).await;
            assert_eq!(failed.as_deref(), Some("MISSING_IDENTIFIER"), "{nobody}");
        }
        let no_groups = json!({"audienceUserId": "c1", "groups": nothing});
        assert_eq!(failure(&function, off("add"), no_groups).await.as_deref(), Some("MISSING_GROUPS"));
    }
    let failed = failure(&function, exact("add"), json!({"phone": "+ 8-6", "groups": "g"})).await;
    assert_eq!(failed.as_deref(), Some("MISSING_IDENTIFIER"));
}

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
async fn groups_are_split_trimmed_and_counted_once() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let record = json!({"audienceUserId": "c1", "groups": " vip ,, 新客 ,vip,\u{3000}a b\t,，, VIP,"});
    assert_eq!(failure(&function, off("add"), record).await, None);
    let expected = ["vip", "新客", "a b", "，", "VIP"];
    assert_eq!(stage.memberships().await, pairs(expected.map(|group| ("t1#c1", group))));
    assert_eq!(stage.database.count("BatchWriteItem"), 1);
}

#[tokio::test]
async fn the_first_of_several_codes_is_reported() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u", "openid": "o1"}),
            json!({"audienceUserId": "c2", "unionid": "u", "openid": "o2"}),
            json!({"audienceUserId": "c3", "openid": "o3"}),
        ])
        .await;
    let function = stage.function().await;
    let cases = [
        (off("add"), json!({"groups": 1}), "INVALID_FIELD"),
        (off("add"), json!({"phone": [], "groups": ""}), "INVALID_FIELD"),
        (off("add"), json!({"openid": "o1", "groups": "n".repeat(257)}), "INVALID_FIELD"),
        (off("add"), json!({"audience_user_id": "c1"}), "INVALID_FIELD"),
        (exact("add"), json!({"Groups": "g"}), "INVALID_FIELD"),
        (exact("add"), json!({"openid": "nobody", "unionId": "u", "groups": "g"}), "INVALID_FIELD"),
        (off("add"), json!({}), "MISSING_IDENTIFIER"),
        (off("add"), json!({"openid": "o1", "groups": ","}), "MISSING_IDENTIFIER"),
        (exact("add"), json!({"groups": null}), "MISSING_IDENTIFIER"),
        (fuzzy(1, "add"), json!({"phone": "+86", "groups": ""}), "MISSING_IDENTIFIER"),
        (exact("add"), json!({"openid": "nobody", "groups": " , "}), "MISSING_GROUPS"),
        (fuzzy(1, "add"), json!({"unionid": "u"}), "MISSING_GROUPS"),
        // No customer has the phone, c1 and c3 conflict, and the unionid alone would be ambiguous.
        (
            exact("add"),
            json!({"unionid": "u", "openid": "o1", "audienceUserId": "c3", "phone": "1", "groups": "g"}),
            "NOT_MATCHED",
        ),
        (exact("add"), json!({"unionid": "u", "openid": "o3", "groups": "g"}), "CONFLICT"),
    ];
    for (params, record, code) in cases {
        assert_eq!(failure(&function, params, record.clone()).await.as_deref(), Some(code), "{record}");
    }
}

#[tokio::test]
async fn an_invalid_record_does_not_affect_the_others() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let data = json!([
        {"audienceUserId": 7, "groups": "g"},
        {"audienceUserId": "c1", "groups": "g"},
        {},
        {"audienceUserId": "c2", "groups": ","},
        {"audienceUserId": "c3", "groups": "g"},
    ]);
    let response = function.import(off("add"), data).await;
    assert_eq!(response.failures(), ["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS"]);
    let result = response.data();
    assert_eq!((&result["importSuccessNum"], &result["importFailNum"]), (&json!(2), &json!(3)));
    assert_eq!((&result["status"], &result["message"]), (&json!(2), &json!("部分导入成功")));
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c3", "g")]));
}

#[tokio::test]
async fn without_matching_no_customer_is_looked_up() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "u1"})]).await;
    let function = stage.function().await;
    let data = json!([
        {"audienceUserId": "unknown", "unionid": "u1", "openid": "o", "phone": "1", "groups": "g"},
        {"unionid": "u1", "groups": "g"},
    ]);
    let response = function.import(off("add"), data).await;
    assert_eq!(response.failures(), ["MISSING_IDENTIFIER"]);
    assert_eq!(stage.memberships().await, pairs([(format!("{TENANT}#unknown"), "g")]));
    let operations: Vec<_> = stage.database.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["GetItem", "BatchWriteItem"]);
}

#[tokio::test]
async fn records_that_fail_without_the_database_cause_no_call() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for params in [off("add"), exact("add"), fuzzy(1, "delete")] {
        stage.database.reset();
        let data = json!([{"unionid": "u"}, {"groups": "g"}, {"audienceUserId": 1, "groups": "g"}]);
        let response = function.import(params, data).await;
        assert_eq!((&response.data()["status"], &response.data()["message"]), (&json!(-1), &json!("失败")));
        assert_eq!(response.data()["importFailNum"], 3);
        assert_eq!(stage.database.calls().len(), 1, "the token's");
    }
}
