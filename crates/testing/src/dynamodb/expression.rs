//! Conditions and updates, in DynamoDB's language of expressions.

use serde_json::{Map, Value};

use super::call::Response;

/// Checks the condition of a write on the existing item, if there is one.
///
/// # Errors
///
/// The response where it does not hold.
pub fn check_condition(request: &Value, item: Option<&Value>) -> Result<(), Response> {
    let Some(text) = request["ConditionExpression"].as_str() else { return Ok(()) };
    if holds(request, item.unwrap_or(&Value::Null), text) {
        return Ok(());
    }
    let mut failed =
        Response::error(400, "ConditionalCheckFailedException", "The conditional request failed");
    if request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
        && let Some(item) = item
    {
        failed.body["Item"] = item.clone();
    }
    Err(failed)
}

/// Whether `a = :b OR (attribute_not_exists(c) AND d <= :e)` holds.
fn holds(request: &Value, item: &Value, condition: &str) -> bool {
    condition.split(" OR ").any(|all| {
        let all = all.strip_prefix('(').and_then(|all| all.strip_suffix(')')).unwrap_or(all);
        all.split(" AND ").all(|one| {
            let missing = one.strip_prefix("attribute_not_exists(").and_then(|name| name.strip_suffix(')'));
            if let Some(name) = missing {
                return item[name].is_null();
            }
            let [name, comparison, value] = one.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{one} is not supported")
            };
            let (stored, value) = (&item[name_of(request, name)], value_of(request, value));
            match comparison {
                "=" => stored == value,
                "<=" => number(stored).zip(number(value)).is_some_and(|(stored, value)| stored <= value),
                _ => panic!("{one} is not supported"),
            }
        })
    })
}

fn number(attribute: &Value) -> Option<u64> {
    attribute["N"].as_str()?.parse().ok()
}

/// Applies `SET a = :b, c = :d`.
pub fn update(request: &Value, item: &mut Value) {
    let text = request["UpdateExpression"].as_str().and_then(|text| text.strip_prefix("SET "));
    for (name, value) in assignments(request, text.expect("an update that sets"), ", ") {
        item[name] = value.clone();
    }
}

/// The attributes that `a = :b AND c = :d` asks for.
pub fn equal_to(request: &Value) -> Value {
    let text = request["KeyConditionExpression"].as_str().unwrap_or_default();
    let attributes = assignments(request, text, " AND ");
    Value::Object(attributes.map(|(name, value)| (name.to_owned(), value.clone())).collect::<Map<_, _>>())
}

fn assignments<'a>(
    request: &'a Value,
    text: &'a str,
    between: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let pairs = text.split(between).filter_map(|part| part.split_once(" = "));
    pairs.map(|(name, value)| (name_of(request, name), value_of(request, value)))
}

/// The name of an attribute, which may stand under a placeholder.
fn name_of<'a>(request: &'a Value, name: &'a str) -> &'a str {
    request["ExpressionAttributeNames"][name].as_str().unwrap_or(name)
}

fn value_of<'a>(request: &'a Value, placeholder: &str) -> &'a Value {
    &request["ExpressionAttributeValues"][placeholder]
}
