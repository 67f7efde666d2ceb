//! What DynamoDB rejects, and some emulator accepts.
//!
//! Stricter than DynamoDB in three points that the function does not need: the limits of `IN` apply to every
//! attribute, not only to keys; every index counts as global; repeated values are compared as text.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::call::Call;

/// The key attributes of tables, by table name.
pub type Keys = HashMap<String, Vec<String>>;

/// Characters of a statement.
const MAX_STATEMENT: usize = 8_192;
/// Values of an `IN` list; of several lists, their product.
const MAX_IN_VALUES: usize = 50;
/// Bytes of a partition key.
const MAX_PARTITION_KEY: usize = 2_048;
/// Put and delete requests of a `BatchWriteItem`, over all tables.
const MAX_WRITES: usize = 25;
/// Keys of a `BatchGetItem`, over all tables.
const MAX_KEYS: usize = 100;

const UNFIT_KEY: &str =
    "One or more parameter values were invalid: Size of hashkey is not within 1 and 2048 bytes";

fn fits(value: &Value) -> bool {
    value["S"].as_str().is_none_or(|text| (1..=MAX_PARTITION_KEY).contains(&text.len()))
}

/// The message of the `ValidationException` that a call would get.
pub fn rejection(call: &Call, keys: &Keys) -> Option<String> {
    let body = &call.body;
    match call.operation.as_str() {
        "ExecuteStatement" => statement(body),
        "Query" if body["ExpressionAttributeValues"].as_object().is_some_and(|it| !it.values().all(fits)) => {
            Some(UNFIT_KEY.to_owned())
        }
        "Query" if body["IndexName"].is_string() && body["ConsistentRead"] == true => {
            Some("Consistent reads are not supported on global secondary indexes".to_owned())
        }
        "BatchWriteItem" => batch(body, "", MAX_WRITES, |table, write| {
            let put = || Some(pick(&write["PutRequest"]["Item"], keys.get(table)?));
            let deleted = write.pointer("/DeleteRequest/Key").cloned();
            deleted.or_else(put)
        }),
        "BatchGetItem" => batch(body, "/Keys", MAX_KEYS, |_, key| Some(key.clone())),
        _ => None,
    }
}

/// `entries` is where a table's list is, under its name; `key_of` gives the key of one of them, if
/// it is known.
fn batch(
    body: &Value,
    entries: &str,
    most: usize,
    key_of: impl Fn(&str, &Value) -> Option<Value>,
) -> Option<String> {
    let tables = body["RequestItems"].as_object()?;
    let mut count = 0;
    let mut seen = HashSet::new();
    for (table, request) in tables {
        for entry in request.pointer(entries)?.as_array()? {
            count += 1;
            let key = key_of(table, entry);
            if key.is_some_and(|key| !seen.insert((table, key))) {
                return Some("Provided list of item keys contains duplicates".to_owned());
            }
        }
    }
    (count > most).then(|| {
        format!(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: \
             Member must have length less than or equal to {most}"
        )
    })
}

fn pick(item: &Value, attributes: &[String]) -> Value {
    let picked = attributes.iter().map(|name| (name.clone(), item[name].clone()));
    picked.collect()
}

fn statement(body: &Value) -> Option<String> {
    let text = body["Statement"].as_str()?;
    if text.chars().count() > MAX_STATEMENT {
        return Some(format!(
            "1 validation error detected: Value at 'statement' failed to satisfy constraint: \
             Member must have length less than or equal to {MAX_STATEMENT}"
        ));
    }
    let tokens = tokens(text);
    if body["ConsistentRead"] == true && names_an_index(&tokens) {
        return Some("Strongly consistent read is not supported on Global Secondary Indexes".to_owned());
    }
    let lists = in_lists(&tokens, &body["Parameters"]);
    let is_distinct = |list: &Vec<Value>| list.iter().collect::<HashSet<_>>().len() == list.len();
    if !lists.iter().all(is_distinct) {
        return Some("Overlapping conditions with range keys are not supported in where clause".to_owned());
    }
    if !lists.iter().flatten().all(fits) {
        return Some(UNFIT_KEY.to_owned());
    }
    let product: usize = lists.iter().map(Vec::len).product();
    (product > MAX_IN_VALUES)
        .then(|| format!("The IN lists contain {product} key values, over {MAX_IN_VALUES}"))
}

#[derive(Debug, PartialEq)]
enum Token {
    /// A keyword, a bare name or a number.
    Word(String),
    /// `"..."`
    Name,
    /// `'...'`
    Text(String),
    /// Any other character, `?` among them.
    Sign(char),
}

impl Token {
    fn is_word(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Quotes inside quoted text are doubled: such text becomes two tokens here, which is harmless.
fn tokens(statement: &str) -> Vec<Token> {
    let is_part_of_word = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut tokens = Vec::new();
    let mut rest = statement.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' || first == '\'' {
            let text = rest.by_ref().take_while(|&c| c != first).collect();
            tokens.push(match first {
                '"' => Token::Name,
                _ => Token::Text(text),
            });
        } else if is_part_of_word(&first) {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(is_part_of_word) {
                word.push(next);
            }
            tokens.push(Token::Word(word));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

/// `FROM "table"."index"`
fn names_an_index(tokens: &[Token]) -> bool {
    let from = tokens.iter().position(|token| token.is_word("FROM"));
    from.is_some_and(|from| tokens.get(from + 2) == Some(&Token::Sign('.')))
}

/// The values of each `IN [...]` or `IN (...)`, parameters filled in.
fn in_lists(tokens: &[Token], parameters: &Value) -> Vec<Vec<Value>> {
    let mut parameters = parameters.as_array().into_iter().flatten();
    let mut lists = Vec::new();
    let mut list: Option<Vec<Value>> = None;
    let mut before = &Token::Sign(' ');
    for token in tokens {
        let value = match token {
            Token::Sign('?') => parameters.next().cloned(),
            Token::Text(text) => Some(json!({"S": text})),
            Token::Word(number) => Some(json!({"N": number})),
            Token::Sign('[' | '(') if before.is_word("IN") => {
                list = Some(Vec::new());
                None
            }
            Token::Sign(']' | ')') => {
                lists.extend(list.take());
                None
            }
            Token::Name | Token::Sign(_) => None,
        };
        if let Some(list) = &mut list {
            list.extend(value);
        }
        before = token;
    }
    lists
}
