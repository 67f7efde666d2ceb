//! Why a request is rejected as a whole (contract, section 2).

use serde_json::value::RawValue;

/// Why a request is rejected. Except for a defect, no membership was written, and only the token was
/// read unless the `Idempotency-Key`, the size of the explanation or of the outcome is the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No such address.
    NotFound,
    /// The payload of the invocation is neither kind of event (contract, section 11).
    UnknownEvent,
    /// The address that the platform has retired.
    Retired,
    /// A method other than `POST`.
    MethodNotAllowed,
    /// The token is missing, unknown or expired; the response is the same.
    Token,
    /// The token is valid, but the tenant is disabled or lacks the permission.
    Forbidden,
    /// The `Idempotency-Key` was used earlier with another body.
    KeyReused,
    /// The token or the `Idempotency-Key` could not be checked.
    Unavailable,
    /// The content type is not JSON.
    UnsupportedMediaType,
    /// The body is larger than this many bytes.
    BodyTooLarge(usize),
    /// There are more than this many records.
    TooManyRecords(usize),
    /// The response could be larger than this many bytes.
    ResponseTooLarge(usize),
    /// The outcome could be larger than this many bytes, the most that an `Idempotency-Key` can keep.
    OutcomeTooLarge(usize),
    /// The body is empty or blank.
    EmptyBody,
    /// The body is not UTF-8: compressed, or in another encoding.
    NotUtf8,
    /// The text of the body ends being JSON here; both numbers count from 1, columns in characters.
    NotJson {
        /// The line.
        line: usize,
        /// The column in the line.
        column: usize,
    },
    /// The body is JSON, but not an object.
    NotAnObject,
    /// A parameter is missing, invalid or misnamed.
    Parameter(ParameterError),
    /// There is an `Idempotency-Key`, but no table for the outcomes.
    KeysNotSupported,
    /// A defect of the function.
    Internal,
}

impl Rejection {
    /// That the value of `field`, a path in the body such as `publicParams.optType`, is not as expected, in Chinese.
    pub fn invalid(field: impl Into<String>, expected: &'static str) -> Self {
        Self::Parameter(ParameterError { field: field.into(), expected, fault: ParameterFault::Invalid })
    }

    /// The same of a parameter with this value, or without one.
    pub fn parameter(field: impl Into<String>, value: Option<&RawValue>, expected: &'static str) -> Self {
        let is_missing = value.is_none_or(|value| value.get() == "null");
        let fault = if is_missing { ParameterFault::Missing } else { ParameterFault::Invalid };
        Self::Parameter(ParameterError { field: field.into(), expected, fault })
    }

    /// That a member's name, as sent, at its path, is a near miss of a parameter.
    pub fn near_miss(field: String, parameter: &'static str) -> Self {
        Self::Parameter(ParameterError { field, expected: parameter, fault: ParameterFault::NearMiss })
    }

    /// The rejection with the name of the parameter that is meant, instead of one that the caller invented: what a direct
    /// event returns is kept by others, such as the history of a state machine (contract, section 3).
    pub fn anonymous(self) -> Self {
        match self {
            Self::Parameter(ParameterError { expected, fault: ParameterFault::NearMiss, .. }) => {
                Self::near_miss(format!("publicParams.{expected}"), expected)
            }
            other => other,
        }
    }
}

/// Which parameter is at fault, and what was expected (contract, section 3).
#[derive(Clone, PartialEq, Eq)]
pub struct ParameterError {
    /// Its path in the body, such as `publicParams.optType` or `data[3]`.
    pub field: String,
    /// The expected value, in Chinese, or the name of the parameter that is meant; for the caller.
    pub expected: &'static str,
    /// What is wrong with it.
    pub fault: ParameterFault,
}

/// What is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterFault {
    /// It is missing or null.
    Missing,
    /// It has another value than expected.
    Invalid,
    /// Its name, which the caller invented, or its place is another than that of a parameter.
    NearMiss,
}

opaque_debug!(ParameterError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_shows_no_name_that_the_caller_invented() {
        let name = "publicParams.dryRun13800000001".to_owned();
        let near_miss = Rejection::near_miss(name, "dryRun");
        assert!(!format!("{near_miss:?}").contains("138"));
        assert_eq!(near_miss.anonymous(), Rejection::near_miss("publicParams.dryRun".to_owned(), "dryRun"));
        let other = Rejection::invalid("data[3]", "对象");
        assert_eq!(other.clone().anonymous(), other);
    }
}
