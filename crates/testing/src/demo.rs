//! The data that the local run starts with: two tenants and their customers.
//!
//! Customer number 1 of the demo tenant is `c0001`, with the unionid `u0001`, the openid `o0001` and the phone
//! `13800000001`; the others are numbered likewise. Some identifiers are missing, as in real data. Customer `1` is the
//! one of the example on the platform's page.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::embedded::{CallError, call};
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

/// Writes the demo data. Repeating it changes nothing, and memberships are never touched.
pub async fn load(endpoint: &str, names: &TableNames) -> Result<(), CallError> {
    put_all(endpoint, &names.tenants, vec![tenant(TENANT, TOKEN), tenant(RIVAL_TENANT, RIVAL_TOKEN)]).await?;
    let customers = (1..=CUSTOMERS).map(customer).chain((1..=RIVAL_CUSTOMERS).map(rival_customer));
    put_all(endpoint, &names.customers, customers.chain([platform_customer()]).collect()).await
}

fn tenant(id: &str, token: &str) -> Value {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut item = strings([("tokenHash", hash), ("tenantId", id.to_owned())]);
    item["enabled"] = json!({"BOOL": true});
    item["permissions"] = json!({"SS": ["audience:group"]});
    item
}

/// A customer of the demo tenant: every fifth lacks the unionid, every seventh the openid, every third the phone.
fn customer(number: u32) -> Value {
    let phone = match number {
        101 | 102 => Some(SHARED_PHONE.to_owned()),
        _ => (!number.is_multiple_of(3)).then(|| phone(number)),
    };
    let identifiers = [
        ("unionid", (!number.is_multiple_of(5)).then(|| format!("u{number:04}"))),
        ("openid", (!number.is_multiple_of(7)).then(|| openid(number))),
        ("phone", phone),
    ];
    let id = [("audienceUserId", format!("c{number:04}")), ("tenantId", TENANT.to_owned())];
    let identifiers = identifiers.into_iter().filter_map(|(name, value)| Some((name, value?)));
    strings(id.into_iter().chain(identifiers))
}

fn rival_customer(number: u32) -> Value {
    strings([
        ("audienceUserId", format!("r{number:04}")),
        ("tenantId", RIVAL_TENANT.to_owned()),
        ("openid", openid(number)),
        ("phone", phone(number)),
    ])
}

/// The customer of the example on the platform's page.
fn platform_customer() -> Value {
    strings([("audienceUserId", "1".to_owned()), ("tenantId", TENANT.to_owned())])
}

fn openid(number: u32) -> String {
    format!("o{number:04}")
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}

fn strings(attributes: impl IntoIterator<Item = (&'static str, String)>) -> Value {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), json!({"S": value}))).collect()
}

async fn put_all(endpoint: &str, table: &str, items: Vec<Value>) -> Result<(), CallError> {
    for batch in items.chunks(BATCH) {
        let puts: Vec<_> = batch.iter().map(|item| json!({"PutRequest": {"Item": item}})).collect();
        let response = call(endpoint, "BatchWriteItem", json!({"RequestItems": {table: puts}})).await?;
        // An emulator does not throttle.
        assert_eq!(response["UnprocessedItems"], json!({}), "the database left demo data unprocessed");
    }
    Ok(())
}
