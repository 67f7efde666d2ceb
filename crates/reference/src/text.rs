//! How the model parses fields: white space, phones, group names (contract, section 4).

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
        if !" -()".contains(char) {
            bare.push(char);
        }
    }
    let bare = trim(&bare);
    for code in ["+86", "0086"] {
        if let Some(rest) = bare.strip_prefix(code) {
            return trim(rest);
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

/// Without the surrounding white space, as defined by Unicode (`White_Space`).
fn trim(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    while chars.last().is_some_and(is_white_space) {
        chars.pop();
    }
    while chars.first().is_some_and(is_white_space) {
        chars.remove(0);
    }
    chars.into_iter().collect()
}

fn is_white_space(char: &char) -> bool {
    matches!(
        char,
        '\u{9}'..='\u{d}' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}'
            | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}
