//! Outcomes that are stored for an `Idempotency-Key`: their size, and those that cannot be read any more.

use serde_json::{Map, Value, json};
use testing::dynamodb::{Action, Response, Rule};
use testing::shorthand::numbered;
use testing::stage::{Stage, TENANT, TOKEN};

use super::{mixed, operations, post, stage};

fn explained(data: Value) -> Value {
    json!({"publicParams": {"isMatching": true, "matchingType": 1, "optType": "add", "explain": true}, "data": data})
}

/// A stage with customers whose IDs have this many bytes, and records of an import that finds them by their openids.
async fn customers_with_long_ids(customers: usize, id_bytes: usize) -> (Stage, Value) {
    let stage = Stage::new().await;
    let customer =
        |n: usize| json!({"audienceUserId": format!("{n:0>id_bytes$}"), "openid": format!("o{n}")});
    stage.put_customers((0..customers).map(customer)).await;
    let records = (0..5_000).map(|n| json!({"openid": format!("o{}", n % customers), "groups": "vip"}));
    (stage, records.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_matches_are_stored_and_replayed() {
    let (stage, data) = customers_with_long_ids(1_000, 64).await;
    let function = stage.function().await;
    // Records that fail in between, so that no two indexes form a range.
    let record = |n: usize| if n % 3 == 2 { json!({"openid": n}) } else { data[n].clone() };
    let body = explained((0..5_000).map(record).collect());
    let first = post(&function, "k1", &body).await;
    assert_eq!(first.data()["matches"].as_array().map(Vec::len), Some(3_334));
    stage.database.reset();
    let again = post(&function, "k1", &body).await;
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
    assert_eq!(
        (again.body, operations(&stage)),
        (first.body, vec!["GetItem".to_owned(), "PutItem".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_stored_is_413_before_writing() {
    for (id_bytes, status) in [(64, 200), (68, 200), (80, 413)] {
        let (stage, data) = customers_with_long_ids(100, id_bytes).await;
        let function = stage.function().await;
        let body = explained(data);
        let response = post(&function, "k1", &body).await;
        assert_eq!(response.status, status, "IDs of {id_bytes} bytes");
        if status == 200 {
            assert_eq!(post(&function, "k1", &body).await.headers["Idempotent-Replayed"], "true");
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

/// Changes the stored item of the only key.
async fn rewrite(stage: &Stage, change: impl FnOnce(&mut Map<String, Value>)) {
    let (store, table) = (stage.database.store(), &stage.names.imports);
    let mut stored = store.call("Scan", &json!({"TableName": table})).await.expect("it is read").body;
    let item = &mut stored["Items"][0];
    change(item.as_object_mut().expect("the key of the test"));
    let put = store.call("PutItem", &json!({"TableName": table, "Item": item})).await;
    put.and_then(Response::expect_ok).expect("it is written");
}

#[tokio::test]
async fn an_outcome_that_no_longer_fits_counts_as_none() {
    let codes = |code: &str, ranges: &str| json!({"M": {code: {"S": ranges}}});
    let unfit = [
        ("a code of a later version", vec![("failures", Some(codes("LATER", "1")))]),
        ("a record that is valid by now", vec![("failures", Some(codes("INVALID_FIELD", "0")))]),
        ("a record that was not sent", vec![("failures", Some(codes("TIMEOUT", "8")))]),
        (
            "matches in the form of an earlier version",
            vec![("customers", None), ("matchedBy", None), ("matches", Some(json!({"S": "[]"})))],
        ),
        ("failures in the form of a later version", vec![("failures", Some(json!({"S": "TIMEOUT:1"})))]),
        (
            "a range in the form of a later version",
            vec![("failures", Some(json!({"M": {"TIMEOUT": {"N": "1"}}})))],
        ),
        ("customers in the form of a later version", vec![("customers", Some(json!({"S": "c1"})))]),
    ];
    for (what, changes) in unfit {
        let stage = stage().await;
        let function = stage.function().await;
        let first = post(&function, "k1", &mixed()).await;
        rewrite(&stage, |item| {
            for (name, value) in changes {
                match value {
                    Some(value) => item.insert(name.to_owned(), value),
                    None => item.remove(name),
                };
            }
        })
        .await;
        let again = post(&function, "k1", &mixed()).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{what}");
        assert_eq!(again.headers.get("Idempotent-Replayed"), None, "{what}");
        // The new outcome is stored; another body still is not accepted.
        assert_eq!(post(&function, "k1", &mixed()).await.headers["Idempotent-Replayed"], "true", "{what}");
        let other = json!({"publicParams": {"isMatching": false, "optType": "add"}, "data": numbered(1)});
        assert_eq!(post(&function, "k1", &other).await.status, 422, "{what}");
        assert!(stage.memberships().await.iter().all(|(key, _)| key.starts_with(TENANT)));
    }
}

#[tokio::test]
async fn a_success_under_earlier_rules_is_replayed() {
    let stage = stage().await;
    let function = stage.function().await;
    // Stored as if control characters had been valid when the import ran.
    let body = explained(json!([{"openid": "o\u{1}", "groups": "vip"}, {"openid": "o1", "groups": "vip"}]));
    post(&function, "k1", &body).await.data();
    rewrite(&stage, |item| {
        item.insert("failures".to_owned(), json!({"M": {"NOT_MATCHED": {"S": "0"}}}));
    })
    .await;
    let again = post(&function, "k1", &body).await;
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
    assert_eq!(again.failures(), ["NOT_MATCHED"]);
}

#[tokio::test]
async fn an_outcome_that_a_failed_condition_does_not_return_is_read() {
    let stage = stage().await;
    let function = stage.function().await;
    let first = post(&function, "k1", &mixed()).await;
    let (code, message) = ("ConditionalCheckFailedException", "as of some implementations of DynamoDB");
    stage.database.rule(Rule::on("PutItem", Action::Error { status: 400, code, message }));
    let again = post(&function, "k1", &mixed()).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
}
