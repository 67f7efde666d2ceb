//! Resolving records to customers and memberships. Pure: no I/O, no SDK types.
//!
//! - [`customer`]: the look-ups that the records need, and the customers they identify
//! - [`membership`]: what must be written, and the result of each record
//! - [`unchanged`]: whether checking which memberships need no write saves money
//! - [`report`]: the result of an import, with an [`explanation`] of the matches if requested
//! - [`stored`]: the stored form of a report

pub mod customer;
pub mod explanation;
pub mod membership;
pub mod report;
pub mod stored;
pub mod unchanged;
