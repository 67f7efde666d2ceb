//! Creates the four tables in an emulated DynamoDB, from the definitions that `template.yaml` deploys.
//!
//! One definition serves the deployment, the local run and the tests, so that none of them can drift. Only what an
//! emulator needs is used: keys, indexes and billing mode.

use std::io;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::dynamodb::Store;

/// The template, without the tags of its intrinsic functions. Included at compile time: a change to it takes effect
/// without another step.
pub static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../template.yaml")).expect("template.yaml is YAML")
});

/// The properties of a table, and of an index, that an emulator is given. CloudFormation has the names of DynamoDB.
const OF_A_TABLE: [&str; 4] = ["BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"];
const OF_AN_INDEX: [&str; 3] = ["IndexName", "KeySchema", "Projection"];

/// The region of every client of a local database.
pub const REGION: &str = "us-east-1";

/// Access key and secret of every client of a local database.
pub const ACCESS_KEY: &str = "local";

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

    /// The variables of a function's process that calls the database at this origin.
    pub fn environment(&self, origin: &str) -> [(&'static str, String); 8] {
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", origin),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
            ("TENANTS_TABLE", &self.tenants),
            ("CUSTOMERS_TABLE", &self.customers),
            ("MEMBERSHIPS_TABLE", &self.memberships),
            ("IMPORTS_TABLE", &self.imports),
        ]
        .map(|(name, value)| (name, value.to_owned()))
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

/// Creates the tables.
///
/// For emulators only: their tables are ready as soon as `CreateTable` returns, those of AWS are not.
///
/// # Errors
///
/// The database cannot be reached, or rejects a table.
pub async fn create_all(store: &Store, names: &TableNames) -> io::Result<()> {
    for (resource, table) in names.by_resource() {
        let mut definition = pick(&TEMPLATE["Resources"][resource]["Properties"], &OF_A_TABLE);
        definition["TableName"] = table.into();
        if let Some(Value::Array(indexes)) = definition.get_mut("GlobalSecondaryIndexes") {
            for index in indexes {
                *index = pick(index, &OF_AN_INDEX);
            }
        }
        store.call("CreateTable", &definition).await?.expect_ok()?;
    }
    Ok(())
}

fn pick(properties: &Value, names: &[&str]) -> Value {
    let given = names.iter().filter_map(|name| Some((name.to_string(), properties.get(name)?.clone())));
    Value::Object(given.collect::<Map<_, _>>())
}
