//! How the model parses fields: white space and marks, phones, group names; and their names (contract, sections 3 and 4).

use serde_json::Value;

/// The value of an identifier, in the form compared.
pub fn value(record: &Value, field: &str) -> Option<String> {
    let sent = trim(record[field].as_str()?);
    let value = if field == "phone" { canonical(&sent) } else { sent };
    if value.is_empty() { None } else { Some(value) }
}

/// A phone in canonical form.
fn canonical(phone: &str) -> String {
    let mut bare = String::new();
    for char in phone.chars() {
        let code = char as u32;
        let char = match code {
            0xff01..=0xff5e => (code - 0xfee0) as u8 as char,
            _ => char,
        };
        let dash = char == '-' || (0x2010..=0x2015).contains(&code) || code == 0x2212;
        if !dash && char != '(' && char != ')' && !is_invisible(&char) {
            bare.push(char);
        }
    }
    if bare.ends_with(".0") {
        bare.truncate(bare.len() - 2);
    }
    for code in ["+86", "0086"] {
        if let Some(rest) = bare.strip_prefix(code) {
            return rest.to_owned();
        }
    }
    let digits: Vec<char> = bare.chars().collect();
    let mobile = digits.len() == 13
        && digits[..3] == ['8', '6', '1']
        && digits[3..].iter().all(|digit| "0123456789".contains(*digit));
    if mobile { bare[2..].to_owned() } else { bare }
}

/// The group names of a field: in the order sent, distinct and not empty.
pub fn split(groups: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    for char in groups.chars() {
        if char == ',' {
            names.push(String::new());
        } else {
            names.last_mut().expect("there is one").push(char);
        }
    }
    let mut distinct = Vec::new();
    for name in names {
        let name = trim(&name);
        if !name.is_empty() && !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Whether a text contains a control character.
pub fn has_control_character(text: &str) -> bool {
    trim(text).chars().any(|char| matches!(char, '\0'..='\u{1f}' | '\u{7f}'))
}

/// Whether a text contains U+FFFD.
pub fn has_replacement_character(text: &str) -> bool {
    text.chars().any(|char| char as u32 == 0xfffd)
}

/// Whether a value is null, or a text of white space and marks alone.
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => trim(text).is_empty(),
        other => other.is_null(),
    }
}

/// A name without `_` and `-`, its ASCII letters in lower case.
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-'], "")
}

/// Without the surrounding white space, as defined by Unicode (`White_Space`), and the surrounding marks.
fn trim(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    while chars.last().is_some_and(is_invisible) {
        chars.pop();
    }
    let begin = chars.iter().take_while(|char| is_invisible(char)).count();
    chars[begin..].iter().collect()
}

fn is_invisible(char: &char) -> bool {
    let white_space = matches!(
        char,
        '\u{9}'..='\u{d}' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}'
            | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    let marks = [(0x200b, 0x200f), (0x202a, 0x202e), (0x2060, 0x206f), (0xfeff, 0xfeff)];
    white_space || marks.iter().any(|(first, last)| (*first..=*last).contains(&(*char as u32)))
}
