//! The contract once more, as a reference model, so that what the function does can be held against it.
//!
//! Nothing here calls the function. Every record loops over all customers; there is no index, no deduplication and no
//! wave. Where several codes apply, all are listed and the first of the contract's table is taken.
//!
//! # Layout
//!
//! - [`world`]: what exists, and what an import makes of it
//! - [`text`]: white space, phones, group names
//! - [`draw`]: random worlds and imports (feature `draw`)

#[cfg(feature = "draw")]
pub mod draw;
pub mod text;
pub mod world;
