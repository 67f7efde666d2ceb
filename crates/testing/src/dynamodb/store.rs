//! Where the items are: in an implementation of DynamoDB in this process, or one at an address; or in hash maps.

use std::io;

use serde_json::Value;

use super::call::Response;
use super::maps::Maps;
#[cfg(feature = "local")]
use super::{embedded, remote::Remote};

/// A DynamoDB implementation.
#[derive(Clone)]
pub enum Store {
    /// Only the calls of the function, in a hundredth of the time.
    Maps(Maps),
    /// Inside this process.
    #[cfg(feature = "local")]
    Embedded(dynoxide::Database),
    /// At an address, such as Amazon's DynamoDB Local.
    #[cfg(feature = "local")]
    Remote(Box<Remote>),
}

impl Store {
    /// Hash maps without a table.
    pub fn maps() -> Self {
        Self::Maps(Maps::default())
    }

    /// An empty database in memory.
    #[cfg(feature = "local")]
    pub fn memory() -> Self {
        Self::Embedded(dynoxide::Database::memory().expect("a database in memory"))
    }

    /// The implementation at an origin, such as `http://127.0.0.1:8000`.
    #[cfg(feature = "local")]
    pub fn remote(origin: &str) -> Self {
        Self::Remote(Box::new(Remote::new(origin)))
    }

    /// The response to a call.
    ///
    /// # Errors
    ///
    /// A remote implementation cannot be reached, or sends no JSON.
    pub async fn call(&self, operation: &str, body: &Value) -> io::Result<Response> {
        match self {
            Self::Maps(maps) => Ok(maps.call(operation, body)),
            #[cfg(feature = "local")]
            Self::Embedded(database) => Ok(embedded::call(database, operation, body)),
            #[cfg(feature = "local")]
            Self::Remote(remote) => remote.call(operation, body).await,
        }
    }
}
