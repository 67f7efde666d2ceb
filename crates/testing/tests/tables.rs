//! The tables of `template.yaml` are those of the contract.

use std::collections::BTreeMap;

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
    let response = store.call(operation, &json!({"TableName": table})).await;
    response.and_then(Response::expect_ok).unwrap()
}

#[tokio::test]
async fn tables_have_the_keys_of_the_contract_and_tokens_and_keys_expire() {
    let (store, names) = created().await;
    for (table, hash, range, expires) in [
        (&names.tenants, "tokenHash", None, Some("expiresAt")),
        (&names.customers, "audienceUserId", Some("tenantId"), None),
        (&names.memberships, "customerKey", Some("groupName"), None),
        (&names.imports, "importKey", None, Some("expiresAt")),
    ] {
        let described = call(&store, "DescribeTable", table).await;
        assert_eq!(described["Table"]["KeySchema"], key(hash, range), "{table}");
        let described = call(&store, "DescribeTimeToLive", table).await;
        assert_eq!(described["TimeToLiveDescription"]["AttributeName"], json!(expires), "{table}");
    }
}

fn key(hash: &str, range: Option<&str>) -> Value {
    let range = range.map(|name| json!({"AttributeName": name, "KeyType": "RANGE"}));
    [json!({"AttributeName": hash, "KeyType": "HASH"})].into_iter().chain(range).collect()
}

#[tokio::test]
async fn customers_are_found_by_each_identifier_within_their_tenant() {
    let (store, names) = created().await;
    let described = call(&store, "DescribeTable", &names.customers).await;
    let indexes = described["Table"]["GlobalSecondaryIndexes"].as_array().unwrap().iter();
    let indexes: BTreeMap<_, _> = indexes
        .map(|index| {
            (index["IndexName"].as_str().unwrap().to_owned(), [&index["KeySchema"], &index["Projection"]])
        })
        .collect();
    let [_, indexed @ ..] = IDENTIFIERS;
    let expected = indexed.map(|name| (key(name, Some("tenantId")), json!({"ProjectionType": "KEYS_ONLY"})));
    let expected = indexed
        .iter()
        .zip(&expected)
        .map(|(name, (key, projection))| (format!("{name}-index"), [key, projection]));
    assert_eq!(indexes, expected.collect());
}

#[tokio::test]
async fn creating_the_tables_again_keeps_their_items() {
    let (store, names) = created().await;
    let tenant = json!({"tokenHash": "x"});
    put_all(&store, &names.tenants, [tenant.clone()]).await.unwrap();
    tables::create_all(&store, &names).await.unwrap();
    assert_eq!(scan(&store, &names.tenants).await.unwrap(), [tenant]);
}
