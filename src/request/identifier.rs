//! The identifiers of a customer, and their normalised form.

use std::borrow::Cow;

use crate::request::failure::{FieldFault, has_control_character};

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
    /// The value has a control character or is too long.
    pub fn normalise(self, value: Cow<'_, str>) -> Result<Option<Cow<'_, str>>, FieldFault> {
        let value = map_str(value, str::trim);
        if has_control_character(&value) {
            return Err(FieldFault::ControlCharacter);
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

    /// Whether no identifier is given.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// The canonical form of a phone: spaces, `-`, `(` and `)` removed, then one leading `+86` or
/// `0086`, or `86` before an 11-digit number starting with 1 (contract, section 4).
fn canonical_phone(phone: Cow<'_, str>) -> Cow<'_, str> {
    const SEPARATORS: [char; 4] = [' ', '-', '(', ')'];
    let phone = if phone.contains(SEPARATORS) { Cow::Owned(phone.replace(SEPARATORS, "")) } else { phone };
    // Removing separators or a prefix may leave white space at the edges.
    map_str(phone, |phone| without_country_code(phone.trim()).trim())
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

    fn phone(sent: &str) -> Option<String> {
        Identifier::Phone.normalise(sent.into()).expect("a valid phone").map(Cow::into_owned)
    }

    #[test]
    fn phones_are_normalised() {
        let cases = [
            ("13800000001", "13800000001"),
            (" 138-0000 0001 ", "13800000001"),
            ("+8613800000001", "13800000001"),
            ("(+86) 138-0000-0001", "13800000001"),
            ("008613800000001", "13800000001"),
            ("8613800000001", "13800000001"),
            ("86 138 0000 0001", "13800000001"),
            // `86` is kept unless an 11-digit number starting with 1 follows.
            ("8623800000001", "8623800000001"),
            ("861380000000", "861380000000"),
            ("86138000000011", "86138000000011"),
            ("8613800x00001", "8613800x00001"),
            ("8610", "8610"),
            // Only one prefix is removed.
            ("+86+8613800000001", "+8613800000001"),
            ("+868613800000001", "8613800000001"),
            ("00860086138", "0086138"),
            ("+862112345678", "2112345678"),
            ("+1 415 555 0100", "+14155550100"),
            ("１３８", "１３８"),
            ("(\u{3000}13800000001\u{a0})", "13800000001"),
        ];
        for (sent, canonical) in cases {
            assert_eq!(phone(sent).as_deref(), Some(canonical), "{sent:?}");
        }
    }

    #[test]
    fn phones_without_digits_are_missing() {
        for sent in ["", "  ", "()- ", "+86", "0086", " + 8 6 ", "\u{3000}", "(\u{3000})", "+86 \t"] {
            assert_eq!(phone(sent), None, "{sent:?}");
        }
    }

    #[test]
    fn surrounding_white_space_is_removed() {
        let openid = |sent: &'static str| Identifier::Openid.normalise(sent.into()).expect("valid");
        assert_eq!(openid("\u{3000} o-1 (x)\t\n").as_deref(), Some("o-1 (x)"));
        assert_eq!(openid(" \u{a0}\r\n"), None);
        let owned = Identifier::Unionid.normalise(Cow::Owned(" u 1 ".to_owned())).expect("valid");
        assert_eq!(owned.as_deref(), Some("u 1"));
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
                assert_eq!(normalise(format!("{char}12 ")), expected, "{char:?}");
            }
            assert_eq!(normalise("1\u{80}\u{2028}2".to_owned()), Ok(true));
        }
    }

    #[test]
    fn length_limit_is_exact() {
        for identifier in Identifier::ALL {
            let normalise =
                |sent: String| identifier.normalise(Cow::Owned(sent)).map(|value| value.is_some());
            assert_eq!(normalise(format!(" {}x\n", "客".repeat(341))), Ok(true));
            assert_eq!(normalise("客".repeat(342)), Err(FieldFault::IdentifierTooLong));
        }
    }
}
