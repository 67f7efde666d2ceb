//! Why a record was not imported (contract, section 4).

/// Why a read or write of the database failed.
///
/// In the order of the contract's table of codes: the smaller of two is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// The database rejected the call or failed, after retries.
    StoreError,
    /// The invocation's time ran out first.
    Timeout,
}

/// Why a field of a record is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldFault {
    /// The value is not a JSON string.
    NotString,
    /// The escapes of the string are not valid Unicode.
    NotText,
    /// An identifier over [`MAX_IDENTIFIER_BYTES`](crate::request::identifier::MAX_IDENTIFIER_BYTES).
    IdentifierTooLong,
    /// A group name over [`MAX_NAME_BYTES`](crate::request::group::MAX_NAME_BYTES).
    GroupNameTooLong,
    /// More than [`MAX_NAMES`](crate::request::group::MAX_NAMES) group names.
    TooManyGroups,
    /// A control character inside an identifier or a group name.
    ControlCharacter,
    /// U+FFFD inside an identifier or a group name.
    ReplacementCharacter,
    /// It is not given, but a field with nearly its name is.
    Misnamed,
}

/// Why a record failed. In the order of the contract's table: if several apply, the smallest is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A field is not a string, too long, has a character that it may not have, or is misnamed.
    InvalidField {
        /// The field's name.
        field: &'static str,
        /// Why it is invalid.
        fault: FieldFault,
    },
    /// The record has no identifier.
    MissingIdentifier,
    /// Without matching: the record has no customer ID.
    MissingCustomerId,
    /// The record has no group name.
    MissingGroups,
    /// The identifiers match no customer of the tenant.
    NotMatched,
    /// Exact matching: the identifiers belong to different customers.
    Conflict,
    /// The identifiers match more than one customer.
    Ambiguous,
    /// A call to the database failed; the record can be sent again.
    Outage(Outage),
}

impl Failure {
    /// The machine-readable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "INVALID_FIELD",
            Self::MissingIdentifier | Self::MissingCustomerId => "MISSING_IDENTIFIER",
            Self::MissingGroups => "MISSING_GROUPS",
            Self::NotMatched => "NOT_MATCHED",
            Self::Conflict => "CONFLICT",
            Self::Ambiguous => "AMBIGUOUS",
            Self::Outage(Outage::StoreError) => "STORE_ERROR",
            Self::Outage(Outage::Timeout) => "TIMEOUT",
        }
    }

    /// Whether the same record may succeed if it is sent again.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Outage(_))
    }

    /// The message for people, at most 64 bytes long. It has no data of the caller but the name of a
    /// misnamed field, as a message shows it: `misnamed`.
    pub fn message(self, misnamed: &str) -> String {
        match self {
            Self::InvalidField { field, fault } => match fault {
                FieldFault::NotString => format!("{field}必须是字符串"),
                FieldFault::NotText => format!("{field}含有无法解码的转义字符"),
                FieldFault::IdentifierTooLong => format!("{field}超过1024字节"),
                FieldFault::GroupNameTooLong => format!("{field}中有分组名超过256字节"),
                FieldFault::TooManyGroups => format!("{field}中的分组超过100个"),
                FieldFault::ControlCharacter => format!("{field}含有控制字符"),
                FieldFault::ReplacementCharacter => format!("{field}含有U+FFFD，可能已损坏"),
                FieldFault::Misnamed => format!("字段名{misnamed}应为{field}"),
            },
            Self::MissingIdentifier => "缺少可用的身份标识".to_owned(),
            Self::MissingCustomerId => "缺少audienceUserId".to_owned(),
            Self::MissingGroups => "缺少groups，或其中没有分组名".to_owned(),
            Self::NotMatched => "未匹配到客户".to_owned(),
            Self::Conflict => "身份标识分属不同的客户".to_owned(),
            Self::Ambiguous => "用于匹配的身份标识对应多个客户".to_owned(),
            Self::Outage(Outage::StoreError) => "系统繁忙，请稍后重试".to_owned(),
            Self::Outage(Outage::Timeout) => "处理超时，请稍后重试".to_owned(),
        }
    }
}

/// The longest [`Failure::message`], in bytes; the size of a response is estimated with it.
const MAX_MESSAGE_BYTES: usize = 64;

/// The most bytes of what is added to the fields of a failed record: names, code, message and punctuation, each quote
/// counted twice.
pub const FAILURE_BYTES: usize = 256 + MAX_MESSAGE_BYTES;

impl From<Outage> for Failure {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::identifier::Identifier;
    use crate::request::name::MAX_SHOWN;

    /// Every failure in the order of the contract's table.
    pub const ALL: [(Failure, &str, bool); 16] = [
        (invalid(FieldFault::NotString), "INVALID_FIELD", false),
        (invalid(FieldFault::NotText), "INVALID_FIELD", false),
        (invalid(FieldFault::IdentifierTooLong), "INVALID_FIELD", false),
        (invalid(FieldFault::GroupNameTooLong), "INVALID_FIELD", false),
        (invalid(FieldFault::TooManyGroups), "INVALID_FIELD", false),
        (invalid(FieldFault::ControlCharacter), "INVALID_FIELD", false),
        (invalid(FieldFault::ReplacementCharacter), "INVALID_FIELD", false),
        (invalid(FieldFault::Misnamed), "INVALID_FIELD", false),
        (Failure::MissingIdentifier, "MISSING_IDENTIFIER", false),
        (Failure::MissingCustomerId, "MISSING_IDENTIFIER", false),
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
    fn codes_and_order_match_the_contract() {
        for (failure, code, retryable) in ALL {
            assert_eq!((failure.code(), failure.retryable()), (code, retryable));
        }
        assert!(ALL.is_sorted_by_key(|(failure, ..)| *failure));
    }

    #[test]
    fn messages_are_short_distinct_and_need_no_escapes() {
        let messages: std::collections::HashSet<_> =
            ALL.iter().map(|(failure, ..)| failure.message("")).collect();
        assert_eq!(messages.len(), ALL.len());
        for (failure, ..) in ALL {
            let message = failure.message(&"_".repeat(MAX_SHOWN));
            assert!(!message.is_empty() && message.len() <= MAX_MESSAGE_BYTES, "{message}");
            assert!(!message.contains(['"', '\\']), "{message}");
        }
        // No name is longer than that of `invalid`.
        assert!(Identifier::ALL.iter().all(|identifier| identifier.field().len() <= "audienceUserId".len()));
    }
}
