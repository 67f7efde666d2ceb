//! Small pages, as DynamoDB hands them out.
//!
//! DynamoDB returns the results of a statement with `IN` by at most ten items, whatever their size.
//! Its other paged reads hand out a continuation whenever a page is exactly full, though nothing
//! follows; these pages do so too.

use std::io;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::wire::{self, Answer, Request, Upstream};

/// The results of statements that did not fit one page. They are kept, so that a page can be asked
/// for again: the SDK retries.
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
    /// A continuation is for the very statement and parameters that it came with.
    fn are_of(&self, request: &Value) -> bool {
        self.statement == request["Statement"] && self.parameters == request["Parameters"]
    }
}

impl Pages {
    /// Reads the upstream to its end on the first call; a continuation is answered from memory.
    pub async fn statement(&self, upstream: &Upstream, request: &Request, size: usize) -> io::Result<Answer> {
        let size = at_most(size, &request.body);
        let Some(token) = request.body["NextToken"].as_str() else {
            let items = match read_to_the_end(upstream, request).await? {
                Ok(items) => items,
                Err(refusal) => return Ok(refusal),
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
    let to = items.len().min(from + size);
    let mut body = json!({"Items": &items[from..to]});
    if to - from == size {
        body["NextToken"] = format!("{number}-{to}").into();
    }
    wire::json(StatusCode::OK, &body)
}

/// All items of a statement, or the answer that was no success.
async fn read_to_the_end(upstream: &Upstream, request: &Request) -> io::Result<Result<Vec<Value>, Answer>> {
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
        match page["NextToken"].take() {
            Value::Null => return Ok(Ok(items)),
            token => body["NextToken"] = token,
        }
    }
}

/// `Query` pages by itself: it only has to be told to.
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
