//! The edge: API Gateway's event comes in, the platform's envelope goes out. Nothing below knows of HTTP.
//!
//! - [`event`]: what API Gateway sends, and the form in which it takes the response
//! - [`handler`]: the checks of a request, one after the other, then the import
//! - [`envelope`]: the response to an import
//! - [`rejection`]: why a request is rejected as a whole

pub mod envelope;
pub mod event;
pub mod handler;
pub mod rejection;
