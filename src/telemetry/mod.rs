//! The function's log.
//!
//! - [`log`]: the level and the format of the lines
//! - [`summary`]: one line per request, with its metrics

pub mod log;
pub mod summary;
