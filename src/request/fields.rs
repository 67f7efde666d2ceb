//! Reads selected members of a JSON object without decoding them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Some members of a JSON object, each as the JSON text that was sent.
///
/// Other members are skipped, whatever their value. Of a repeated member the last one counts, as in
/// `JSON.parse`.
pub struct Fields<'a, const N: usize>([Option<&'a RawValue>; N]);

impl<'a, const N: usize> Fields<'a, N> {
    /// Reads the members called `names` from the text of a JSON object, and passes the name and the value of each other member to `other`. In a name
    /// that is not valid Unicode, each half of a surrogate pair is U+FFFD.
    ///
    /// # Errors
    /// The text is not JSON, or (`is_data()`) it is not an object.
    pub fn parse(
        names: &'static [&'static str; N],
        json: &'a str,
        other: impl FnMut(&str, &'a RawValue),
    ) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let fields = deserializer.deserialize_map(Reader { names, other })?;
        deserializer.end()?;
        Ok(fields)
    }

    /// The member at `position` in the list of names; a JSON `null` is returned as `null`.
    pub fn get(&self, position: usize) -> Option<&'a RawValue> {
        self.0[position]
    }
}

/// All members of a JSON object by their names, each as the JSON text that was sent.
pub type Members<'a> = HashMap<String, &'a RawValue>;

/// Reads all members of the object that `json` is; `None` if it is none.
pub fn members(json: &str) -> Option<Members<'_>> {
    let mut members = Members::new();
    Fields::parse(&[], json, |name, value| {
        members.insert(name.to_owned(), value);
    })
    .ok()?;
    Some(members)
}

struct Reader<const N: usize, F> {
    names: &'static [&'static str; N],
    other: F,
}

impl<'de, const N: usize, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Reader<N, F> {
    type Value = Fields<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut fields = [None; N];
        // A key is read raw because its escapes may not be valid Unicode.
        while let Some(key) = object.next_key::<&RawValue>()? {
            let value = object.next_value()?;
            let key = text(key).unwrap_or_else(|| lossy(key).into());
            match self.names.iter().position(|name| *name == key) {
                Some(position) => fields[position] = Some(value),
                None => (self.other)(&key, value),
            }
        }
        Ok(Fields(fields))
    }
}

/// Members, each name once: in the place of its first value, with its last, as in `JSON.parse`.
pub fn last_of_repeated<M>(members: Vec<M>, name: impl Fn(&M) -> &str) -> Vec<M> {
    if members.len() < 2 {
        return members;
    }
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut distinct = Vec::new();
    for member in members {
        match places.entry(name(&member).to_owned()) {
            Entry::Occupied(place) => distinct[*place.get()] = member,
            Entry::Vacant(place) => {
                place.insert(distinct.len());
                distinct.push(member);
            }
        }
    }
    distinct
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

/// Shows no values: they are the caller's data.
impl<const N: usize> fmt::Debug for Fields<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["phone", "openid"];

    fn parse(json: &str) -> Vec<Option<&str>> {
        let fields = Fields::parse(&NAMES, json, |_, _| ()).expect("an object");
        (0..2).map(|position| fields.get(position).map(RawValue::get)).collect()
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
    fn other_members_are_passed_on() {
        let mut others = Vec::new();
        let json = r#"{"phone":1,"\u0050hone":[2],"a\ud800\udfff\ud83d\ude00\udc00\n":3,"":null}"#;
        Fields::parse(&NAMES, json, |name, value| others.push((name.to_owned(), value.get())))
            .expect("an object");
        let expected = [("Phone", "[2]"), ("a\u{103ff}\u{1f600}\u{fffd}\n", "3"), ("", "null")];
        assert_eq!(others, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn deeply_nested_values_are_read() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(parse(&format!(r#"{{"phone":{deep},"x":{deep}}}"#)), [Some(&*deep), None]);
    }

    #[test]
    fn errors_distinguish_non_objects_from_invalid_json() {
        for (json, is_data) in [("[]", true), ("1", true), ("{", false), ("{} x", false), ("", false)] {
            let error = Fields::parse(&NAMES, json, |_, _| ()).expect_err(json);
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
