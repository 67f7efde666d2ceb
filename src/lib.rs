//! The batch import of customer groups: an AWS Lambda function behind API Gateway.
//!
//! A caller sends records (identifiers of a customer, names of groups); each record is resolved to
//! a customer of the caller's tenant, who is added to the groups or removed from them.
//!
//! # Layout
//! The modules in the order in which a request is processed; none depends on one above it:
//!
//! - [`http`]: the event, the checks of the request, the envelope
//! - [`telemetry`]: the log line and the metrics of a request
//! - [`import`]: one import, from its records to its report
//! - [`database`]: all access to DynamoDB
//! - [`resolution`]: which customer each record identifies, and what must be written; pure
//! - [`request`]: parsing and validating a request; pure
//! - [`tenant`]: tokens and their tenants
//!
//! Used by all: [`config`], [`deadline`], [`hash`], [`rejection`].

#![warn(missing_docs)]

/// Implements `Debug` for a type that holds a secret, or what a caller sent: only the type's name is shown.
macro_rules! opaque_debug {
    ($type:ty) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($type))
            }
        }
    };
}

pub mod config;
pub mod database;
pub mod deadline;
pub mod hash;
pub mod http;
pub mod import;
pub mod rejection;
pub mod request;
pub mod resolution;
pub mod telemetry;
pub mod tenant;
