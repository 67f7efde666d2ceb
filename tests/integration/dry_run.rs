//! `dryRun` and `explain` (contract, section 9).

use serde_json::{Value, json};

use testing::function::{Response, post_event};
use testing::stage::{Stage, TOKEN};

async fn stage() -> Stage {
    let stage = Stage::new().await;
    let customers = [
        json!({"audienceUserId": "c1", "openid": "o1", "unionid": "u1", "phone": "13800000001"}),
        json!({"audienceUserId": "c2", "openid": "o2", "phone": "13800000009"}),
        json!({"audienceUserId": "c3", "phone": "13800000009"}),
    ];
    stage.put_customers(customers).await;
    stage
}

fn data() -> Value {
    json!([
        {"unionid": "u1", "openid": "o1", "groups": "vip"},
        {"openid": "o2", "groups": "vip"},
        {"phone": "13800000009", "groups": "vip"},
        {"audienceUserId": "c3", "groups": "vip,new"},
        {"unionid": "nobody", "audienceUserId": "c3", "groups": "vip"},
        {"unionid": "nobody", "groups": "vip"},
        {"openid": "o1"},
    ])
}

/// Every mode, with its `matches` for [`data`] and the number of imported records.
fn modes() -> [(Value, Value, usize); 4] {
    let entry = |index: usize, customer: &str, by: &str| json!({"index": index, "audienceUserId": customer, "matchedBy": by});
    [
        (
            json!({"isMatching": false}),
            json!([entry(3, "c3", "audienceUserId"), entry(4, "c3", "audienceUserId")]),
            2,
        ),
        (
            json!({"isMatching": true, "matchingType": 1}),
            json!([entry(0, "c1", "exact"), entry(1, "c2", "exact"), entry(3, "c3", "exact")]),
            3,
        ),
        (
            json!({"isMatching": true, "matchingType": 2, "identifyWay": 1}),
            json!([
                entry(0, "c1", "unionid"),
                entry(1, "c2", "openid"),
                entry(3, "c3", "audienceUserId"),
                entry(4, "c3", "audienceUserId"),
            ]),
            4,
        ),
        (
            json!({"isMatching": true, "matchingType": 2, "identifyWay": 2}),
            json!([
                entry(0, "c1", "unionid"),
                entry(1, "c2", "openid"),
                entry(3, "c3", "audienceUserId"),
                entry(4, "c3", "audienceUserId"),
            ]),
            4,
        ),
    ]
}

fn with(mut params: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        params[*name] = value.clone();
    }
    params
}

#[tokio::test]
async fn a_dry_run_returns_the_result_without_writing() {
    for (params, _, imported) in modes() {
        for opt_type in ["add", "delete"] {
            let stage = stage().await;
            let function = stage.function().await;
            let dry = with(params.clone(), &[("optType", opt_type.into()), ("dryRun", true.into())]);
            let dry = function.import(dry, data()).await;
            assert_eq!(dry.data()["importSuccessNum"], imported);
            let writes = ["BatchWriteItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];
            for operation in writes {
                assert_eq!(stage.database.count(operation), 0, "{operation}");
            }
            let real = with(params.clone(), &[("optType", opt_type.into()), ("dryRun", false.into())]);
            assert_eq!(dry.data()["dryRun"], true);
            assert_eq!(function.import(real, data()).await.body, dry.body.replace(r#","dryRun":true"#, ""));
            assert_eq!(stage.database.count("BatchWriteItem"), 1);
        }
    }
}

#[tokio::test]
async fn a_dry_run_ignores_its_idempotency_key() {
    let stage = stage().await;
    let function = stage.function().await;
    let body = |dry_run: bool| {
        let params = json!({"isMatching": true, "matchingType": 1, "optType": "add", "dryRun": dry_run});
        json!({"publicParams": params, "data": data()}).to_string()
    };
    let post = async |body: String| -> Response {
        let mut event = post_event(TOKEN, body);
        event["headers"]["idempotency-key"] = "k1".into();
        function.invoke(event).await
    };
    post(body(true)).await.data();
    assert_eq!(stage.database.count("PutItem"), 0);
    assert_eq!(post(body(false)).await.data()["importSuccessNum"], 3);
    assert_eq!(stage.memberships().await.len(), 4);
}

#[tokio::test]
async fn explain_returns_customer_and_identifier() {
    let stage = stage().await;
    let function = stage.function().await;
    for (params, matches, _) in modes() {
        for dry_run in [true, false] {
            let params = with(
                params.clone(),
                &[("optType", "add".into()), ("dryRun", dry_run.into()), ("explain", true.into())],
            );
            let response = function.import(params, data()).await;
            assert_eq!(response.data()["matches"], matches);
        }
        for explain in [None, Some(false)] {
            let mut params = with(params.clone(), &[("optType", "add".into())]);
            if let Some(explain) = explain {
                params["explain"] = explain.into();
            }
            let response = function.import(params, data()).await;
            assert_eq!(response.data().get("matches"), None);
        }
    }
}

#[tokio::test]
async fn an_explanation_of_5000_records_fits_the_response() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let records = |id_bytes: usize| {
        let record = |n: usize| json!({"audienceUserId": format!("{n:0>id_bytes$}"), "groups": "vip"});
        Value::Array((0..5_000).map(record).collect())
    };
    let params = json!({"isMatching": false, "optType": "add", "dryRun": true, "explain": true});
    let response = function.import(params.clone(), records(64)).await;
    assert_eq!(response.data()["matches"].as_array().map(Vec::len), Some(5_000));
    let as_lambda_sends_it = serde_json::to_string(&response.body).expect("a string").len();
    assert!(as_lambda_sends_it < 6_291_456, "{as_lambda_sends_it}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_explanation_is_rejected_before_writing() {
    let stage = Stage::new().await;
    // The lookup finds IDs far longer than the values sent.
    let customer =
        |n: usize| json!({"audienceUserId": format!("{n}{}", "\"".repeat(1_020)), "openid": format!("o{n}")});
    stage.put_customers((0..100).map(customer)).await;
    let function = stage.function().await;
    let data: Vec<_> =
        (0..5_000).map(|n| json!({"openid": format!("o{}", n % 100), "groups": "vip"})).collect();
    let params =
        |explain: bool| json!({"isMatching": true, "matchingType": 1, "optType": "add", "explain": explain});
    let body = |explain| json!({"publicParams": params(explain), "data": data}).to_string();

    let mut event = post_event(TOKEN, body(true));
    event["headers"]["idempotency-key"] = "k1".into();
    for _ in 0..2 {
        let response = function.invoke(event.clone()).await;
        assert_eq!(
            (response.status, response.code()),
            (413, "PAYLOAD_TOO_LARGE"),
            "the rejection is not stored"
        );
    }
    let without_key = function.post(TOKEN, body(true)).await;
    assert_eq!(without_key.status, 413);
    assert!(without_key.msg().contains("6291456字节（6 MB）"), "{}", without_key.msg());
    assert!(stage.memberships().await.is_empty());
    assert_eq!(function.post(TOKEN, body(false)).await.data()["importSuccessNum"], 5_000);
}
