//! What follows from the records and from what the database says of them. Pure: no I/O, no SDK type.
//!
//! - [`customer`]: whom each record means: what must be looked up, and what the results say
//! - [`membership`]: what must be written, and how each record ended
//! - [`unchanged`]: whether it pays to check first which memberships exist already
//! - [`report`]: how the import ended, and the form in which that is stored

pub mod customer;
pub mod membership;
pub mod report;
pub mod unchanged;
