//! Resolving records to customers and memberships. Pure: no I/O, no SDK types.
//!
//! - [`matching`]: which [`customer`] each record identifies, and the [`lookup`]s that this needs
//! - [`membership`]: what must be written, and the result of each record
//! - [`report`]: the result of an import, with the matches if requested
//! - [`stored`]: the stored form of a report

pub mod customer;
mod exact;
pub mod lookup;
pub mod matching;
pub mod membership;
pub mod report;
pub mod stored;
