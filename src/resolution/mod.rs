//! Resolving records to customers and memberships. Pure: no I/O, no SDK types.
//!
//! - [`customer`]: which customer each record identifies; [`lookup`]: the look-ups that this needs
//! - [`membership`]: what must be written, and the result of each record
//! - [`unchanged`]: whether checking which memberships need no write saves money
//! - [`report`]: the result of an import, with an [`explanation`] of the matches if requested
//! - [`stored`]: the stored form of a report

pub mod customer;
pub mod explanation;
pub mod lookup;
pub mod membership;
pub mod report;
pub mod stored;
pub mod unchanged;
