//! The customer that a record identifies, or why it identifies none (contract, section 5).

use serde::{Serialize, Serializer};

use crate::request::failure::Failure;
use crate::request::identifier::Identifier;

/// The outcome of a record: the customer it identifies, or why it identifies none.
pub type Outcome = Result<Match, Failure>;

/// The customer that a record identifies.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// The customer's ID, `audienceUserId`.
    pub customer: String,
    /// What the match is based on.
    pub by: MatchedBy,
}

opaque_debug!(Match);

/// What a match is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedBy {
    /// One identifier: the first that matched a customer, or the customer's ID.
    Identifier(Identifier),
    /// All identifiers together.
    Exact,
}

impl MatchedBy {
    /// Every basis.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Identifier::ALL.into_iter().map(Self::Identifier).chain([Self::Exact])
    }

    /// The name in an explanation (contract, section 9).
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier(identifier) => identifier.field(),
            Self::Exact => "exact",
        }
    }
}

impl Serialize for MatchedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
