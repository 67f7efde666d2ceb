//! The `Idempotency-Key` that a request may carry (contract, section 8).

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The value of an `Idempotency-Key` header: 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses a key; `None` if it is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let is_valid =
            (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then(|| Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

opaque_debug!(IdempotencyKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_1_to_255_visible_ascii_characters() {
        let longest = "k".repeat(255);
        for text in ["k", "!~", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", &longest] {
            let key = IdempotencyKey::parse(text).expect("a key");
            assert_eq!(key.as_str(), text);
            assert_eq!(format!("{key:?}"), "IdempotencyKey");
        }
        let too_long = "k".repeat(256);
        for text in ["", " ", "a b", "a\t", "键", "a\u{7f}", &too_long] {
            assert_eq!(IdempotencyKey::parse(text), None, "{text:?}");
        }
    }
}
