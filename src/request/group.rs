//! The group names of a record.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::request::failure::{FieldFault, has_control_character};

/// The longest group name, in bytes of UTF-8 (contract, section 4).
pub const MAX_NAME_BYTES: usize = 256;

/// The most distinct group names of one record (contract, section 4).
pub const MAX_NAMES: usize = 100;

/// The `groups` field of a record: names separated by `,`.
#[derive(Default)]
pub struct GroupNames<'a>(Cow<'a, str>);

impl<'a> GroupNames<'a> {
    /// Parses the field.
    ///
    /// # Errors
    /// A name is too long or has a control character, or there are too many.
    pub fn parse(field: Cow<'a, str>) -> Result<Self, FieldFault> {
        let groups = Self(field);
        if groups.iter().any(|name| name.len() > MAX_NAME_BYTES) {
            return Err(FieldFault::GroupNameTooLong);
        }
        if groups.iter().any(has_control_character) {
            return Err(FieldFault::ControlCharacter);
        }
        // Duplicates only lower the count, so a set is built only above the limit.
        if groups.iter().nth(MAX_NAMES).is_some() && groups.iter().collect::<HashSet<_>>().len() > MAX_NAMES {
            return Err(FieldFault::TooManyGroups);
        }
        Ok(groups)
    }

    /// The non-empty names, trimmed, in the order sent, including duplicates.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(field: &str) -> Vec<String> {
        GroupNames::parse(field.into()).expect("within the limits").iter().map(str::to_owned).collect()
    }

    #[test]
    fn names_are_split_at_commas_and_trimmed() {
        assert_eq!(names(" vip ,, 新客 ,\u{3000}a b\t,"), ["vip", "新客", "a b"]);
        assert_eq!(names("一，二"), ["一，二"]);
        assert!(GroupNames::parse(" , ,,".into()).expect("within the limits").is_empty());
        assert!(GroupNames::parse("".into()).expect("within the limits").is_empty());
    }

    #[test]
    fn control_characters_inside_a_name_are_invalid() {
        let fault = |field: String| GroupNames::parse(field.into()).err();
        for char in ('\0'..='\u{1f}').chain(['\u{7f}']) {
            assert_eq!(fault(format!("a, b{char}c")), Some(FieldFault::ControlCharacter), "{char:?}");
        }
        assert_eq!(fault("a\t,\r\nb\u{80}\u{85}c".to_owned()), None);
    }

    #[test]
    fn limits_are_exact() {
        let fault = |field: String| GroupNames::parse(field.into()).err();
        assert_eq!(fault(format!(" {} ", "分".repeat(85))), None);
        assert_eq!(fault("n".repeat(256)), None);
        assert_eq!(fault(format!("ok,{}", "n".repeat(257))), Some(FieldFault::GroupNameTooLong));
        assert_eq!(fault("分".repeat(86)), Some(FieldFault::GroupNameTooLong));

        let hundred: Vec<_> = (0..100).map(|n| format!("g{n}")).collect();
        assert_eq!(fault(hundred.join(",")), None);
        assert_eq!(fault([hundred.join(","), hundred.join(",")].join(",")), None);
        assert_eq!(fault(hundred.join(",") + ",g100"), Some(FieldFault::TooManyGroups));
    }
}
