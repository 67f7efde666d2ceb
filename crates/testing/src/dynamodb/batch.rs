//! Batches of which only the first part is processed: a response with status 200 that is not a success.

use std::io;

use serde_json::{Map, Value, json};

use super::call::{Call, Response};
use super::store::Store;

/// A part of a batch, counted in put and delete requests or in keys.
#[derive(Clone, Copy, Debug)]
pub enum Share {
    Count(usize),
    /// Numerator and denominator, the share rounded down.
    Fraction(usize, usize),
}

impl Share {
    fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Fraction(part, whole) => total * part / whole,
        }
    }
}

/// Forwards the first share of the entries, tables in the order of their names; the rest is unprocessed.
pub async fn forward_share(store: &Store, call: &Call, processed: Share) -> io::Result<Response> {
    let mut open = processed.of(entries(call).count());
    let admit = |_: &str, _: &Value| {
        let is_open = open > 0;
        open = open.saturating_sub(1);
        is_open
    };
    forward_part(store, call, admit).await
}

/// The entries of a batch, each with its table: put and delete requests, or keys.
pub fn entries(call: &Call) -> impl Iterator<Item = (&str, &Value)> {
    let place = match call.operation.as_str() {
        "BatchWriteItem" => "",
        _ => "/Keys",
    };
    let tables = call.body["RequestItems"].as_object().into_iter().flatten();
    let lists = tables.filter_map(move |(table, request)| Some((table, request.pointer(place)?.as_array()?)));
    lists.flat_map(|(table, list)| list.iter().map(move |entry| (table.as_str(), entry)))
}

/// Forwards the admitted entries; the rest is unprocessed.
pub async fn forward_part(
    store: &Store,
    call: &Call,
    admit: impl FnMut(&str, &Value) -> bool,
) -> io::Result<Response> {
    // Where a table's entries are, under its name, what the response calls unprocessed ones, and the response
    // when nothing was processed.
    let (entries, left_over, nothing_done) = match call.operation.as_str() {
        "BatchWriteItem" => ("", "UnprocessedItems", json!({})),
        "BatchGetItem" => ("/Keys", "UnprocessedKeys", json!({"Responses": {}})),
        _ => return store.call(&call.operation, &call.body).await,
    };
    let (now, later) = split(&call.body["RequestItems"], entries, admit);
    // An empty batch is not a valid one.
    let mut response = if now.is_empty() {
        nothing_done
    } else {
        let mut body = call.body.clone();
        body["RequestItems"] = now.into();
        let response = store.call(&call.operation, &body).await?;
        if !response.is_ok() {
            return Ok(response);
        }
        response.body
    };
    let of_store = std::mem::replace(&mut response[left_over], later.into());
    assert!(of_store.as_object().is_none_or(Map::is_empty), "the store does not throttle");
    Ok(Response::ok(response))
}

type Tables = Map<String, Value>;

fn split(tables: &Value, entries: &str, mut admit: impl FnMut(&str, &Value) -> bool) -> (Tables, Tables) {
    let (mut now, mut later) = (Tables::new(), Tables::new());
    for (table, request) in tables.as_object().into_iter().flatten() {
        let Some(list) = request.pointer(entries).and_then(Value::as_array) else { continue };
        let (first, rest): (Vec<Value>, Vec<Value>) =
            list.iter().cloned().partition(|entry| admit(table, entry));
        for (part, tables) in [(first, &mut now), (rest, &mut later)] {
            if !part.is_empty() {
                let mut request = request.clone();
                if let Some(list) = request.pointer_mut(entries) {
                    *list = part.into();
                }
                tables.insert(table.clone(), request);
            }
        }
    }
    (now, later)
}
