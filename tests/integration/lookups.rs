//! Lookups of customers: nothing is read twice or unnecessarily (contract, section 5).

use std::collections::BTreeSet;

use group_import::config::IdentityLookup;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Call, Rule};
use testing::function::Function;
use testing::shorthand::{exact, fuzzy, pairs};
use testing::stage::Stage;

async fn by_query(stage: &Stage) -> Function {
    stage.function_with(|config| config.identity_lookup = IdentityLookup::Query).await
}

/// The values that calls for a first page looked up in the index of `identifier`, in any order.
fn looked_up(stage: &Stage, identifier: &str) -> Vec<String> {
    let index = format!("{identifier}-index");
    let values = |call: &Call| -> Vec<String> {
        let body = &call.body;
        let values = match call.operation.as_str() {
            "ExecuteStatement" if body["NextToken"].is_null() => {
                let of_index = body["Statement"].as_str().is_some_and(|text| text.contains(&index));
                let parameters = body["Parameters"].as_array().expect("parameters").split_last();
                let (tenant, values) = parameters.expect("the tenant at least");
                assert_eq!(tenant["S"], "t1");
                if of_index { values.to_vec() } else { Vec::new() }
            }
            "Query" if body["ExclusiveStartKey"].is_null() && body["IndexName"] == *index => {
                vec![body["ExpressionAttributeValues"][":value"].clone()]
            }
            "BatchGetItem" if identifier == "audienceUserId" => {
                let keys = body["RequestItems"][&stage.names.customers]["Keys"].as_array();
                keys.into_iter().flatten().map(|key| key["audienceUserId"].clone()).collect()
            }
            _ => Vec::new(),
        };
        values.iter().map(|value| value["S"].as_str().expect("a string").to_owned()).collect()
    };
    let mut values: Vec<_> = stage.database.calls().iter().flat_map(values).collect();
    values.sort_unstable();
    values
}

/// `n` records, each with a customer's `field`: `{prefix}0` and so on.
fn records(field: &str, prefix: &str, n: usize) -> Value {
    (0..n).map(|n| json!({field: format!("{prefix}{n}"), "groups": "g"})).collect()
}

#[tokio::test]
async fn a_repeated_value_is_looked_up_once() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u", "openid": "o", "phone": "13800000001"}),
        ])
        .await;
    let data: Value = (0..30)
        .map(|n| {
            let phone = ["13800000001", "+86 13800000001", " 138-0000-0001"][n % 3];
            let blank = " ".repeat(n % 2);
            json!({
                "audienceUserId": format!("{blank}c1"), "unionid": format!("u{blank}"), "openid": "o",
                "phone": phone, "groups": format!("g{n}"),
            })
        })
        .collect();
    for function in [stage.function().await, by_query(&stage).await] {
        stage.database.reset();
        assert_eq!(function.import(exact("add"), data.clone()).await.data()["importSuccessNum"], 30);
        for (identifier, value) in
            [("unionid", "u"), ("openid", "o"), ("phone", "13800000001"), ("audienceUserId", "c1")]
        {
            assert_eq!(looked_up(&stage, identifier), [value]);
        }
    }
}

#[tokio::test]
async fn a_matched_record_reads_no_later_identifiers() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1", "phone": "1"}),
            json!({"audienceUserId": "c2", "openid": "o2", "phone": "2"}),
            json!({"audienceUserId": "d1", "unionid": "ud"}),
            json!({"audienceUserId": "d2", "unionid": "ud"}),
        ])
        .await;
    let all = |n: &str, unionid: &str, openid: &str, phone: &str| json!({"audienceUserId": format!("id{n}"), "unionid": unionid, "openid": openid, "phone": phone, "groups": n});
    let data = json!([
        all("1", "u1", "x1", "y1"),
        all("2", "no2", "o2", "y2"),
        all("3", "no3", "no3", "1"),
        all("4", "no4", "no4", "no4"),
        all("5", "ud", "x5", "y5"),
    ]);
    for function in [stage.function().await, by_query(&stage).await] {
        stage.database.reset();
        let response = function.import(fuzzy(1, "add"), data.clone()).await;
        assert_eq!(response.failures(), ["NOT_MATCHED", "AMBIGUOUS"]);
        assert_eq!(looked_up(&stage, "unionid"), ["no2", "no3", "no4", "u1", "ud"]);
        assert_eq!(looked_up(&stage, "openid"), ["no3", "no4", "o2"]);
        assert_eq!(looked_up(&stage, "phone"), ["1", "no4"]);
        assert_eq!(looked_up(&stage, "audienceUserId"), ["id4"]);

        stage.database.reset();
        function.import(fuzzy(2, "add"), data.clone()).await.data();
        assert_eq!(looked_up(&stage, "phone"), ["1", "no4", "y1", "y2", "y5"]);
        assert_eq!(looked_up(&stage, "unionid"), ["no2", "no4", "u1", "ud"]);
        assert_eq!(looked_up(&stage, "openid"), ["no4", "o2"]);
        assert_eq!(looked_up(&stage, "audienceUserId"), ["id4"]);
    }
}

