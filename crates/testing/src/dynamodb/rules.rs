//! What DynamoDB rejects, and some emulator accepts.
//!
//! Stricter than DynamoDB in two points that the function does not need: statements have one form, and repeated values
//! are compared as text.

use std::collections::HashSet;

use serde_json::Value;

use super::batch;
use super::call::Call;
use super::statement::Statement;

/// The attributes of the keys of tables to which batches are written. The first is the hash key.
const KEYS: [[&str; 2]; 2] = [["customerKey", "groupName"], ["audienceUserId", "tenantId"]];

/// Characters of a statement.
const MAX_STATEMENT: usize = 8_192;
/// Values of an `IN` list.
const MAX_IN_VALUES: usize = 50;
/// Bytes of a partition key, and of a sort key (DynamoDB developer guide, constraints).
const MAX_KEY: [usize; 2] = [2_048, 1_024];
/// Put and delete requests of a `BatchWriteItem`, over all tables.
const MAX_WRITES: usize = 25;
/// Keys of a `BatchGetItem`, over all tables.
const MAX_KEYS: usize = 100;

const UNFIT_KEY: &str =
    "One or more parameter values were invalid: Size of hashkey is not within 1 and 2048 bytes";

fn fits(value: &Value) -> bool {
    is_key(&[value])
}

fn is_key(values: &[&Value]) -> bool {
    let fits = |(value, most): (&&Value, usize)| {
        value["S"].as_str().is_some_and(|text| (1..=most).contains(&text.len()))
    };
    values.iter().zip(MAX_KEY).all(fits)
}

/// The message of the `ValidationException` that a call would get.
pub fn rejection(call: &Call) -> Option<String> {
    let body = &call.body;
    match call.operation.as_str() {
        "ExecuteStatement" => statement(body),
        "Query" if body["ExpressionAttributeValues"].as_object().is_some_and(|it| !it.values().all(fits)) => {
            Some(UNFIT_KEY.to_owned())
        }
        "Query" if body["IndexName"].is_string() && body["ConsistentRead"] == true => {
            Some("Consistent reads are not supported on global secondary indexes".to_owned())
        }
        "BatchWriteItem" => entries(call, MAX_WRITES),
        "BatchGetItem" => entries(call, MAX_KEYS),
        _ => None,
    }
}

fn entries(call: &Call, most: usize) -> Option<String> {
    let entries: Vec<_> = batch::entries(call).map(|(table, entry)| (table, key(entry))).collect();
    if entries.iter().collect::<HashSet<_>>().len() < entries.len() {
        return Some("Provided list of item keys contains duplicates".to_owned());
    }
    if !entries.iter().all(|(_, key)| is_key(key)) {
        return Some(UNFIT_KEY.to_owned());
    }
    let limit = match entries.len() {
        0 => "greater than or equal to 1".to_owned(),
        entries if entries > most => format!("less than or equal to {most}"),
        _ => return None,
    };
    Some(format!(
        "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: \
         Member must have length {limit}"
    ))
}

/// The values of the key that an entry of a batch is for, the hash key first.
pub fn key(entry: &Value) -> [&Value; 2] {
    let item = entry.pointer("/PutRequest/Item").or(entry.pointer("/DeleteRequest/Key")).unwrap_or(entry);
    let key = KEYS.into_iter().find(|key| key.iter().all(|name| item.get(name).is_some()));
    key.unwrap_or_default().map(|name| &item[name])
}

fn statement(body: &Value) -> Option<String> {
    let text = body["Statement"].as_str()?;
    if text.chars().count() > MAX_STATEMENT {
        return Some(format!(
            "1 validation error detected: Value at 'statement' failed to satisfy constraint: \
             Member must have length less than or equal to {MAX_STATEMENT}"
        ));
    }
    let Some(Statement { values, .. }) = Statement::read(body) else {
        return Some(format!("The rules of this statement are not known here: {text}"));
    };
    let rejection = if body["ConsistentRead"] == true {
        "Strongly consistent read is not supported on Global Secondary Indexes".to_owned()
    } else if values.iter().collect::<HashSet<_>>().len() < values.len() {
        "Overlapping conditions with range keys are not supported in where clause".to_owned()
    } else if !values.iter().all(fits) {
        UNFIT_KEY.to_owned()
    } else if values.len() > MAX_IN_VALUES {
        format!("The IN list contains {} key values, over {MAX_IN_VALUES}", values.len())
    } else {
        return None;
    };
    Some(rejection)
}
