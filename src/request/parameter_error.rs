//! Which parameter is at fault, and what was expected (contract, section 3).

use std::fmt;

/// A parameter that is missing, invalid or misnamed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParameterError {
    /// Its path in the body, such as `publicParams.optType` or `data[3]`.
    pub field: String,
    /// The expected value, in Chinese, or the path of the parameter that is meant; for the caller.
    pub expected: &'static str,
    /// Whether `field` has a name that the caller invented.
    is_near_miss: bool,
}

impl ParameterError {
    /// An error about `field`.
    pub fn new(field: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), expected, is_near_miss: false }
    }

    /// A name as sent, at its path, instead of the path of a parameter.
    pub fn near_miss(field: String, meant: &'static str) -> Self {
        Self { field, expected: meant, is_near_miss: true }
    }

    /// The error without a name that the caller invented: it names the parameter that is meant (contract, section 3).
    pub fn anonymous(self) -> Self {
        if self.is_near_miss { Self::new(self.expected, "准确的字段名和位置") } else { self }
    }
}

/// Does not show the field, whose name may be the caller's.
impl fmt::Debug for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterError").field("expected", &self.expected).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_no_name_that_the_caller_invented() {
        let name = "publicParams.dryRun13800000001".to_owned();
        let near_miss = ParameterError::near_miss(name, "publicParams.dryRun");
        assert!(!format!("{near_miss:?} {near_miss}").contains("138"));
        let anonymous = near_miss.anonymous();
        assert_eq!((&*anonymous.field, anonymous.expected), ("publicParams.dryRun", "准确的字段名和位置"));
        let other = ParameterError::new("data[3]", "对象");
        assert_eq!(other.clone().anonymous(), other);
    }
}
