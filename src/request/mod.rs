//! Parsing and validating a request (contract, sections 3, 4, 8 and 9). Pure.
//!
//! - [`ImportRequest`]: the body, with settings and records
//! - [`params`]: the settings
//! - [`record`]: one record, with its [`identifier`]s and its [`group`]s
//! - [`failure`]: why a record was not imported
//! - [`idempotency_key`]: the key that prevents repeated runs of an import

mod body;
pub mod failure;
pub mod group;
pub mod idempotency_key;
pub mod identifier;
mod near_miss;
pub mod params;
pub mod record;

pub use body::{BodyFault, ImportRequest, RequestError};
