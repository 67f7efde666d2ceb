//! Small pages, as DynamoDB returns them.
//!
//! DynamoDB returns the results of a statement with `IN` in pages of at most ten items, whatever their size.
//! Its other paged reads return a continuation whenever a page is exactly full, even if nothing follows;
//! so do these pages.

use std::io;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::wire::{self, Answer, Request, Upstream};
use crate::memory;

/// The results of statements that did not fit one page. They are kept, so that a page can be requested
/// again: the SDK retries.
#[derive(Default)]
pub struct Pages {
    results: Mutex<Vec<Results>>,
}

struct Results {
    statement: Value,
    parameters: Value,
    items: Vec<Value>,
}

impl Results {
    /// A continuation is valid only for the statement and parameters that it was returned for.
    fn are_of(&self, request: &Value) -> bool {
        self.statement == request["Statement"] && self.parameters == request["Parameters"]
    }
}

impl Pages {
    /// Reads all pages of the upstream on the first call; a continuation is served from memory.
    /// With `by_key`, the upstream reads each value by its key.
    pub async fn statement(
        &self,
        upstream: &Upstream,
        request: &Request,
        size: usize,
        by_key: bool,
    ) -> io::Result<Answer> {
        let size = at_most(size, &request.body);
        let Some(token) = request.body["NextToken"].as_str() else {
            let items = if by_key {
                read_by_key(upstream, request).await?
            } else {
                read_to_the_end(upstream, request, "NextToken", "NextToken").await?
            };
            let items = match items {
                Ok(items) => items,
                Err(rejection) => return Ok(rejection),
            };
            return Ok(self.first(&request.body, items, size));
        };
        let page = self.continued(&request.body, token, size);
        Ok(page.unwrap_or_else(|| wire::validation_error("NextToken does not match request")))
    }

    fn first(&self, request: &Value, items: Vec<Value>, size: usize) -> Answer {
        let mut all = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = page(&items, &all.len().to_string(), 0, size);
        all.push(Results {
            statement: request["Statement"].clone(),
            parameters: request["Parameters"].clone(),
            items,
        });
        answer
    }

    fn continued(&self, request: &Value, token: &str, size: usize) -> Option<Answer> {
        let (number, from) = token.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let all = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let results = all.get(number.parse::<usize>().ok()?)?;
        let fits = results.are_of(request) && from <= results.items.len();
        fits.then(|| page(&results.items, number, from, size))
    }
}

fn page(items: &[Value], number: &str, from: usize, size: usize) -> Answer {
    let (page, next) = memory::page::page(items.iter(), from, size).expect("an existing page");
    let mut body = json!({"Items": page});
    if let Some(next) = next {
        body["NextToken"] = format!("{number}-{next}").into();
    }
    wire::json(StatusCode::OK, &body)
}

/// All items of a statement or a query, or the response that was no success. A page's `ended_at` is the `begin`
/// of the next one.
async fn read_to_the_end(
    upstream: &Upstream,
    request: &Request,
    begin: &str,
    ended_at: &str,
) -> io::Result<Result<Vec<Value>, Answer>> {
    let mut body = request.body.clone();
    let mut items = Vec::new();
    loop {
        let answer = upstream.send(request, &body).await?;
        if answer.status() != StatusCode::OK {
            return Ok(Err(answer));
        }
        let mut page: Value = serde_json::from_slice(answer.body())?;
        if let Value::Array(found) = page["Items"].take() {
            items.extend(found);
        }
        match page[ended_at].take() {
            Value::Null => return Ok(Ok(items)),
            place => body[begin] = place,
        }
    }
}

/// All items of a statement, with a `Query` for each value: emulators, unlike DynamoDB, scan the whole index for an
/// `IN`.
///
/// Of the form `SELECT "a", "b" FROM "table"."index" WHERE "field" IN [?, ...] AND "other" = ?`.
async fn read_by_key(upstream: &Upstream, request: &Request) -> io::Result<Result<Vec<Value>, Answer>> {
    let statement = request.body["Statement"].as_str().expect("a statement");
    let names: Vec<_> = statement.split('"').skip(1).step_by(2).collect();
    let [selected @ .., table, index, field, other] = &names[..] else {
        panic!("unsupported statement: {statement}")
    };
    let parameters = request.body["Parameters"].as_array().expect("parameters");
    let (other_value, values) = parameters.split_last().expect("parameters");
    let mut headers = request.headers.clone();
    headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.Query"));
    let mut items = Vec::new();
    for value in values {
        let body = json!({
            "TableName": table,
            "IndexName": index,
            "KeyConditionExpression": "#field = :value AND #other = :other",
            "ExpressionAttributeNames": {"#field": field, "#other": other},
            "ExpressionAttributeValues": {":value": value, ":other": other_value},
        });
        let query = Request { operation: "Query".to_owned(), headers: headers.clone(), body };
        match read_to_the_end(upstream, &query, "ExclusiveStartKey", "LastEvaluatedKey").await? {
            Ok(found) => items.extend(found),
            Err(rejection) => return Ok(Err(rejection)),
        }
    }
    for item in &mut items {
        item.as_object_mut().expect("an item").retain(|name, _| selected.contains(&&**name));
    }
    Ok(Ok(items))
}

/// `Query` pages by itself, given a `Limit`.
pub async fn query(upstream: &Upstream, request: &Request, size: usize) -> io::Result<Answer> {
    let mut body = request.body.clone();
    body["Limit"] = at_most(size, &body).into();
    upstream.send(request, &body).await
}

/// The size of a page, or the smaller `Limit` that the caller set.
fn at_most(size: usize, request: &Value) -> usize {
    let limit = request["Limit"].as_u64();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(size, |limit| limit.min(size))
}
