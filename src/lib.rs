//! The batch import of customer groups: an AWS Lambda function behind API Gateway.
//!
//! A caller sends records (identifiers of a customer, names of groups); each record is resolved to
//! a customer of the caller's tenant, and the customer is put into the groups or taken out of them.
//!
//! # Layout
//! How a request is processed, from the top down; nothing knows of what stands above it:
//!
//! - [`http`]: the event, the checks of the request, the envelope
//! - [`telemetry`]: the line that the request leaves in the log, and its metrics
//! - [`import`]: one import from its records to its report
//! - [`database`]: everything DynamoDB
//! - [`resolution`]: whom each record means, and what must be written; pure
//! - [`request`]: what a caller may send; pure
//! - [`tenant`]: tokens and the tenants they stand for
//!
//! Beside them: [`config`], [`deadline`], [`hash`].

#![warn(missing_docs)]

pub mod config;
pub mod database;
pub mod deadline;
pub mod hash;
pub mod http;
pub mod import;
pub mod request;
pub mod resolution;
pub mod telemetry;
pub mod tenant;