#[tokio::test]
async fn an_identifier_not_given_is_not_looked_up() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
        stage.database.reset();
        let data =
            json!([{"openid": "o", "unionid": null, "phone": "+86", "audienceUserId": " ", "groups": "g"}]);
        assert_eq!(function.import(params, data).await.failures(), ["NOT_MATCHED"]);
        let operations: Vec<_> = stage.database.calls().into_iter().map(|call| call.operation).collect();
        assert_eq!(operations, ["GetItem", "ExecuteStatement"]);
    }
}

#[tokio::test]
async fn a_record_that_fails_by_itself_is_not_looked_up() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let data = json!([
        {"openid": "a", "groups": ""},
        {"openid": "b", "phone": 1, "groups": "g"},
        {"openid": "c", "groups": "g"},
    ]);
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.failures(), ["MISSING_GROUPS", "INVALID_FIELD", "NOT_MATCHED"]);
    assert_eq!(looked_up(&stage, "openid"), ["c"]);
}

#[tokio::test]
async fn nine_values_share_a_statement_and_a_hundred_keys_a_batch() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for (field, operation, share, values) in [
        ("unionid", "ExecuteStatement", 9_usize, [1, 9, 10, 18, 91]),
        ("audienceUserId", "BatchGetItem", 100, [1, 99, 100, 101, 201]),
    ] {
        for n in values {
            stage.database.reset();
            let response = function.import(exact("add"), records(field, "x", n)).await;
            assert_eq!(response.failures(), vec!["NOT_MATCHED"; n]);
            assert_eq!(stage.database.count(operation), n.div_ceil(share), "{n} values");
            assert_eq!(stage.database.calls().len(), 1 + n.div_ceil(share), "{n} values");
        }
    }
}

