//! Names of members as people misspell them, and how a message shows them (contract, section 3).

/// The longest name that a message shows, in characters.
pub const MAX_SHOWN: usize = 32;

/// The characters of a name without `_` and `-`, and with its ASCII letters in lower case.
pub fn fold(name: &str) -> impl Iterator<Item = char> + Clone {
    name.chars().filter(|char| !matches!(char, '_' | '-')).map(|char| char.to_ascii_lowercase())
}

/// Whether both names fold to the same.
pub fn is_alike(name: &str, other: &str) -> bool {
    fold(name).eq(fold(other))
}

/// A name as a message shows it: cut, and control characters as `?`.
pub fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).map(|char| if char.is_ascii_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_but_for_case_and_punctuation() {
        for name in ["unionid", "unionId", "UNION_ID", "-union-id_", "u-n_ionid"] {
            assert!(is_alike(name, "unionid"), "{name}");
        }
        for name in ["", "unionids", "union id", "union.id", "unìonid", "ｕnionid", "un\u{130}onid"] {
            assert!(!is_alike(name, "unionid"), "{name}");
        }
    }

    #[test]
    fn a_shown_name_is_cut_and_has_no_control_characters() {
        assert_eq!(shown("a\n\u{0}\u{1f}\u{7f}\"名"), "a????\"名");
        assert_eq!(shown(&"名".repeat(33)), "名".repeat(32));
    }
}
