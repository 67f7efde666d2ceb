//! Text as people send it: what may surround a value, and which characters it may not have (contract, section 4).

use crate::request::failure::FieldFault;

/// Whether a character is invisible at the ends of a value: white space, or a mark that is typed or pasted along, such as
/// a zero-width space, a direction or a byte order mark.
pub fn is_invisible(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// The text without invisible characters at its ends.
pub fn trim(text: &str) -> &str {
    let is_visible = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    // Most values: thousands are trimmed for one request.
    if is_visible(text.as_bytes().first()) && is_visible(text.as_bytes().last()) {
        return text;
    }
    text.trim_matches(is_invisible)
}

/// The character that a trimmed identifier or group name may not have, if it has one.
///
/// U+FFFD replaces what something on the way could not decode: two values that were damaged alike would become one.
pub fn fault(text: &str) -> Option<FieldFault> {
    // With one look at most values: 0xEF begins the characters from U+F000 to U+FFFF.
    if !text.bytes().any(|byte| byte.is_ascii_control() || byte == 0xef) {
        None
    } else if text.bytes().any(|byte| byte.is_ascii_control()) {
        Some(FieldFault::ControlCharacter)
    } else if text.contains(char::REPLACEMENT_CHARACTER) {
        Some(FieldFault::ReplacementCharacter)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_marks_at_the_ends_are_no_part_of_a_value() {
        let invisible: Vec<_> =
            ('\0'..=char::MAX).filter(|char| trim(&char.to_string()).is_empty()).collect();
        let white_space = "\t\n\u{b}\u{c}\r \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";
        let marks = [0x200b..=0x200f, 0x202a..=0x202e, 0x2060..=0x206f, 0xfeff..=0xfeff];
        let marks = marks.into_iter().flatten().filter_map(char::from_u32);
        let mut expected: Vec<_> = white_space.chars().chain(marks).collect();
        expected.sort_unstable();
        assert_eq!(invisible, expected);
        assert_eq!(trim("\u{feff} \u{200b}\ta\u{200b} b\u{202c}\u{3000}\u{200f}"), "a\u{200b} b");
    }

    #[test]
    fn control_characters_and_the_replacement_character_are_faults() {
        for char in ('\0'..='\u{1f}').chain(['\u{7f}']) {
            assert_eq!(fault(&format!("1{char}\u{fffd}")), Some(FieldFault::ControlCharacter), "{char:?}");
        }
        assert_eq!(fault("王\u{fffd}"), Some(FieldFault::ReplacementCharacter));
        assert_eq!(fault("1 \u{80}\u{85}\u{200b}\u{2028}\u{fffc}2"), None);
    }
}
