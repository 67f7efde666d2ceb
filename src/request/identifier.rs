//! The identifiers of a customer, and their normalised form.

use std::borrow::Cow;

use crate::request::failure::FieldFault;
use crate::request::text::{fault, is_invisible, trim};

/// The longest identifier, in bytes of UTF-8 (contract, section 4).
pub const MAX_IDENTIFIER_BYTES: usize = 1024;

/// A type of identifier: one field of a record, one attribute of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// WeChat unionid.
    Unionid,
    /// WeChat openid.
    Openid,
    /// Phone number.
    Phone,
    /// The platform's customer ID.
    AudienceUserId,
}

impl Identifier {
    /// The number of types.
    pub const COUNT: usize = 4;

    /// Every type, in the order of the record's fields.
    pub const ALL: [Identifier; Self::COUNT] =
        [Self::AudienceUserId, Self::Openid, Self::Unionid, Self::Phone];

    /// The name of the record's field and of the customer's attribute.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Unionid => "unionid",
            Self::Openid => "openid",
            Self::Phone => "phone",
            Self::AudienceUserId => "audienceUserId",
        }
    }

    /// The value in the form in which it is compared; `None` if it is empty (contract, section 4).
    ///
    /// # Errors
    /// The value has a character that it may not have, or is too long.
    pub fn normalise(self, value: Cow<'_, str>) -> Result<Option<Cow<'_, str>>, FieldFault> {
        let value = map_str(value, trim);
        if let Some(fault) = fault(&value) {
            return Err(fault);
        }
        let value = match self {
            Self::Phone => canonical_phone(value),
            Self::Unionid | Self::Openid | Self::AudienceUserId => value,
        };
        match value.len() {
            0 => Ok(None),
            1..=MAX_IDENTIFIER_BYTES => Ok(Some(value)),
            _ => Err(FieldFault::IdentifierTooLong),
        }
    }
}

/// The identifiers of one record, normalised.
#[derive(Default)]
pub struct Identifiers<'a>([Option<Cow<'a, str>>; Identifier::COUNT]);

impl<'a> Identifiers<'a> {
    /// The value of `identifier`, if given.
    pub fn get(&self, identifier: Identifier) -> Option<&str> {
        self.0[identifier as usize].as_deref()
    }

    /// Sets or clears the value of `identifier`; it must be normalised.
    pub fn set(&mut self, identifier: Identifier, value: Option<Cow<'a, str>>) {
        self.0[identifier as usize] = value;
    }
}

/// The canonical form of a phone: full-width forms as ASCII, what separates digits removed, then one trailing `.0` (a
/// spreadsheet's), then one leading `+86` or `0086`, or `86` before an 11-digit number starting with 1 (contract,
/// section 4).
fn canonical_phone(phone: Cow<'_, str>) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'-' | b'(' | b')');
    let phone = if phone.bytes().all(is_plain) {
        phone
    } else {
        phone.chars().map(to_half_width).filter(|char| !is_separator(*char)).collect()
    };
    map_str(phone, |phone| without_country_code(phone.strip_suffix(".0").unwrap_or(phone)))
}

/// U+FF01 to U+FF5E are the visible characters of ASCII, in the width of Chinese ones.
fn to_half_width(char: char) -> char {
    match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(char as u32 - 0xff01 + 0x21).unwrap_or(char),
        _ => char,
    }
}

fn is_separator(char: char) -> bool {
    is_invisible(char) || matches!(char, '-' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn without_country_code(phone: &str) -> &str {
    if let Some(rest) = phone.strip_prefix("+86").or_else(|| phone.strip_prefix("0086")) {
        return rest;
    }
    match phone.strip_prefix("86") {
        Some(rest) if is_mobile_number(rest) => rest,
        _ => phone,
    }
}

fn is_mobile_number(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1') && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Narrows a string to a part of it, without copying a borrowed one.
fn map_str(value: Cow<'_, str>, narrow: fn(&str) -> &str) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(narrow(text)),
        Cow::Owned(text) => {
            let narrowed = narrow(&text);
            if narrowed.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(narrowed.to_owned()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::vectors;

    #[test]
    fn values_are_compared_as_the_vectors_say() {
        for identifier in Identifier::ALL {
            for vector in vectors(&format!("{}s", identifier.field())) {
                let sent = vector["sent"].as_str().expect("a text");
                for given in [Cow::Borrowed(sent), Cow::Owned(sent.to_owned())] {
                    let compared = identifier.normalise(given);
                    if vector["invalid"] == true {
                        assert!(compared.is_err(), "{vector}");
                    } else {
                        let compared = compared.map(|value| value.map(Cow::into_owned));
                        assert_eq!(compared, Ok(vector["compared"].as_str().map(str::to_owned)), "{vector}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_ordinary_value_is_not_copied() {
        for (identifier, sent) in [
            (Identifier::Phone, "13800000001"),
            (Identifier::Phone, "+8613800000001.0"),
            (Identifier::Openid, "\u{feff} o-1\u{200b}"),
        ] {
            let value = identifier.normalise(sent.into()).expect("valid");
            assert!(matches!(value, Some(Cow::Borrowed(_))), "{sent}");
        }
    }

    #[test]
    fn control_characters_are_invalid_inside_a_value() {
        for identifier in Identifier::ALL {
            let normalise =
                |sent: String| identifier.normalise(Cow::Owned(sent)).map(|value| value.is_some());
            for char in ('\0'..='\u{1f}').chain(['\u{7f}']) {
                assert_eq!(normalise(format!("1{char}2")), Err(FieldFault::ControlCharacter), "{char:?}");
                // White space at the ends is no part of the value.
                let expected =
                    if char.is_whitespace() { Ok(true) } else { Err(FieldFault::ControlCharacter) };
                assert_eq!(normalise(format!("\u{200b}{char}12 ")), expected, "{char:?}");
            }
            assert_eq!(normalise("1\u{fffd}".to_owned()), Err(FieldFault::ReplacementCharacter));
        }
    }

    #[test]
    fn length_limit_is_exact() {
        for identifier in Identifier::ALL {
            let normalise =
                |sent: String| identifier.normalise(Cow::Owned(sent)).map(|value| value.is_some());
            assert_eq!(normalise(format!(" {}x\n", "客".repeat(341))), Ok(true));
            assert_eq!(normalise("客".repeat(342)), Err(FieldFault::IdentifierTooLong));
            // The limit is that of a phone in its canonical form.
            let spaced = normalise("+86 ".to_owned() + &"1 ".repeat(1024) + ".0");
            let is_phone = identifier == Identifier::Phone;
            assert_eq!(spaced, if is_phone { Ok(true) } else { Err(FieldFault::IdentifierTooLong) });
        }
    }
}
