//! The contract once more, as a reference model, so that what the function does can be held against it.
//!
//! Nothing here calls the function. Every record loops over all customers; there is no index, no deduplication and no
//! wave. Where several codes apply, all are listed and the first of the contract's table is taken.
//!
//! # Layout
//!
//! - [`world`]: what exists, and what an import makes of it
//! - [`text`]: white space, phones, group names
//! - [`request`]: the body of a request, read
//! - [`reply`]: what must hold of every response
//! - [`verdict`]: what must hold of the response to an import, and of what it stored
//! - [`draw`]: random worlds and imports (feature `draw`)

/// Returns an error, formatted, unless something holds.
macro_rules! ensure {
    ($holds:expr, $($wrong:tt)+) => {
        if !$holds {
            return Err(format!($($wrong)+));
        }
    };
}

#[cfg(feature = "draw")]
pub mod draw;
pub mod reply;
pub mod request;
pub mod text;
pub mod verdict;
pub mod world;