#[tokio::test]
async fn nine_full_values_are_read_in_one_call() {
    let stage = Stage::new().await;
    stage
        .put_customers((0..9).map(|n| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")})))
        .await;
    let function = stage.function().await;
    assert_eq!(function.import(fuzzy(1, "add"), records("openid", "o", 9)).await.failures(), [""; 0]);
    assert_eq!(stage.database.count("ExecuteStatement"), 1);
    assert_eq!(stage.memberships().await, pairs((0..9).map(|n| (format!("t1#c{n}"), "g"))));
}

#[tokio::test]
async fn all_pages_are_read() {
    for sharing in [9, 10, 11, 19, 20, 21] {
        let stage = Stage::new().await;
        stage.database.query_page_size(Some(10));
        let customers =
            (0..sharing).map(|n| json!({"audienceUserId": format!("d{n:02}"), "openid": "shared"}));
        stage.put_customers(customers).await;
        stage.put_customers([json!({"audienceUserId": "last", "openid": "zz"})]).await;
        let last = format!("d{:02}", sharing - 1);
        let data = json!([
            {"openid": "shared", "audienceUserId": last, "groups": "g"},
            {"openid": "shared", "groups": "g"},
            {"openid": "zz", "groups": "g"},
        ]);
        for function in [stage.function().await, by_query(&stage).await] {
            stage.database.reset();
            let response = function.import(exact("add"), data.clone()).await;
            assert_eq!(response.failures(), ["AMBIGUOUS"], "{sharing} customers with one openid");
            assert_eq!(
                stage.memberships().await,
                pairs([(format!("t1#{last}"), "g"), ("t1#last".to_owned(), "g")])
            );
        }
        // The last function used Query: one call for `zz`, and pages of ten for the other value.
        assert_eq!(stage.database.count("Query"), 1 + sharing / 10 + 1, "{sharing}");
    }
}

#[tokio::test]
async fn identity_lookup_query_reads_one_value_per_call() {
    let stage = Stage::new().await;
    stage
        .put_customers((0..12).map(|n| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")})))
        .await;
    let function = by_query(&stage).await;
    let response = function.import(fuzzy(1, "add"), records("openid", "o", 15)).await;
    assert_eq!(response.failures(), ["NOT_MATCHED"; 3]);
    assert_eq!((stage.database.count("Query"), stage.database.count("ExecuteStatement")), (15, 0));
}

#[tokio::test]
async fn a_rejected_statement_is_replaced_by_queries() {
    for code in ["ValidationException", "AccessDeniedException"] {
        let stage = Stage::new().await;
        stage
            .put_customers(
                (0..20).map(|n| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")})),
            )
            .await;
        stage.put_customers([json!({"audienceUserId": "twin", "openid": "o3"})]).await;
        let function = stage.function().await;
        stage.database.rule(Rule::on("ExecuteStatement", Action::Error { status: 400, code, message: "no" }));
        let response = function.import(fuzzy(1, "add"), records("openid", "o", 21)).await;
        assert_eq!(response.failures(), ["AMBIGUOUS", "NOT_MATCHED"], "{code}");
        assert_eq!(
            (stage.database.count("ExecuteStatement"), stage.database.count("Query")),
            (3, 21),
            "{code}"
        );
        let expected = (0..20).filter(|n| *n != 3).map(|n| (format!("t1#c{n}"), "g"));
        assert_eq!(stage.memberships().await, pairs(expected), "{code}");
    }
}

#[tokio::test]
async fn a_statement_rejected_midway_is_read_again() {
    let stage = Stage::new().await;
    stage
        .put_customers((0..12).map(|n| json!({"audienceUserId": format!("d{n:02}"), "openid": "shared"})))
        .await;
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
    let function = stage.function().await;
    let rejected = Action::Error { status: 400, code: "ValidationException", message: "no" };
    stage.database.rule(Rule::on("ExecuteStatement", rejected).when(|body| body["NextToken"].is_string()));
    let data = json!([
        {"openid": "o1", "groups": "g"},
        {"openid": "shared", "audienceUserId": "d11", "groups": "g"},
        {"openid": "shared", "groups": "g"},
    ]);
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.failures(), ["AMBIGUOUS"]);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#d11", "g")]));
    assert_eq!(
        looked_up(&stage, "openid").into_iter().collect::<BTreeSet<_>>(),
        ["o1", "shared"].map(String::from).into()
    );
}

#[tokio::test]
async fn denied_reads_fail_only_their_records() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "u1"})]).await;
    let function = stage.function().await;
    let denied = Action::Error { status: 400, code: "AccessDeniedException", message: "no" };
    for operation in ["ExecuteStatement", "Query"] {
        let rule = Rule::on(operation, denied.clone());
        stage.database.rule(rule.when(|body| body.to_string().contains("openid-index")));
    }
    let data = json!([{"openid": "o1", "groups": "g"}, {"unionid": "u1", "groups": "g"}]);
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.failures(), ["STORE_ERROR"]);
    assert_eq!(response.data()["errorData"][0]["retryable"], true);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
}

#[tokio::test]
async fn a_customer_on_two_pages_is_one_match() {
    // An index that changes between two pages may return an item on both.
    const FIRST: &str =
        r#"{"Items": [{"audienceUserId": {"S": "c1"}, "openid": {"S": "o1"}}], "NextToken": "next"}"#;
    const LAST: &str = r#"{"Items": [{"audienceUserId": {"S": "c1"}, "openid": {"S": "o1"}}]}"#;
    let stage = Stage::new().await;
    for page in [FIRST, LAST] {
        stage.database.rule(Rule::on("ExecuteStatement", Action::Respond(page)).times(1));
    }
    let data = json!([{"openid": "o1", "groups": "g"}]);
    assert_eq!(stage.function().await.import(fuzzy(1, "add"), data).await.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
    assert_eq!(stage.database.count("ExecuteStatement"), 2);
}
