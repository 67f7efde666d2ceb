//! The data that the local run starts with: two tenants and their customers.
//!
//! Customer number 1 of the demo tenant is `c0001`, with the unionid `u0001`, the openid `o0001` and the phone
//! `13800000001`; the others are numbered likewise. Some identifiers are missing, as in real data. Customer `1` is the
//! one of the example on the platform's page.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use group_import::tenant::TokenHash;

use crate::tables::TableNames;

/// The token of the demo tenant. It is valid for the local database only.
pub const TOKEN: &str = "demo-token";

/// The token of a second tenant, some of whose customers are the same persons under other ids: its customer `r0001`
/// has the openid and the phone of the first tenant's `c0001`.
pub const RIVAL_TOKEN: &str = "rival-token";

/// A phone that `c0101` and `c0102` of the demo tenant share: it is ambiguous.
pub const SHARED_PHONE: &str = "13800000101";

const TENANT: &str = "demo";
const RIVAL_TENANT: &str = "rival";
const CUSTOMERS: u32 = 300;
const RIVAL_CUSTOMERS: u32 = 100;

/// The most requests one `BatchWriteItem` takes (its API reference).
const BATCH: usize = 25;

type Item = HashMap<String, AttributeValue>;

/// Why the demo data could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("an item of the demo data is incomplete")]
    Item(#[from] BuildError),
    #[error("the demo data could not be written to the table {table}")]
    Database { table: String, source: Box<aws_sdk_dynamodb::Error> },
    #[error("the database left demo data for the table {table} unprocessed")]
    Unprocessed { table: String },
}

/// Writes the demo data. Repeating it changes nothing, and memberships are never touched.
///
/// Unprocessed items are an error and are not resent: an emulator does not throttle.
pub async fn load(client: &Client, names: &TableNames) -> Result<(), DemoError> {
    let tenants = [tenant(TENANT, TOKEN), tenant(RIVAL_TENANT, RIVAL_TOKEN)];
    put_all(client, &names.tenants, tenants).await?;
    let customers = (1..=CUSTOMERS).map(customer).chain((1..=RIVAL_CUSTOMERS).map(rival_customer));
    let customers = customers.chain([platform_customer()]);
    put_all(client, &names.customers, customers).await
}

fn tenant(id: &str, token: &str) -> Item {
    let permissions = AttributeValue::Ss(vec!["audience:group".to_owned()]);
    let mut item =
        strings([("tokenHash", TokenHash::of(token).as_str().to_owned()), ("tenantId", id.to_owned())]);
    item.insert("enabled".to_owned(), AttributeValue::Bool(true));
    item.insert("permissions".to_owned(), permissions);
    item
}

/// A customer of the demo tenant: every fifth lacks the unionid, every seventh the openid, every third the phone.
fn customer(number: u32) -> Item {
    let mut item = strings([("audienceUserId", format!("c{number:04}")), ("tenantId", TENANT.to_owned())]);
    if !number.is_multiple_of(5) {
        item.extend(strings([("unionid", format!("u{number:04}"))]));
    }
    if !number.is_multiple_of(7) {
        item.extend(strings([("openid", openid(number))]));
    }
    if matches!(number, 101 | 102) {
        item.extend(strings([("phone", SHARED_PHONE.to_owned())]));
    } else if !number.is_multiple_of(3) {
        item.extend(strings([("phone", phone(number))]));
    }
    item
}

fn rival_customer(number: u32) -> Item {
    strings([
        ("audienceUserId", format!("r{number:04}")),
        ("tenantId", RIVAL_TENANT.to_owned()),
        ("openid", openid(number)),
        ("phone", phone(number)),
    ])
}

/// The customer of the example on the platform's page.
fn platform_customer() -> Item {
    strings([("audienceUserId", "1".to_owned()), ("tenantId", TENANT.to_owned())])
}

fn openid(number: u32) -> String {
    format!("o{number:04}")
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}

fn strings<const N: usize>(attributes: [(&str, String); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).into()
}

async fn put_all(
    client: &Client,
    table: &str,
    items: impl IntoIterator<Item = Item>,
) -> Result<(), DemoError> {
    let requests = items.into_iter().map(put).collect::<Result<Vec<_>, _>>()?;
    for batch in requests.chunks(BATCH) {
        let answer =
            client.batch_write_item().request_items(table, batch.to_vec()).send().await.map_err(|error| {
                DemoError::Database { table: table.to_owned(), source: Box::new(error.into()) }
            })?;
        if answer.unprocessed_items.is_some_and(|left| !left.is_empty()) {
            return Err(DemoError::Unprocessed { table: table.to_owned() });
        }
    }
    Ok(())
}

fn put(item: Item) -> Result<WriteRequest, BuildError> {
    let put = PutRequest::builder().set_item(Some(item)).build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}
