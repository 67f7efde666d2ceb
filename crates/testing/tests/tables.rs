//! The tables of `template.yaml` are those of the contract.

use serde_json::{Value, json};
use testing::model::request::IDENTIFIERS;
use testing::tables::TEMPLATE;

fn properties(resource: &str) -> &'static Value {
    &TEMPLATE["Resources"][resource]["Properties"]
}

fn key(hash: &str, range: Option<&str>) -> Value {
    let range = range.map(|name| json!({"AttributeName": name, "KeyType": "RANGE"}));
    [json!({"AttributeName": hash, "KeyType": "HASH"})].into_iter().chain(range).collect()
}

#[test]
fn tables_have_the_keys_of_the_contract_and_tokens_and_keys_expire() {
    let never = Value::Null;
    let expires = json!({"AttributeName": "expiresAt", "Enabled": true});
    for (resource, key, expires) in [
        ("TenantsTable", key("tokenHash", None), &expires),
        ("CustomersTable", key("audienceUserId", Some("tenantId")), &never),
        ("MembershipsTable", key("customerKey", Some("groupName")), &never),
        ("ImportsTable", key("importKey", None), &expires),
    ] {
        let table = properties(resource);
        assert_eq!((&table["KeySchema"], &table["TimeToLiveSpecification"]), (&key, expires), "{resource}");
    }
}

#[test]
fn customers_are_found_by_each_identifier_within_their_tenant() {
    let indexes = properties("CustomersTable")["GlobalSecondaryIndexes"].as_array().expect("indexes");
    let [_, indexed @ ..] = IDENTIFIERS;
    assert_eq!(indexes.len(), indexed.len());
    for name in indexed {
        let index = indexes.iter().find(|index| index["IndexName"] == format!("{name}-index"));
        let index = index.expect("an index of the identifier");
        assert_eq!(index["KeySchema"], key(name, Some("tenantId")));
        assert_eq!(index["Projection"], json!({"ProjectionType": "KEYS_ONLY"}));
    }
}
