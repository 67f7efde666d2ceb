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
    let total = entries(call).count();
    let open = processed.of(total);
    forward_part(store, call, (0..total).map(|place| place < open).collect()).await
}

/// Where a table's entries are under its name, and what the response calls unprocessed ones.
fn places(operation: &str) -> Option<(&'static str, &'static str)> {
    match operation {
        "BatchWriteItem" => Some(("", "UnprocessedItems")),
        "BatchGetItem" => Some(("/Keys", "UnprocessedKeys")),
        _ => None,
    }
}

/// The entries of a batch, each with its table: put and delete requests, or keys.
pub fn entries(call: &Call) -> impl Iterator<Item = (&str, &Value)> {
    let (place, _) = places(&call.operation).unwrap_or_default();
    let tables = call.body["RequestItems"].as_object().into_iter().flatten();
    let lists = tables.filter_map(move |(table, request)| Some((table, request.pointer(place)?.as_array()?)));
    lists.flat_map(|(table, list)| list.iter().map(move |entry| (table.as_str(), entry)))
}

/// Forwards the [entries] admitted; the rest is unprocessed.
pub async fn forward_part(store: &Store, call: &Call, admitted: Vec<bool>) -> io::Result<Response> {
    let Some((place, left_over)) = places(&call.operation) else {
        return store.call(&call.operation, &call.body).await;
    };
    // An empty batch is not a valid one.
    let mut response = if admitted.contains(&true) {
        let mut body = call.body.clone();
        body["RequestItems"] = part(call, place, admitted.iter().copied());
        let response = store.call(&call.operation, &body).await?;
        if !response.is_ok() {
            return Ok(response);
        }
        response.body
    } else {
        // The SDK ignores it where items are written.
        json!({"Responses": {}})
    };
    let later = part(call, place, admitted.iter().map(|is_admitted| !is_admitted));
    let of_store = std::mem::replace(&mut response[left_over], later);
    assert!(of_store.as_object().is_none_or(Map::is_empty), "the store does not throttle");
    Ok(Response::ok(response))
}

/// The tables of a batch with some of their entries, without those that keep none.
fn part(call: &Call, place: &str, mut kept: impl Iterator<Item = bool>) -> Value {
    let tables = call.body["RequestItems"].as_object().into_iter().flatten();
    let parts = tables.filter_map(|(table, request)| {
        let mut request = request.clone();
        let list = request.pointer_mut(place)?.as_array_mut()?;
        list.retain(|_| kept.next().is_some_and(|is_kept| is_kept));
        (!list.is_empty()).then_some((table.clone(), request))
    });
    Value::Object(parts.collect())
}
