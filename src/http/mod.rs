//! The HTTP interface: API Gateway's events and the platform's envelope. Other modules do not depend on it.
//!
//! - [`event`]: the event of API Gateway, and the response in its format
//! - [`handler`]: the checks of a request in order, then the import
//! - [`envelope`]: the body of a response
//! - [`rejection`]: why a request is rejected as a whole

pub mod envelope;
pub mod event;
pub mod handler;
pub mod rejection;
