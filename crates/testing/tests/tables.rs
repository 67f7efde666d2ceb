//! The tables of `template.yaml` are those of the contract.

use serde_json::{Value, json};
use testing::dynamodb::{Response, Store};
use testing::items::{put_all, scan};
use testing::model::request::IDENTIFIERS;
use testing::tables::{self, TableNames};

async fn created() -> (Store, TableNames) {
    let (store, names) = (Store::memory(), TableNames::prefixed("test-"));
    tables::create_all(&store, &names).await.unwrap();
    (store, names)
}

async fn call(store: &Store, operation: &str, table: &str) -> Value {
    let answer = store.call(operation, &json!({"TableName": table})).await;
    answer.and_then(Response::expect_ok).unwrap()
}

/// The key as `HASH name, RANGE name`.
fn key(described: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let elements = described["KeySchema"].as_array().unwrap().iter();
    let elements = elements.map(|key| format!("{} {}", text(&key["KeyType"]), text(&key["AttributeName"])));
    elements.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn every_table_has_the_key_of_the_contract() {
    let (store, names) = created().await;
    for (table, expected) in [
        (&names.tenants, "HASH tokenHash"),
        (&names.customers, "HASH audienceUserId, RANGE tenantId"),
        (&names.memberships, "HASH customerKey, RANGE groupName"),
        (&names.imports, "HASH importKey"),
    ] {
        assert_eq!(key(&call(&store, "DescribeTable", table).await["Table"]), expected, "{table}");
    }
}

#[tokio::test]
async fn customers_are_found_by_each_identifier_within_their_tenant() {
    let (store, names) = created().await;
    let described = call(&store, "DescribeTable", &names.customers).await;
    let indexes = described["Table"]["GlobalSecondaryIndexes"].as_array().unwrap();
    let mut found: Vec<_> = indexes.iter().map(|index| (index["IndexName"].clone(), key(index))).collect();
    found.sort_unstable_by_key(|(name, _)| name.to_string());
    let [_, mut indexed @ ..] = IDENTIFIERS;
    indexed.sort_unstable();
    let expected =
        indexed.map(|name| (format!("{name}-index").into(), format!("HASH {name}, RANGE tenantId")));
    assert_eq!(found, expected);
    for index in indexes {
        assert_eq!(index["Projection"]["ProjectionType"], "KEYS_ONLY", "{index}");
    }
}

#[tokio::test]
async fn only_tenants_and_imports_expire() {
    let (store, names) = created().await;
    for (table, expected) in [
        (&names.tenants, json!("expiresAt")),
        (&names.customers, Value::Null),
        (&names.memberships, Value::Null),
        (&names.imports, json!("expiresAt")),
    ] {
        let described = call(&store, "DescribeTimeToLive", table).await;
        assert_eq!(described["TimeToLiveDescription"]["AttributeName"], expected, "{table}");
    }
}

#[tokio::test]
async fn creating_the_tables_again_keeps_their_items() {
    let (store, names) = created().await;
    let tenant = json!({"tokenHash": "x"});
    put_all(&store, &names.tenants, [tenant.clone()]).await.unwrap();
    tables::create_all(&store, &names).await.unwrap();
    assert_eq!(scan(&store, &names.tenants).await.unwrap(), [tenant]);
}
