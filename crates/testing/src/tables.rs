//! Creates the four tables in an emulated DynamoDB, from the definitions that `template.yaml` deploys.
//!
//! One definition serves the deployment, the local run and the tests, so that none of them can drift. Only what an
//! emulator supports is used: keys, indexes, billing mode and time to live; not backups or encryption.

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::dynamodb::Store;

/// The template, included at compile time: a change to it takes effect without another step.
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The properties of a table, and of an index, that an emulator is given. CloudFormation has the names of DynamoDB.
const OF_A_TABLE: [&str; 4] = ["BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"];
const OF_AN_INDEX: [&str; 3] = ["IndexName", "KeySchema", "Projection"];

/// The names of the tables in the database. The template specifies none.
#[derive(Debug, Clone)]
pub struct TableNames {
    pub tenants: String,
    pub customers: String,
    pub memberships: String,
    pub imports: String,
}

impl TableNames {
    /// `{prefix}tenants`, `{prefix}customers` and so on. Tests that share a database use different prefixes.
    pub fn prefixed(prefix: &str) -> Self {
        let [tenants, customers, memberships, imports] =
            ["tenants", "customers", "memberships", "imports"].map(|name| format!("{prefix}{name}"));
        Self { tenants, customers, memberships, imports }
    }

    /// Each resource of the template with the name of its table here.
    fn by_resource(&self) -> [(&'static str, &str); 4] {
        [
            ("TenantsTable", &self.tenants),
            ("CustomersTable", &self.customers),
            ("MembershipsTable", &self.memberships),
            ("ImportsTable", &self.imports),
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(default)]
    properties: Value,
}

/// Creates every missing table. An existing table is left unchanged, even with other keys.
///
/// For emulators only: their tables are ready as soon as `CreateTable` returns, those of AWS are not.
///
/// # Errors
///
/// The database cannot be reached, or rejects a table.
pub async fn create_all(store: &Store, names: &TableNames) -> io::Result<()> {
    static TABLES: LazyLock<Template> =
        LazyLock::new(|| serde_saphyr::from_str(TEMPLATE).expect("template.yaml is a template"));
    for (resource, table) in names.by_resource() {
        let properties = &TABLES.resources[resource].properties;
        let mut definition = pick(properties, &OF_A_TABLE);
        definition["TableName"] = table.into();
        if let Some(Value::Array(indexes)) = definition.get_mut("GlobalSecondaryIndexes") {
            for index in indexes {
                *index = pick(index, &OF_AN_INDEX);
            }
        }
        let created = store.call("CreateTable", &definition).await?;
        if created.body["__type"].as_str().is_some_and(|kind| kind.ends_with("ResourceInUseException")) {
            continue;
        }
        created.expect_ok()?;
        let time_to_live = &properties["TimeToLiveSpecification"];
        if time_to_live.is_object() {
            let update = json!({"TableName": table, "TimeToLiveSpecification": time_to_live});
            store.call("UpdateTimeToLive", &update).await?.expect_ok()?;
        }
    }
    Ok(())
}

fn pick(properties: &Value, names: &[&str]) -> Value {
    let given = names.iter().filter_map(|name| Some((name.to_string(), properties.get(name)?.clone())));
    Value::Object(given.collect::<Map<_, _>>())
}
