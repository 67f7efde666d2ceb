//! Conditions and updates, in DynamoDB's language of expressions.

use std::iter::Peekable;

use serde_json::{Map, Value};

use super::call::Response;

/// Checks the condition of a write on the existing item, if there is one.
///
/// # Errors
///
/// The response where it does not hold.
pub fn check_condition(request: &Value, item: Option<&Value>) -> Result<(), Response> {
    let Some(text) = request["ConditionExpression"].as_str() else { return Ok(()) };
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let condition = Condition { request, item: item.unwrap_or(&Value::Null) };
    if condition.any(&mut spaced.split_whitespace().peekable()) {
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

struct Condition<'a> {
    request: &'a Value,
    item: &'a Value,
}

impl Condition<'_> {
    /// Of alternatives, each of which binds closer.
    fn any<'t>(&self, words: &mut Peekable<impl Iterator<Item = &'t str>>) -> bool {
        let mut holds = self.all(words);
        while words.next_if_eq(&"OR").is_some() {
            holds |= self.all(words);
        }
        holds
    }

    fn all<'t>(&self, words: &mut Peekable<impl Iterator<Item = &'t str>>) -> bool {
        let mut holds = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            holds &= self.one(words);
        }
        holds
    }

    fn one<'t>(&self, words: &mut Peekable<impl Iterator<Item = &'t str>>) -> bool {
        let mut next = || words.next().expect("a whole condition");
        match next() {
            "(" => {
                let holds = self.any(words);
                assert_eq!(words.next(), Some(")"), "what is opened is closed");
                holds
            }
            function @ ("attribute_exists" | "attribute_not_exists") => {
                let [_, attribute, _] = [next(), next(), next()];
                self.attribute(attribute).is_null() == (function == "attribute_not_exists")
            }
            attribute => {
                let (comparison, value) = (next(), next());
                let (stored, value) = (self.attribute(attribute), value_of(self.request, value));
                match comparison {
                    "=" => stored == value,
                    "<=" => number(stored).zip(number(value)).is_some_and(|(stored, value)| stored <= value),
                    other => panic!("{other} is not supported"),
                }
            }
        }
    }

    fn attribute(&self, name: &str) -> &Value {
        &self.item[name_of(self.request, name)]
    }
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
