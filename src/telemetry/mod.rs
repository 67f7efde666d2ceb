//! What the function leaves in its log.
//!
//! - [`log`]: the lines' level and form
//! - [`summary`]: the one line of each request, and its metrics

pub mod log;
pub mod summary;
