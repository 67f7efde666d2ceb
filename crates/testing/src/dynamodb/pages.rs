//! Small pages, as DynamoDB returns them.
//!
//! DynamoDB returns the results of a statement with `IN` in pages of at most ten items, whatever their size.
//! Its other paged reads return a continuation whenever a page is exactly full, even if nothing follows;
//! so do these pages.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use serde_json::{Value, json};

use super::call::Response;
use super::store::Store;

/// Results of `IN` come in pages of up to 10 items (DynamoDB developer guide, PartiQL select).
pub const PAGE_ITEMS: usize = 10;

/// A page of a statement. A continuation is the place in its results, valid only for the statement and parameters that it
/// was returned for. With `by_key`, the store reads each value by its key.
pub async fn statement(store: &Store, request: &Value, size: usize, by_key: bool) -> io::Result<Response> {
    let mut hasher = DefaultHasher::new();
    (&request["Statement"], &request["Parameters"]).hash(&mut hasher);
    let of_this = format!("{:016x}-", hasher.finish());
    let from = match request["NextToken"].as_str() {
        None => Some(0),
        Some(token) => token.strip_prefix(&of_this).and_then(|place| place.parse().ok()),
    };
    let invalid = || Response::invalid("NextToken does not match request");
    let Some(from) = from else { return Ok(invalid()) };
    let size = at_most(size, request);
    let items = if by_key {
        read_by_key(store, request, from + size).await?
    } else {
        let mut request = request.clone();
        request["NextToken"].take();
        read_to_the_end(store, request).await?
    };
    let items = match items {
        Ok(items) => items,
        Err(rejection) => return Ok(rejection),
    };
    let Some(rest) = items.get(from..) else { return Ok(invalid()) };
    let mut body = json!({"Items": rest[..size.min(rest.len())]});
    if rest.len() >= size {
        body["NextToken"] = format!("{of_this}{}", from + size).into();
    }
    Ok(Response::ok(body))
}

/// All items of a statement, or the response that was no success.
async fn read_to_the_end(store: &Store, mut request: Value) -> io::Result<Result<Vec<Value>, Response>> {
    let mut items = Vec::new();
    loop {
        let mut response = store.call("ExecuteStatement", &request).await?;
        if !response.is_ok() {
            return Ok(Err(response));
        }
        take_items(&mut response, &mut items);
        match response.body["NextToken"].take() {
            Value::Null => return Ok(Ok(items)),
            place => request["NextToken"] = place,
        }
    }
}

fn take_items(response: &mut Response, items: &mut Vec<Value>) {
    if let Value::Array(found) = response.body["Items"].take() {
        items.extend(found);
    }
}

/// At least the first `most` items of a statement, with a `Query` for each value: emulators, unlike DynamoDB, scan the
/// whole index for an `IN`.
///
/// Of the form `SELECT "a", "b" FROM "table"."index" WHERE "field" IN [?, ...] AND "other" = ?`.
async fn read_by_key(
    store: &Store,
    request: &Value,
    most: usize,
) -> io::Result<Result<Vec<Value>, Response>> {
    let statement = request["Statement"].as_str().expect("a statement");
    let names: Vec<_> = statement.split('"').skip(1).step_by(2).collect();
    let [selected @ .., table, index, field, other] = &names[..] else {
        panic!("unsupported statement: {statement}")
    };
    let parameters = request["Parameters"].as_array().expect("parameters");
    let (other_value, values) = parameters.split_last().expect("parameters");
    let mut items = Vec::new();
    for value in values {
        if items.len() >= most {
            break;
        }
        let body = json!({
            "TableName": table,
            "IndexName": index,
            "KeyConditionExpression": "#field = :value AND #other = :other",
            "ExpressionAttributeNames": {"#field": field, "#other": other},
            "ExpressionAttributeValues": {":value": value, ":other": other_value},
            "Limit": most,
        });
        let mut response = store.call("Query", &body).await?;
        if !response.is_ok() {
            return Ok(Err(response));
        }
        take_items(&mut response, &mut items);
    }
    for item in &mut items {
        item.as_object_mut().expect("an item").retain(|name, _| selected.contains(&&**name));
    }
    Ok(Ok(items))
}

/// `Query` pages by itself, given a `Limit`.
pub async fn query(store: &Store, request: &Value, size: usize) -> io::Result<Response> {
    let mut body = request.clone();
    body["Limit"] = at_most(size, &body).into();
    store.call("Query", &body).await
}

/// The size of a page, or the smaller `Limit` that the caller set.
fn at_most(size: usize, request: &Value) -> usize {
    let limit = request["Limit"].as_u64();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(size, |limit| limit.min(size))
}
