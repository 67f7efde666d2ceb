//! What is read and written: tenants, customers, memberships, keys.

mod customers;
mod items;
mod keys;
mod look_ups;
mod memberships;
mod split_budget;
mod tenants;
mod unchanged;
mod write_queue;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::client::CallError;
use crate::request::failure::Outage;

pub use keys::{Claim, Claimed, Earlier, Key};
pub use memberships::Writing;
pub use tenants::TenantError;
pub use write_queue::Written;

/// The failure of a call whose response is not one to it, as where something between mixes up two: what it says of a
/// value, a token or a membership may be another's.
const INVALID: CallError = CallError::Outage(Outage::StoreError);

/// An item, or the key of one.
type Item = HashMap<String, AttributeValue>;

/// The text of an attribute that is a string.
fn text<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Whether an item read by a key has another one.
fn is_of_another(item: &Item, name: &str, key: &str) -> bool {
    item.get(name).is_some_and(|found| !found.as_s().is_ok_and(|found| found == key))
}

/// A string attribute of an item.
fn attribute(name: &str, text: &str) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::S(text.to_owned()))
}
