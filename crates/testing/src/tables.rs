//! Creates the four tables in an emulated DynamoDB, from the definitions that `template.yaml` deploys.
//!
//! One definition serves the deployment, the local run and the tests, so that none of them can drift. Only what an
//! emulator supports is used: keys, indexes, billing mode and time to live; not backups or encryption.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::embedded::{CallError, call};

/// Included at compile time: a change to it takes effect without another step.
static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../template.yaml")).expect("template.yaml is valid")
});

/// The properties of a table that `CreateTable` has under the same names.
const CREATED_WITH: [&str; 4] =
    ["AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema"];

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
        Self {
            tenants: format!("{prefix}tenants"),
            customers: format!("{prefix}customers"),
            memberships: format!("{prefix}memberships"),
            imports: format!("{prefix}imports"),
        }
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

/// Creates every missing table. An existing table is left unchanged, even with other keys.
///
/// For emulators only: their tables are ready as soon as `CreateTable` returns, those of AWS are not.
pub async fn create_all(endpoint: &str, names: &TableNames) -> Result<(), CallError> {
    for (resource, table) in names.by_resource() {
        let properties = &TEMPLATE["Resources"][resource]["Properties"];
        let mut definition = json!({"TableName": table});
        for name in CREATED_WITH {
            if let Some(value) = properties.get(name) {
                definition[name] = value.clone();
            }
        }
        match call(endpoint, "CreateTable", definition).await {
            Err(error) if error.is("ResourceInUseException") => continue,
            created => created?,
        };
        if let Some(specification) = properties.get("TimeToLiveSpecification") {
            let body = json!({"TableName": table, "TimeToLiveSpecification": specification});
            call(endpoint, "UpdateTimeToLive", body).await?;
        }
    }
    Ok(())
}
