//! The tables of `template.yaml` are those of the contract.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, ProjectionType, TableDescription};

use testing::client::client;
use testing::embedded::Embedded;
use testing::tables::{self, TableNames};

async fn created() -> (Embedded, Client, TableNames) {
    let database = dynoxide::Database::memory().unwrap();
    let embedded = Embedded::start(database, 0).await.unwrap();
    let client = client(embedded.endpoint());
    let names = TableNames::prefixed("test-");
    tables::create_all(embedded.endpoint(), &names).await.unwrap();
    (embedded, client, names)
}

async fn described(client: &Client, table: &str) -> TableDescription {
    let answer = client.describe_table().table_name(table).send().await;
    answer.unwrap().table.unwrap()
}

/// The key as `HASH name, RANGE name`.
fn key(schema: &[KeySchemaElement]) -> String {
    let elements = schema.iter().map(|key| format!("{} {}", key.key_type, key.attribute_name));
    elements.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn every_table_has_the_key_of_the_contract() {
    let (_embedded, client, names) = created().await;
    let expected = [
        (&names.tenants, "HASH tokenHash"),
        (&names.customers, "HASH audienceUserId, RANGE tenantId"),
        (&names.memberships, "HASH customerKey, RANGE groupName"),
        (&names.imports, "HASH importKey"),
    ];
    for (table, expected) in expected {
        let description = described(&client, table).await;
        assert_eq!(key(description.key_schema()), expected, "{table}");
    }
}

#[tokio::test]
async fn customers_are_found_by_each_identifier_within_their_tenant() {
    let (_embedded, client, names) = created().await;
    let description = described(&client, &names.customers).await;
    let mut indexes: Vec<_> = description
        .global_secondary_indexes()
        .iter()
        .map(|index| (index.index_name().unwrap(), key(index.key_schema())))
        .collect();
    indexes.sort_unstable();
    let expected = ["openid", "phone", "unionid"]
        .map(|name| (format!("{name}-index"), format!("HASH {name}, RANGE tenantId")));
    let expected = expected.each_ref().map(|(name, key)| (name.as_str(), key.clone()));
    assert_eq!(indexes, expected);
    for index in description.global_secondary_indexes() {
        let projection = index.projection().unwrap().projection_type();
        assert_eq!(projection, Some(&ProjectionType::KeysOnly), "{index:?}");
    }
}

#[tokio::test]
async fn only_tenants_and_imports_expire() {
    let (_embedded, client, names) = created().await;
    let expected = [
        (&names.tenants, Some("expiresAt")),
        (&names.customers, None),
        (&names.memberships, None),
        (&names.imports, Some("expiresAt")),
    ];
    for (table, expected) in expected {
        let answer = client.describe_time_to_live().table_name(table).send().await;
        let description = answer.unwrap().time_to_live_description.unwrap();
        assert_eq!(description.attribute_name(), expected, "{table}");
    }
}

#[tokio::test]
async fn creating_the_tables_again_keeps_their_items() {
    let (embedded, client, names) = created().await;
    let keys = [
        (&names.tenants, vec!["tokenHash"]),
        (&names.customers, vec!["audienceUserId", "tenantId"]),
        (&names.memberships, vec!["customerKey", "groupName"]),
        (&names.imports, vec!["importKey"]),
    ];
    let value = || AttributeValue::S("x".to_owned());
    for (table, key) in &keys {
        let item = key.iter().map(|name| (name.to_string(), value())).collect();
        client.put_item().table_name(*table).set_item(Some(item)).send().await.unwrap();
    }
    tables::create_all(embedded.endpoint(), &names).await.unwrap();
    for (table, key) in keys {
        let items = client.scan().table_name(table).send().await.unwrap().items.unwrap();
        let expected = key.iter().map(|name| (name.to_string(), value())).collect();
        assert_eq!(items, [expected], "{table}");
    }
}
