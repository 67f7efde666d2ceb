//! The data that the local run starts with, and the fuzzer: two tenants and their customers.
//!
//! Customer number 1 of the demo tenant is `c0001`, with the unionid `u0001`, the openid `o0001` and the phone
//! `13800000001`; the others are numbered likewise. Some identifiers are missing, as in real data. Customer `1` is the
//! one of the example on the platform's page.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dynamodb::Store;
use crate::items::put_all;
use crate::model::world::Customer;
use crate::tables::TableNames;

/// The token of the demo tenant. It is valid for the local database only.
pub const TOKEN: &str = "demo-token";

/// The token of a second tenant, some of whose customers are the same persons under other ids: its customer `r0001`
/// has the openid and the phone of the first tenant's `c0001`.
pub const RIVAL_TOKEN: &str = "rival-token";

/// A phone that `c0101` and `c0102` of the demo tenant share: it is ambiguous.
pub const SHARED_PHONE: &str = "13800000101";

pub const TENANT: &str = "demo";
pub const RIVAL_TENANT: &str = "rival";
const CUSTOMERS: u32 = 120;
const RIVAL_CUSTOMERS: u32 = 20;

/// Writes the tenants and the customers. Repeating it changes nothing, and memberships are never touched.
///
/// # Errors
///
/// The database cannot be reached, or rejects an item.
pub async fn load(store: &Store, names: &TableNames) -> io::Result<()> {
    put_all(store, &names.tenants, [tenant(TENANT, TOKEN), tenant(RIVAL_TENANT, RIVAL_TOKEN)]).await?;
    put_all(store, &names.customers, customers().iter().map(Customer::item)).await
}

fn tenant(id: &str, token: &str) -> Value {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"tokenHash": hash, "tenantId": id, "enabled": true, "permissions": ["audience:group"]})
}

/// The customers of both tenants.
pub fn customers() -> Vec<Customer> {
    let of_rival = (1..=RIVAL_CUSTOMERS).map(|number| {
        let customer = Customer::new(RIVAL_TENANT, &format!("r{number:04}"));
        customer.with("openid", openid(number)).with("phone", phone(number))
    });
    (1..=CUSTOMERS).map(customer).chain(of_rival).chain([Customer::new(TENANT, "1")]).collect()
}

/// A customer of the demo tenant: every fifth lacks the unionid, every seventh the openid, every third the phone.
fn customer(number: u32) -> Customer {
    let mut customer = Customer::new(TENANT, &format!("c{number:04}"))
        .with("unionid", format!("u{number:04}"))
        .with("openid", openid(number))
        .with("phone", phone(number));
    for (field, every) in [("unionid", 5), ("openid", 7), ("phone", 3)] {
        if number.is_multiple_of(every) {
            customer.attributes.remove(field);
        }
    }
    if number == 102 { customer.with("phone", SHARED_PHONE) } else { customer }
}

fn openid(number: u32) -> String {
    format!("o{number:04}")
}

fn phone(number: u32) -> String {
    format!("138{number:08}")
}
