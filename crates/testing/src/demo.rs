//! The data that the local run starts with: two tenants and their customers.
//!
//! Customer number 1 of the demo tenant is `c0001`, with the unionid `u0001`, the openid `o0001` and the phone
//! `13800000001`; the others are numbered likewise. Some identifiers are missing, as in real data. Customer `1` is the
//! one of the example on the platform's page.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dynamodb::Store;
use crate::items::put_all;
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

/// Writes the demo data. Repeating it changes nothing, and memberships are never touched.
///
/// # Errors
///
/// The database cannot be reached, or rejects an item.
pub async fn load(store: &Store, names: &TableNames) -> io::Result<()> {
    put_all(store, &names.tenants, [tenant(TENANT, TOKEN), tenant(RIVAL_TENANT, RIVAL_TOKEN)]).await?;
    let customers = (1..=CUSTOMERS).map(customer).chain((1..=RIVAL_CUSTOMERS).map(rival_customer));
    // The customer of the example on the platform's page.
    let customers = customers.chain([json!({"audienceUserId": "1", "tenantId": TENANT})]);
    put_all(store, &names.customers, customers).await
}

fn tenant(id: &str, token: &str) -> Value {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"tokenHash": hash, "tenantId": id, "enabled": true, "permissions": ["audience:group"]})
}

/// A customer of the demo tenant: every fifth lacks the unionid, every seventh the openid, every third the phone.
fn customer(number: u32) -> Value {
    let mut customer = json!({"audienceUserId": format!("c{number:04}"), "tenantId": TENANT});
    if !number.is_multiple_of(5) {
        customer["unionid"] = format!("u{number:04}").into();
    }
    if !number.is_multiple_of(7) {
        customer["openid"] = openid(number).into();
    }
    if matches!(number, 101 | 102) {
        customer["phone"] = SHARED_PHONE.into();
    } else if !number.is_multiple_of(3) {
        customer["phone"] = phone(number).into();
    }
    customer
}

fn rival_customer(number: u32) -> Value {
    json!({
        "audienceUserId": format!("r{number:04}"),
        "tenantId": RIVAL_TENANT,
        "openid": openid(number),
        "phone": phone(number),
    })
}

fn openid(number: u32) -> String {
    format!("o{number:04}")
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}
