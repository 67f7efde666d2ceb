//! Parsing and validating a request (contract, sections 3, 4, 8 and 9). Pure.
//!
//! - [`Request`]: the body, with settings and records
//! - [`params`]: the settings
//! - [`record`]: one record, with its [`identifier`]s and its [`group`]s
//! - [`name`] and [`text`]: names and values as people send them; [`fields`]: members of a JSON object, as sent
//! - [`failure`]: why a record was not imported
//! - [`idempotency_key`]: the key that prevents repeated runs of an import

mod body;
pub mod failure;
pub mod fields;
pub mod group;
pub mod idempotency_key;
pub mod identifier;
pub mod name;
mod near_miss;
pub mod params;
pub mod record;
pub mod text;

/// What people send, and what becomes of it. An identifier without a list of its own is compared as it is.
#[cfg(test)]
fn vectors(kind: &str) -> Vec<serde_json::Value> {
    let all = include_str!("../../tests/vectors/sent.json");
    let mut all: serde_json::Value = serde_json::from_str(all).expect("JSON");
    let kind = if all[kind].is_array() { kind } else { "identifiers" };
    serde_json::from_value(all[kind].take()).expect("a list")
}

pub use body::Request;
