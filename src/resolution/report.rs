//! The result of an import: with the request, enough to write the response, now or in a replay.

use crate::request::failure::Failure;
use crate::resolution::explanation::Matches;

/// The results of the records of an import.
#[derive(Debug)]
pub struct Report {
    /// The failed records by index, in the order sent, and why each failed.
    pub failures: Vec<(usize, Failure)>,
    /// `matches` of the response, if it was requested (contract, section 9).
    pub matches: Option<Matches>,
}
