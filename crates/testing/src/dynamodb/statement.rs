//! The function's statements, and their small pages.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use serde_json::{Value, json};

use super::call::Response;
use super::store::Store;

/// The results of an `IN` come in pages of at most ten items, whatever their size, and a full page has a continuation
/// even if nothing follows (DynamoDB developer guide, PartiQL select).
pub const PAGE_ITEMS: usize = 10;

/// `SELECT "a", "b" FROM "table"."index" WHERE "field" IN [?, ...] AND "other" = ?`, with its parameters.
pub struct Statement<'a> {
    selected: Vec<&'a str>,
    table: &'a str,
    index: &'a str,
    field: &'a str,
    other: &'a str,
    pub values: &'a [Value],
    other_value: &'a Value,
}

impl<'a> Statement<'a> {
    /// `None` if a request is of another form.
    pub fn read(request: &'a Value) -> Option<Self> {
        let text = request["Statement"].as_str()?;
        let (other_value, values) = request["Parameters"].as_array()?.split_last()?;
        let names: Vec<_> = text.split('"').skip(1).step_by(2).collect();
        let [selected @ .., table, index, field, other] = &names[..] else { return None };
        let (select, marks) = (selected.join(r#"", ""#), vec!["?"; values.len()].join(", "));
        let form = format!(
            r#"SELECT "{select}" FROM "{table}"."{index}" WHERE "{field}" IN [{marks}] AND "{other}" = ?"#
        );
        let selected = selected.to_vec();
        (text == form).then_some(Self { selected, table, index, field, other, values, other_value })
    }

    /// At least the first `most` items, with a `Query` for each value: emulators, unlike DynamoDB, scan the whole index
    /// for an `IN`.
    async fn read_by_key(&self, store: &Store, most: usize) -> io::Result<Result<Vec<Value>, Response>> {
        let mut items = Vec::new();
        for value in self.values {
            if items.len() >= most {
                break;
            }
            let query = json!({
                "TableName": self.table,
                "IndexName": self.index,
                "KeyConditionExpression": "#field = :value AND #other = :other",
                "ExpressionAttributeNames": {"#field": self.field, "#other": self.other},
                "ExpressionAttributeValues": {":value": value, ":other": self.other_value},
                "Limit": most,
            });
            let mut response = store.call("Query", &query).await?;
            if !response.is_ok() {
                return Ok(Err(response));
            }
            take_items(&mut response, &mut items);
        }
        for item in &mut items {
            item.as_object_mut().expect("an item").retain(|name, _| self.selected.contains(&&**name));
        }
        Ok(Ok(items))
    }
}

/// A page of a statement. A continuation is the place in its results, valid only for the statement and parameters that it
/// was returned for. With `by_key`, the store reads each value by its key.
pub async fn page(store: &Store, request: &Value, size: usize, by_key: bool) -> io::Result<Response> {
    let mut hasher = DefaultHasher::new();
    (&request["Statement"], &request["Parameters"]).hash(&mut hasher);
    let of_this = format!("{:016x}-", hasher.finish());
    let from = match request["NextToken"].as_str() {
        None => Some(0),
        Some(token) => token.strip_prefix(&of_this).and_then(|place| place.parse().ok()),
    };
    let invalid = || Response::invalid("NextToken does not match request");
    let Some(from) = from else { return Ok(invalid()) };
    let items = match Statement::read(request).filter(|_| by_key) {
        Some(statement) => statement.read_by_key(store, from + size).await?,
        None => read_to_the_end(store, request.clone()).await?,
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
    request["NextToken"].take();
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
