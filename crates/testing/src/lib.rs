//! Databases, servers and shorthand shared by tests, benchmarks, the fuzzer and the local run.
//!
//! # Layout
//!
//! - [`model`]: the contract once more, and what must hold of a response
//! - [`trial`]: imports drawn at random, through faults
//! - [`dynamodb`]: a DynamoDB that counts, checks and breaks calls, in process or over HTTP
//! - [`tables`]: its tables, from `template.yaml`; [`items`]: items in plain JSON; [`demo`]: tenants and customers
//! - [`capacity`]: the throughput of a table, beyond which it throttles
//! - [`serve`]: HTTP servers on this machine
//! - [`runtime_api`]: the Lambda Runtime API, and a function's process that polls it
//! - [`tls`], with the feature `tls`: TLS for these servers
//!
//! With the feature `local`, there is a real implementation in the database, without the SDK. With the feature `function`,
//! the function calls it without a network: [`handler`].
//!
//! With the feature `stage`, for tests:
//!
//! - [`stage`]: database, tenants, customers; [`function`]: the function on it, and its responses
//! - [`specification`]: `docs/openapi.yaml`, against which each of these responses is checked
//! - [`log_search`]: the search of every log line
//! - [`shorthand`]: parameters, records and states that many tests use

pub mod capacity;
pub mod demo;
pub mod dynamodb;
pub mod items;
pub mod model;
pub mod runtime_api;
pub mod serve;
pub mod tables;
#[cfg(feature = "tls")]
pub mod tls;
pub mod trial;

#[cfg(feature = "stage")]
pub mod function;
#[cfg(feature = "function")]
pub mod handler;
#[cfg(feature = "stage")]
pub mod log_search;
#[cfg(feature = "local")]
mod real_time;
#[cfg(feature = "stage")]
pub mod shorthand;
#[cfg(feature = "stage")]
pub mod specification;
#[cfg(feature = "stage")]
pub mod stage;
