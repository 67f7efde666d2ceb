//! Items in DynamoDB's own JSON, and the calls that set up a database with them.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Map, Value, json};

use crate::dynamodb::Store;
use crate::tables::TableNames;

/// The key of a customer, and a group.
pub type Membership = (String, String);

/// The import of the memberships that [`put_memberships`] puts.
pub const BEFORE: &str = "before";

/// The most requests of a `BatchWriteItem` (its API reference).
const BATCH: usize = 25;

/// An item from plain JSON: strings, whole numbers, booleans, and arrays of strings as string sets.
pub fn item(attributes: &Value) -> Value {
    let attribute = |value: &Value| match value {
        Value::String(_) => json!({"S": value}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::Bool(_) => json!({"BOOL": value}),
        Value::Array(_) => json!({"SS": value}),
        Value::Null | Value::Object(_) => panic!("not supported as an attribute"),
    };
    let attributes = attributes.as_object().expect("an object");
    Value::Object(attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

/// Puts items, each plain JSON as for [`item`].
///
/// # Errors
///
/// The database cannot be reached, rejects an item, or leaves one unprocessed: an emulator does not throttle.
pub async fn put_all(store: &Store, table: &str, items: impl IntoIterator<Item = Value>) -> io::Result<()> {
    let puts: Vec<_> = items.into_iter().map(|new| json!({"PutRequest": {"Item": item(&new)}})).collect();
    for batch in puts.chunks(BATCH) {
        let written = store.call("BatchWriteItem", &json!({"RequestItems": {table: batch}})).await?;
        let left = written.expect_ok()?["UnprocessedItems"].take();
        if left.as_object().is_some_and(|left| !left.is_empty()) {
            return Err(io::Error::other(format!("{table} has unprocessed items")));
        }
    }
    Ok(())
}

/// All items of a table, each as plain JSON: strings, numbers as strings, booleans, lists and sets.
///
/// # Errors
///
/// The database cannot be reached, or has no such table.
pub async fn scan(store: &Store, table: &str) -> io::Result<Vec<Value>> {
    let mut request = json!({"TableName": table});
    let mut items = Vec::new();
    loop {
        let mut page = store.call("Scan", &request).await?.expect_ok()?;
        items.extend(page["Items"].as_array().into_iter().flatten().map(plain));
        match page["LastEvaluatedKey"].take() {
            Value::Null => return Ok(items),
            last => request["ExclusiveStartKey"] = last,
        }
    }
}

/// Puts memberships, as the import [`BEFORE`] left them.
///
/// # Errors
///
/// Those of [`put_all`].
pub async fn put_memberships(
    store: &Store,
    names: &TableNames,
    memberships: &BTreeSet<Membership>,
) -> io::Result<()> {
    let items = memberships
        .iter()
        .map(|(key, group)| json!({"customerKey": key, "groupName": group, "importId": BEFORE}));
    put_all(store, &names.memberships, items).await
}

/// Every membership stored.
///
/// # Errors
///
/// Those of [`scan`].
pub async fn memberships(store: &Store, names: &TableNames) -> io::Result<BTreeSet<Membership>> {
    let text = |value: &Value| value.as_str().expect("keys are strings").to_owned();
    let items = scan(store, &names.memberships).await?;
    Ok(items.iter().map(|item| (text(&item["customerKey"]), text(&item["groupName"]))).collect())
}

/// An item as plain JSON.
fn plain(item: &Value) -> Value {
    let attributes = item.as_object().into_iter().flatten();
    let plain = attributes.map(|(name, attribute)| {
        let value = attribute.as_object().and_then(|typed| typed.values().next());
        (name.clone(), value.cloned().unwrap_or_default())
    });
    Value::Object(plain.collect::<Map<_, _>>())
}
