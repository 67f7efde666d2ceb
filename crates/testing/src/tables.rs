//! Creates the four tables in an emulated DynamoDB, from the definitions that `template.yaml` deploys.
//!
//! One definition serves the deployment, the local run and the tests, so that none of them can drift. Only what an
//! emulator supports is used: keys, indexes, billing mode and time to live; not backups or encryption.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, Projection,
    TimeToLiveSpecification,
};
use serde::Deserialize;

/// The template, included at compile time: a change to it takes effect without another step.
const TEMPLATE: &str = include_str!("../../../template.yaml");

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

/// Why a table could not be created.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    #[error("template.yaml is not a valid template")]
    Template(#[source] &'static serde_saphyr::Error),
    #[error("template.yaml has no resource {0}")]
    Missing(&'static str),
    #[error("the properties of {resource} in template.yaml do not describe a table")]
    Properties { resource: &'static str, source: serde_json::Error },
    #[error("a key, an index or an attribute in template.yaml is incomplete")]
    Incomplete(#[from] BuildError),
    #[error("the table {table} could not be created")]
    Database { table: String, source: Box<aws_sdk_dynamodb::Error> },
}

/// Creates every missing table. An existing table is left unchanged, even with other keys.
///
/// For emulators only: their tables are ready as soon as `CreateTable` returns, those of AWS are not.
pub async fn create_all(client: &Client, names: &TableNames) -> Result<(), TablesError> {
    static READ: LazyLock<Result<Template, serde_saphyr::Error>> =
        LazyLock::new(|| serde_saphyr::from_str(TEMPLATE));
    let template = READ.as_ref().map_err(TablesError::Template)?;
    for (resource, table) in names.by_resource() {
        let properties = template.table(resource)?;
        let database_error =
            |source| TablesError::Database { table: table.to_owned(), source: Box::new(source) };
        match properties.create(client, table).await? {
            Ok(()) => properties.set_time_to_live(client, table).await?.map_err(database_error)?,
            Err(aws_sdk_dynamodb::Error::ResourceInUseException(_)) => {}
            Err(error) => return Err(database_error(error)),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

/// A resource of any type: its properties are parsed only if it is a table in use.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(default)]
    properties: serde_json::Value,
}

impl Template {
    fn table(&self, resource: &'static str) -> Result<Table, TablesError> {
        let found = self.resources.get(resource).ok_or(TablesError::Missing(resource))?;
        Table::deserialize(&found.properties).map_err(|source| TablesError::Properties { resource, source })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    billing_mode: String,
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<TimeToLive>,
}

/// The outer error is one of the template, the inner one of the database.
type Asked = Result<Result<(), aws_sdk_dynamodb::Error>, BuildError>;

impl Table {
    async fn create(&self, client: &Client, table: &str) -> Asked {
        let indexes =
            self.global_secondary_indexes.iter().map(Index::definition).collect::<Result<Vec<_>, _>>()?;
        let answer = client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::from(self.billing_mode.as_str()))
            .set_attribute_definitions(Some(attribute_definitions(&self.attribute_definitions)?))
            .set_key_schema(Some(key_schema(&self.key_schema)?))
            // DynamoDB rejects an empty list of indexes.
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
            .send()
            .await;
        Ok(answer.map(drop).map_err(Into::into))
    }

    async fn set_time_to_live(&self, client: &Client, table: &str) -> Asked {
        let Some(time_to_live) = &self.time_to_live_specification else {
            return Ok(Ok(()));
        };
        let specification = TimeToLiveSpecification::builder()
            .attribute_name(&time_to_live.attribute_name)
            .enabled(time_to_live.enabled)
            .build()?;
        let answer = client
            .update_time_to_live()
            .table_name(table)
            .time_to_live_specification(specification)
            .send()
            .await;
        Ok(answer.map(drop).map_err(Into::into))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

fn attribute_definitions(attributes: &[Attribute]) -> Result<Vec<AttributeDefinition>, BuildError> {
    let definition = |attribute: &Attribute| {
        AttributeDefinition::builder()
            .attribute_name(&attribute.attribute_name)
            .attribute_type(attribute.attribute_type.as_str().into())
            .build()
    };
    attributes.iter().map(definition).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

fn key_schema(keys: &[Key]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |key: &Key| {
        KeySchemaElement::builder()
            .attribute_name(&key.attribute_name)
            .key_type(key.key_type.as_str().into())
            .build()
    };
    keys.iter().map(element).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
    projection: IndexProjection,
}

impl Index {
    fn definition(&self) -> Result<GlobalSecondaryIndex, BuildError> {
        let projection =
            Projection::builder().projection_type(self.projection.projection_type.as_str().into()).build();
        GlobalSecondaryIndex::builder()
            .index_name(&self.index_name)
            .set_key_schema(Some(key_schema(&self.key_schema)?))
            .projection(projection)
            .build()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProjection {
    projection_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}
