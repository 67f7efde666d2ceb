//! Outcomes that are stored for an `Idempotency-Key`: their size, and those that cannot be read any more.

use serde_json::{Value, json};
use testing::dynamodb::{Action, Response, Rule};
use testing::stage::{Stage, TOKEN};

use super::{is_replay, mixed, post, stage};

fn explained(data: Value) -> Value {
    json!({"publicParams": {"isMatching": true, "matchingType": 1, "optType": "add", "explain": true}, "data": data})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_stored_is_413_before_writing() {
    for (id_bytes, status) in [(64, 200), (68, 200), (80, 413)] {
        let stage = Stage::new().await;
        let customer =
            |n: usize| json!({"audienceUserId": format!("{n:0>id_bytes$}"), "openid": format!("o{n}")});
        stage.put_customers((0..100).map(customer)).await;
        let function = stage.function().await;
        let record = |n| json!({"openid": format!("o{}", n % 100), "groups": "vip"});
        let body = explained((0..5_000).map(record).collect());
        let response = post(&function, "k1", &body).await;
        assert_eq!(response.status, status, "IDs of {id_bytes} bytes");
        if status == 200 {
            assert!(is_replay(&post(&function, "k1", &body).await));
            continue;
        }
        assert_eq!(response.code(), "PAYLOAD_TOO_LARGE");
        assert!(response.msg().contains("400000"), "{}", response.msg());
        assert!(stage.memberships().await.is_empty());
        // The rejection is not stored, and without a key the import runs.
        assert_eq!(post(&function, "k1", &body).await.status, 413);
        let without_key = function.post(TOKEN, body.to_string()).await;
        assert_eq!(without_key.data()["importSuccessNum"], 5_000);
    }
}

/// Changes an attribute of the only key.
async fn rewrite(stage: &Stage, attribute: &str, value: Value) {
    let (store, table) = (stage.database.store(), &stage.names.imports);
    let mut stored = store.call("Scan", &json!({"TableName": table})).await.expect("it is read").body;
    let item = &mut stored["Items"][0];
    item[attribute] = value;
    let put = store.call("PutItem", &json!({"TableName": table, "Item": item})).await;
    put.and_then(Response::expect_ok).expect("it is written");
}

#[tokio::test]
async fn an_outcome_that_no_longer_fits_counts_as_none() {
    for (what, name, value) in [
        ("a code of a later version", "failures", json!({"M": {"LATER": {"S": "1"}}})),
        ("failures in the form of a later version", "failures", json!({"S": "TIMEOUT:1"})),
        ("a range in the form of a later version", "failures", json!({"M": {"TIMEOUT": {"N": "1"}}})),
        ("customers in the form of a later version", "customers", json!({"S": "c1"})),
    ] {
        let stage = stage().await;
        let function = stage.function().await;
        let first = post(&function, "k1", &mixed()).await;
        rewrite(&stage, name, value).await;
        let again = post(&function, "k1", &mixed()).await;
        assert_eq!((is_replay(&again), &again.body), (false, &first.body), "{what}");
        // The new outcome is stored; another body still is not accepted.
        assert!(is_replay(&post(&function, "k1", &mixed()).await), "{what}");
        assert_eq!(post(&function, "k1", &explained(json!([{}]))).await.status, 422, "{what}");
    }
}

#[tokio::test]
async fn an_outcome_that_a_failed_condition_does_not_return_is_read() {
    let stage = stage().await;
    let function = stage.function().await;
    let first = post(&function, "k1", &mixed()).await;
    let (code, message) = ("ConditionalCheckFailedException", "as of some implementations of DynamoDB");
    stage.database.rule(Rule::on("PutItem", Action::Error { status: 400, code, message }));
    let again = post(&function, "k1", &mixed()).await;
    assert_eq!((is_replay(&again), &again.body), (true, &first.body));
    let other = r#"{"Item":{"importKey":{"S":"t1#k2"},"bodyHash":{"S":""},"run":{"S":""}}}"#;
    let of_key = |body: &Value| body["Key"].get("importKey").is_some();
    stage.database.rule(Rule::on("GetItem", Action::Respond(other)).when(of_key).times(1));
    assert_eq!(post(&function, "k1", &mixed()).await.code(), "SERVICE_UNAVAILABLE");
    // As if another run of a later version took the key over each time.
    rewrite(&stage, "failures", json!({"S": "TIMEOUT:1"})).await;
    assert_eq!(post(&function, "k1", &mixed()).await.code(), "IN_PROGRESS");
}
