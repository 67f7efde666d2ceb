//! The members of a JSON object, as they were sent.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in the order sent, each value as the JSON text that was sent.
#[derive(Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A member that was selected by its name.
pub struct Member<'a, T> {
    /// The name as sent.
    pub name: Cow<'a, str>,
    /// What it was selected for.
    pub meant: T,
    /// The JSON text of the value.
    pub value: &'a RawValue,
}

impl<'a> Object<'a> {
    /// Reads the text of a JSON object. In a name that is not valid Unicode, each half of a surrogate pair is U+FFFD.
    ///
    /// # Errors
    /// The text is not JSON, or (`is_data()`) it is not an object.
    pub fn parse(json: &'a str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let object = deserializer.deserialize_map(Reader)?;
        deserializer.end()?;
        Ok(object)
    }

    /// The value of a member, of a repeated one the last, as in `JSON.parse`; a JSON `null` is returned as `null`.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| *value)
    }

    /// The members whose names mean something, each name once: in the place of its first value, with its last.
    pub fn select<T>(&self, meant: impl Fn(&str) -> Option<T>) -> Vec<Member<'a, T>> {
        let mut places = HashMap::new();
        let mut members: Vec<Member<'a, T>> = Vec::new();
        for (name, value) in &self.0 {
            let Some(meant) = meant(name) else { continue };
            let place = *places.entry(name).or_insert(members.len());
            match members.get_mut(place) {
                Some(earlier) => earlier.value = value,
                None => members.push(Member { name: name.clone(), meant, value }),
            }
        }
        members
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        // Enough for a record, thousands of which are read for one request.
        let mut members = Vec::with_capacity(8);
        // A key is read raw because its escapes may not be valid Unicode.
        while let Some((key, value)) = object.next_entry::<&RawValue, &RawValue>()? {
            members.push((text(key).unwrap_or_else(|| lossy(key).into()), value));
        }
        Ok(Object(members))
    }
}

/// The text of a JSON string; `None` if `raw` is not one or its escapes are not valid Unicode.
pub fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let quoted = raw.get();
    // Most strings have no escapes: the text is what is between the quotes.
    if let Some(inner) = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        && !inner.contains('\\')
    {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(quoted).ok().map(|Text(text)| text)
}

/// The text of a JSON string whose escapes are not valid Unicode, with U+FFFD for each half of a surrogate pair.
fn lossy(raw: &RawValue) -> String {
    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
            let mut text = String::new();
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                // serde_json encodes half a pair as UTF-8 would: each of its three bytes is invalid.
                if chunk.invalid().first() == Some(&0xed) {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
            Ok(text)
        }
    }

    serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(Bytes).unwrap_or_default()
}

/// The size of a JSON text as a string inside JSON, in bytes: quotes, backslashes and control
/// characters count twice.
pub fn escaped_bytes(raw: &RawValue) -> usize {
    let json = raw.get();
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).count()
}

opaque_debug!(Member<'_, &'static str>);

opaque_debug!(Object<'_>);

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["phone", "openid"];

    fn parse(json: &str) -> Vec<Option<&str>> {
        let object = Object::parse(json).expect("an object");
        NAMES.into_iter().map(|name| object.get(name).map(RawValue::get)).collect()
    }

    #[test]
    fn values_are_verbatim() {
        assert_eq!(parse(r#"{ "phone" : 1e999 , "x":{"openid":[]} }"#), [Some("1e999"), None]);
        assert_eq!(parse(r#"{"openid":"\ud800","phone":null}"#), [Some("null"), Some(r#""\ud800""#)]);
        let long = "123456789012345678901234567890.10";
        assert_eq!(parse(&format!(r#"{{"openid":{long}}}"#)), [None, Some(long)]);
    }

    #[test]
    fn the_last_of_a_repeated_member_counts_however_its_name_is_written() {
        assert_eq!(parse(r#"{"phone":1,"\u0070hone":2}"#), [Some("2"), None]);
        assert_eq!(parse(r#"{"\ud800":1,"Phone":2,"":3}"#), [None, None]);
    }

    #[test]
    fn members_are_selected_each_once() {
        let json = r#"{"phone":1,"\u0050hone":[2],"a\ud800\udfff\ud83d\ude00\udc00\n":3,"":null,"Phone":4}"#;
        let object = Object::parse(json).expect("an object");
        let others = object.select(|name| (!NAMES.contains(&name)).then_some(()));
        let others: Vec<_> = others.iter().map(|member| (&*member.name, member.value.get())).collect();
        assert_eq!(others, [("Phone", "4"), ("a\u{103ff}\u{1f600}\u{fffd}\n", "3"), ("", "null")]);
    }

    #[test]
    fn deeply_nested_values_are_read() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(parse(&format!(r#"{{"phone":{deep},"x":{deep}}}"#)), [Some(&*deep), None]);
    }

    #[test]
    fn errors_distinguish_non_objects_from_invalid_json() {
        for (json, is_data) in [("[]", true), ("1", true), ("{", false), ("{} x", false), ("", false)] {
            let error = Object::parse(json).expect_err(json);
            assert_eq!(error.is_data(), is_data, "{json}");
        }
    }

    #[test]
    fn only_a_string_has_text() {
        let text_of = |json: &'static str| text(serde_json::from_str(json).expect("JSON"));
        assert_eq!(text_of(r#""a b""#).as_deref(), Some("a b"));
        assert_eq!(text_of(r#""\u5f20\n\"""#).as_deref(), Some("张\n\""));
        assert_eq!(text_of(r#""\u0000""#).as_deref(), Some("\0"));
        for json in [r#""\udc00""#, "1", "null", "[\"a\"]", "{\"a\":\"b\"}", "true"] {
            assert_eq!(text_of(json), None, "{json}");
        }
    }
}
