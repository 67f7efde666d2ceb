//! The body of a request, parsed without the function (contract, sections 2, 3, 4 and 7).

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::text::fold;

/// The default limit on the records of a request.
pub const MAX_RECORDS: usize = 5_000;

/// The fields of a record: the identifiers, and the groups.
pub const FIELDS: [&str; IDENTIFIERS.len() + 1] = ["audienceUserId", "openid", "unionid", "phone", "groups"];

/// The fields that identify a customer: the ID, and the attributes of the customer with an index.
pub const IDENTIFIERS: [&str; 4] = ["audienceUserId", "openid", "unionid", "phone"];

/// The orders in which fuzzy matching tries them, of `identifyWay` 1 and 2.
pub const ORDERS: [[&str; IDENTIFIERS.len()]; 2] =
    [["unionid", "openid", "phone", "audienceUserId"], ["phone", "unionid", "openid", "audienceUserId"]];

const PARAMS: [&str; 6] = ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];

/// A body that is an import.
pub struct Request<'a> {
    pub params: Value,
    pub records: Vec<Sent<'a>>,
}

/// The members of an object by their names, each as the JSON text that was sent.
type Members<'a> = BTreeMap<String, &'a str>;

/// The [`FIELDS`] of a record and their variants.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent<'a>(Members<'a>);

impl<'a> Request<'a> {
    /// # Errors
    /// The body is not an import of at most `max_records` records.
    pub fn read(body: &'a [u8], max_records: usize) -> Result<Self, String> {
        let text = str::from_utf8(body).map_err(|error| error.to_string())?;
        let body = members(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let sent = members(body.get("publicParams").copied().unwrap_or_default())?;
        let near_misses = [near_misses(&body, true), near_misses(&sent, false)].concat();
        ensure!(near_misses.is_empty(), "near misses of parameters: {near_misses:?}");
        let params = PARAMS
            .into_iter()
            .map(|name| (name.to_owned(), sent.get(name).copied().map_or(Value::Null, meaning)));
        let params = params.collect();
        ensure!(are_valid(&params), "the parameters are not valid: {params}");
        let data: Vec<&RawValue> = serde_json::from_str(body.get("data").copied().unwrap_or_default())
            .map_err(|error| format!("data: {error}"))?;
        ensure!((1..=max_records).contains(&data.len()), "{} records", data.len());
        let records = data.into_iter().map(|record| members(record.get()).map(Sent::new));
        Ok(Self { params, records: records.collect::<Result<_, _>>()? })
    }

    /// The records in the form of the model.
    pub fn meanings(&self) -> Vec<Value> {
        let fields = |sent: &Sent<'_>| {
            sent.members().map(|(name, raw)| (name.to_owned(), meaning(raw))).collect::<Value>()
        };
        self.records.iter().map(fields).collect()
    }
}

impl<'a> Sent<'a> {
    fn new(mut members: Members<'a>) -> Self {
        members.retain(|name, _| FIELDS.contains(&&**name) || variant_of(name).is_some());
        Self(members)
    }

    /// What a failed record returns: the fields and the variants present, each with its name.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, raw)| (&**name, *raw))
    }
}

/// The field of a record that a name is a variant of.
pub fn variant_of(name: &str) -> Option<&'static str> {
    FIELDS.into_iter().find(|field| *field != name && fold(field) == fold(name))
}

/// The parameter that a name is a near miss of, in `publicParams` or beside it.
pub fn near_miss(name: &str, beside: bool) -> Option<&'static str> {
    if PARAMS.contains(&name) && !beside {
        return None;
    }
    let folded = fold(name);
    let meant = PARAMS.into_iter().find(|parameter| fold(parameter) == folded);
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    let switch = ["dryRun", "explain"]
        .into_iter()
        .find(|switch| folded.contains(&fold(switch)) || within(2, &chars(&folded), &chars(&fold(switch))));
    meant.or(switch.filter(|_| !beside))
}

/// Whether so many edits (insertions, deletions, replacements) turn one text into the other.
fn within(edits: usize, one: &[char], other: &[char]) -> bool {
    match (one, other) {
        ([], rest) | (rest, []) => rest.len() <= edits,
        ([a, ones @ ..], [b, others @ ..]) => {
            let edited = || {
                within(edits - 1, ones, others)
                    || within(edits - 1, ones, other)
                    || within(edits - 1, one, others)
            };
            (a == b && within(edits, ones, others)) || (edits > 0 && edited())
        }
    }
}

/// The names that are near misses, unless their value is null.
fn near_misses(object: &Members<'_>, beside: bool) -> Vec<String> {
    let sent = object.iter().filter(|(_, value)| **value != "null").map(|(name, _)| name.clone());
    sent.filter(|name| near_miss(name, beside).is_some()).collect()
}

/// The members of an object; of a repeated one, the last counts.
fn members(json: &str) -> Result<Members<'_>, String> {
    struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

    impl<'de> Deserialize<'de> for Pairs<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Pairs(Vec::new()))
        }
    }

    impl<'de> Visitor<'de> for Pairs<'de> {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Self, A::Error> {
            while let Some(pair) = object.next_entry()? {
                self.0.push(pair);
            }
            Ok(self)
        }
    }

    let pairs: Pairs<'_> = serde_json::from_str(json).map_err(|error| format!("{error}: {json:.100}"))?;
    Ok(pairs.0.into_iter().map(|(name, value)| (decode(name.get()), value.get())).collect())
}

/// The text of a name. Half of a surrogate pair is a character, which `char` cannot hold.
fn decode(name: &str) -> String {
    serde_json::from_str(name).unwrap_or_else(|_| {
        let is_half = |piece: &str| "dD".contains(&piece[..1]) && "89abcdefABCDEF".contains(&piece[1..2]);
        let mut pieces = name.split(r"\u");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let piece = if is_half(piece) { format!("fffd{}", &piece[4..]) } else { piece.to_owned() };
            text += r"\u";
            text += &piece;
        }
        serde_json::from_str(&text).expect("no half is left")
    })
}

/// The value of a JSON text. What `Value` cannot represent (half a surrogate pair, a number beyond `f64`, very deep
/// nesting) is treated like any other invalid value.
fn meaning(json: &str) -> Value {
    let number = json.parse().ok().and_then(Number::from_f64).map(Value::Number);
    number.unwrap_or_else(|| serde_json::from_str(json).unwrap_or_else(|_| Value::Array(Vec::new())))
}

fn are_valid(params: &Value) -> bool {
    let matching = match &params["isMatching"] {
        Value::Bool(false) => true,
        Value::Bool(true) if params["matchingType"] == 2.0 => {
            params["identifyWay"] == 1.0 || params["identifyWay"] == 2.0
        }
        Value::Bool(true) => params["matchingType"] == 1.0,
        _ => false,
    };
    let flags = ["dryRun", "explain"].map(|name| &params[name]);
    matching
        && (params["optType"] == "add" || params["optType"] == "delete")
        && flags.iter().all(|flag| flag.is_null() || flag.is_boolean())
}
