//! `template.yaml` as JSON, with intrinsic functions in their long form: `!Ref Api` is `{"Ref": "Api"}`.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

/// The part of the template at a JSON pointer.
pub fn at(pointer: &str) -> Value {
    static TEMPLATE: LazyLock<Node> =
        LazyLock::new(|| serde_saphyr::from_str(include_str!("../../template.yaml")).expect("YAML"));
    TEMPLATE.0.pointer(pointer).expect(pointer).clone()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::deserialize(deserializer)?;
        Ok(Self(match tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
            None => value,
            Some("Ref") => json!({"Ref": value}),
            Some(function) => json!({format!("Fn::{function}"): value}),
        }))
    }
}

/// A value whose own tag has been read; the values in it have theirs.
struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

/// Values that JSON has as well.
macro_rules! visit {
    ($($visit:ident: $type:ty),+) => {
        $(fn $visit<E>(self, value: $type) -> Result<Value, E> {
            Ok(value.into())
        })+
    };
}

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a part of a template")
    }

    visit! { visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Node(value))) = mapping.next_entry()? {
            members.insert(name, value);
        }
        Ok(members.into())
    }
}
