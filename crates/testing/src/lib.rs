//! Test doubles and helpers shared by tests, benchmarks, the fuzzer and the local run.
//!
//! # Layout
//!
//! - [`memory`]: a fast, strict DynamoDB in memory, in process or over HTTP
//! - [`capacity`]: the throughput of a table, beyond which it throttles
//! - [`serve`]: HTTP servers on this machine
//! - [`runtime_api`]: the Lambda Runtime API, and a function's process that polls it
//! - [`tls`], with the feature `tls`: TLS for these servers
//!
//! With the feature `local`, a database for the local run, without the SDK:
//!
//! - [`embedded`]: a DynamoDB inside this process; [`tables`]: its tables, from `template.yaml`; [`demo`]: demo data
//!
//! With the feature `stage`, the function on it:
//!
//! - [`client`]: the SDK's client
//! - [`proxy`]: a proxy between the SDK and a database that counts, checks and breaks calls
//! - [`stage`]: database, proxy, tenants, customers; [`function`]: the function, and its responses
//! - [`log_search`]: the search of every log line
//! - [`shorthand`]: parameters, records and states that many tests use

pub mod capacity;
pub mod memory;
pub mod runtime_api;
pub mod serve;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "stage")]
pub mod client;
#[cfg(feature = "local")]
pub mod demo;
#[cfg(feature = "local")]
pub mod embedded;
#[cfg(feature = "stage")]
pub mod function;
#[cfg(feature = "stage")]
pub mod log_search;
#[cfg(feature = "stage")]
pub mod proxy;
#[cfg(feature = "local")]
mod real_time;
#[cfg(feature = "stage")]
pub mod shorthand;
#[cfg(feature = "stage")]
pub mod stage;
#[cfg(feature = "local")]
pub mod tables;
