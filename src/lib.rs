//! The batch import of customer groups: an AWS Lambda function behind API Gateway.
//!
//! A caller sends records (identifiers of a customer, names of groups); each record is resolved to
//! a customer of the caller's tenant, and the customer is put into the groups or taken out of them.
//!
//! # Layout
//! The way of a request, in order:
//!
//! - [`event`]: what API Gateway sends, and the form of the reply
//! - [`handler`]: the checks, one after the other
//! - [`tenant`]: tokens and the tenants they stand for
//! - [`request`]: the body, with [`params`], [`record`], [`identifier`] and [`group`]
//! - [`idempotency`]: one run for many requests with one key
//! - [`import`]: one import from its records to its result
//! - [`resolution`]: who each record means; pure
//! - [`membership`]: what must be written, and how each record ended; pure
//! - [`unchanged`]: which of it is worth asking about first; pure
//! - [`database`]: everything DynamoDB
//! - [`report`]: how the import ended
//! - [`envelope`]: the answer, with [`refusal`] (of a request) and [`failure`] (of a record)
//! - [`summary`]: the line that the request leaves in the log, and its metrics
//!
//! Beside the way: [`config`], [`deadline`], [`fields`] (JSON read without decoding), [`hash`], [`log`].

#![warn(missing_docs)]

pub mod config;
pub mod database;
pub mod deadline;
pub mod envelope;
pub mod event;
pub mod failure;
pub mod fields;
pub mod group;
pub mod handler;
pub mod hash;
pub mod idempotency;
pub mod identifier;
pub mod import;
pub mod log;
pub mod membership;
pub mod params;
pub mod record;
pub mod refusal;
pub mod report;
pub mod request;
pub mod resolution;
pub mod summary;
pub mod tenant;
pub mod unchanged;
