//! The group names of a record.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::request::failure::FieldFault;
use crate::request::params::OptType;
use crate::request::text::{fault, trim};

/// The longest group name, in bytes of UTF-8 (contract, section 4).
pub const MAX_NAME_BYTES: usize = 256;

/// The most distinct group names of one record (contract, section 4).
pub const MAX_NAMES: usize = 100;

/// The `groups` field of a record: names separated by `,`.
#[derive(Default)]
pub struct GroupNames<'a>(Cow<'a, str>);

impl<'a> GroupNames<'a> {
    /// Parses the field. U+FFFD may be deleted: what was once written must be removable.
    ///
    /// # Errors
    /// A name is too long or has a character that it may not have, or there are too many.
    pub fn parse(field: Cow<'a, str>, opt_type: OptType) -> Result<Self, FieldFault> {
        let groups = Self(field);
        let may_have =
            |fault: FieldFault| fault == FieldFault::ReplacementCharacter && opt_type == OptType::Delete;
        for name in groups.iter() {
            if name.len() > MAX_NAME_BYTES {
                return Err(FieldFault::GroupNameTooLong);
            }
            if let Some(fault) = fault(name).filter(|fault| !may_have(*fault)) {
                return Err(fault);
            }
        }
        // Duplicates only lower the count, so a set is built only above the limit.
        if groups.iter().nth(MAX_NAMES).is_some() && groups.iter().collect::<HashSet<_>>().len() > MAX_NAMES {
            return Err(FieldFault::TooManyGroups);
        }
        Ok(groups)
    }

    /// The non-empty names, trimmed, in the order sent, including duplicates.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').map(trim).filter(|name| !name.is_empty())
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::vectors;

    #[test]
    fn names_are_those_of_the_vectors() {
        for vector in vectors("groups") {
            let sent = vector["sent"].as_str().expect("a text");
            for opt_type in [OptType::Add, OptType::Delete] {
                match GroupNames::parse(sent.into(), opt_type) {
                    Err(_) => assert!(!vector[opt_type.name()].is_array(), "{vector}"),
                    Ok(groups) => {
                        let mut names: Vec<_> = groups.iter().collect();
                        let mut seen = HashSet::new();
                        names.retain(|name| seen.insert(*name));
                        assert_eq!(vector[opt_type.name()], json!(names), "{vector}");
                        assert_eq!(groups.is_empty(), names.is_empty(), "{vector}");
                    }
                }
            }
        }
    }

    #[test]
    fn some_characters_inside_a_name_are_invalid() {
        let fault = |field: String, opt_type| GroupNames::parse(field.into(), opt_type).err();
        for char in ('\0'..='\u{1f}').chain(['\u{7f}']) {
            for opt_type in [OptType::Add, OptType::Delete] {
                let fault = fault(format!("a, b{char}c"), opt_type);
                assert_eq!(fault, Some(FieldFault::ControlCharacter), "{char:?}");
            }
        }
        let replaced = "a,\u{fffd}".to_owned();
        assert_eq!(fault(replaced.clone(), OptType::Add), Some(FieldFault::ReplacementCharacter));
        assert_eq!(fault(replaced, OptType::Delete), None);
    }

    #[test]
    fn limits_are_exact() {
        let fault = |field: String| GroupNames::parse(field.into(), OptType::Delete).err();
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
