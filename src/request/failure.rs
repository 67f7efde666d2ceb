//! Why a record was not imported (contract, section 4).

/// Why the database gave no answer for something it was asked to read or write.
///
/// Ordered as the contract's table orders the codes, so that the smaller of two is the one told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// The database refused or failed, after retries.
    StoreError,
    /// The invocation's time ran out first.
    Timeout,
}

/// What is wrong with a field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldFault {
    /// The value is not a JSON string, or its escapes form no Unicode text.
    NotText,
    /// An identifier over [`MAX_IDENTIFIER_BYTES`](crate::request::identifier::MAX_IDENTIFIER_BYTES).
    IdentifierTooLong,
    /// A group name over [`MAX_NAME_BYTES`](crate::request::group::MAX_NAME_BYTES).
    GroupNameTooLong,
    /// More than [`MAX_NAMES`](crate::request::group::MAX_NAMES) group names.
    TooManyGroups,
}

/// Why a record failed. Ordered as the contract's table: where several apply, the smallest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A field is not a string, or too long.
    InvalidField {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        fault: FieldFault,
    },
    /// No identifier that the mode can use is given.
    MissingIdentifier,
    /// No group name is left after splitting.
    MissingGroups,
    /// No such customer in this tenant.
    NotMatched,
    /// Exact matching: the identifiers belong to different customers.
    Conflict,
    /// The identifier that decides belongs to more than one customer.
    Ambiguous,
    /// The database gave no answer; the record can be sent again.
    Outage(Outage),
}

impl Failure {
    /// The code that programs read.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "INVALID_FIELD",
            Self::MissingIdentifier => "MISSING_IDENTIFIER",
            Self::MissingGroups => "MISSING_GROUPS",
            Self::NotMatched => "NOT_MATCHED",
            Self::Conflict => "CONFLICT",
            Self::Ambiguous => "AMBIGUOUS",
            Self::Outage(Outage::StoreError) => "STORE_ERROR",
            Self::Outage(Outage::Timeout) => "TIMEOUT",
        }
    }

    /// Whether the same record may succeed when it is sent again as it is.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Outage(_))
    }

    /// What people read. At most [`MAX_MESSAGE_BYTES`] long and free of anything the caller sent.
    pub fn message(self) -> String {
        match self {
            Self::InvalidField { field, fault } => match fault {
                FieldFault::NotText => format!("{field}必须是字符串"),
                FieldFault::IdentifierTooLong => format!("{field}超过1024字节"),
                FieldFault::GroupNameTooLong => format!("{field}中有超过256字节的分组名"),
                FieldFault::TooManyGroups => format!("{field}超过100个分组名"),
            },
            Self::MissingIdentifier => "缺少可用的客户标识".to_owned(),
            Self::MissingGroups => "缺少客户分组".to_owned(),
            Self::NotMatched => "未匹配到客户".to_owned(),
            Self::Conflict => "客户标识属于不同的客户".to_owned(),
            Self::Ambiguous => "客户标识对应多个客户".to_owned(),
            Self::Outage(Outage::StoreError) => "数据库暂时不可用，请重试".to_owned(),
            Self::Outage(Outage::Timeout) => "处理超时，请重试".to_owned(),
        }
    }
}

/// The bound on [`Failure::message`], in bytes: the size of an answer is reckoned with it.
pub const MAX_MESSAGE_BYTES: usize = 64;

impl From<Outage> for Failure {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every failure in the order of the contract's table.
    pub const ALL: [(Failure, &str, bool); 11] = [
        (invalid(FieldFault::NotText), "INVALID_FIELD", false),
        (invalid(FieldFault::IdentifierTooLong), "INVALID_FIELD", false),
        (invalid(FieldFault::GroupNameTooLong), "INVALID_FIELD", false),
        (invalid(FieldFault::TooManyGroups), "INVALID_FIELD", false),
        (Failure::MissingIdentifier, "MISSING_IDENTIFIER", false),
        (Failure::MissingGroups, "MISSING_GROUPS", false),
        (Failure::NotMatched, "NOT_MATCHED", false),
        (Failure::Conflict, "CONFLICT", false),
        (Failure::Ambiguous, "AMBIGUOUS", false),
        (Failure::Outage(Outage::StoreError), "STORE_ERROR", true),
        (Failure::Outage(Outage::Timeout), "TIMEOUT", true),
    ];

    const fn invalid(fault: FieldFault) -> Failure {
        Failure::InvalidField { field: "audienceUserId", fault }
    }

    #[test]
    fn codes_and_order_are_the_contracts() {
        for (failure, code, retryable) in ALL {
            assert_eq!((failure.code(), failure.retryable()), (code, retryable));
        }
        assert!(ALL.is_sorted_by_key(|(failure, ..)| *failure));
    }

    #[test]
    fn messages_keep_to_their_bound_and_need_no_escape() {
        for (failure, ..) in ALL {
            let message = failure.message();
            assert!(!message.is_empty() && message.len() <= MAX_MESSAGE_BYTES, "{message}");
            assert!(!message.contains(['"', '\\']), "{message}");
        }
    }
}
