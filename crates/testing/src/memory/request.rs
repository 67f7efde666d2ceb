//! Requests as JSON text, and the rules they must satisfy.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The maximum bytes of a partition key and of a sort key (DynamoDB developer guide, constraints).
const PARTITION_KEY: usize = 2048;
const SORT_KEY: usize = 1024;

/// A request that DynamoDB rejects, or that the function has no reason to send.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

impl Violation {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<serde_json::Error> for Violation {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Returns a violation unless the rule is satisfied.
pub fn rule(kept: bool, broken: impl FnOnce() -> String) -> Result<(), Violation> {
    if kept { Ok(()) } else { Err(Violation(broken())) }
}

/// A string attribute; the hot tables have no other.
#[derive(Deserialize, Serialize)]
pub struct Text<'a> {
    #[serde(rename = "S", borrow)]
    pub text: Cow<'a, str>,
}

pub type Attributes<'a> = HashMap<&'a str, Text<'a>>;

pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Violation> {
    Ok(serde_json::from_slice(body)?)
}

pub fn text<'i>(item: &'i Attributes<'_>, name: &str) -> Result<&'i str, Violation> {
    let value = item.get(name).map(|value| &*value.text);
    value.ok_or_else(|| Violation(format!("an item without {name}")))
}

/// Both parts of an item's key, by the names of their attributes.
pub fn key<'i>(item: &'i Attributes<'_>, names: [&str; 2]) -> Result<(&'i str, &'i str), Violation> {
    let (partition, sort) = (text(item, names[0])?, text(item, names[1])?);
    partition_key(partition)?;
    rule((1..=SORT_KEY).contains(&sort.len()), || format!("a sort key of {} bytes", sort.len()))?;
    Ok((partition, sort))
}

pub fn partition_key(value: &str) -> Result<(), Violation> {
    let bytes = value.len();
    rule((1..=PARTITION_KEY).contains(&bytes), || format!("a partition key of {bytes} bytes"))
}
