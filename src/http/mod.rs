//! The interface to callers: API Gateway's events and direct ones, the platform's envelope. Other modules do not depend
//! on it.
//!
//! - [`incoming`]: the payload of an invocation, an [`event`] of API Gateway or a direct one
//! - [`handler`]: authentication and the import
//! - [`preconditions`]: what must hold of a request before its body is read
//! - [`envelope`]: the body of a response
//! - [`rejection`]: why a request is rejected as a whole
//! - [`reply`]: what an invocation returns

pub mod envelope;
pub mod event;
pub mod handler;
pub mod incoming;
pub mod preconditions;
pub mod rejection;
pub mod reply;
