//! The contract as a reference model, with which the function is compared.
//!
//! Nothing here calls the function. Every record loops over all customers; there is no index, no deduplication and no
//! wave. Where several codes apply, all are listed and the first in the contract's table is used.
//!
//! # Layout
//!
//! - [`world`]: customers and memberships, and the effect of an import on them
//! - [`text`]: white space and marks, phones, group names
//! - [`request`]: the body of a request, parsed
//! - [`reply`]: what must hold for every response
//! - [`verdict`]: what must hold for the response to an import, and for what it stored
//! - [`draw`]: random worlds and imports (feature `stage`)

/// Returns a formatted error unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($wrong:tt)+) => {
        if !$holds {
            return Err(format!($($wrong)+));
        }
    };
}

#[cfg(feature = "stage")]
pub mod draw;
pub mod reply;
pub mod request;
pub mod text;
pub mod verdict;
pub mod world;
