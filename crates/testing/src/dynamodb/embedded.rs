//! The calls of DynamoDB that the embedded database is called for.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Response;

pub fn call(database: &Database, operation: &str, body: &Value) -> Response {
    let outcome = match operation {
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
        "CreateTable" => run(body, |request| database.create_table(request)),
        "ExecuteStatement" => run(body, |request| database.execute_statement(request)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        _ => Err(DynoxideError::SerializationException(format!("{operation} is not supported"))),
    };
    match outcome {
        Ok(body) => Response::ok(body),
        Err(error) => Response {
            status: error.status_code(),
            body: serde_json::from_str(&error.to_json()).expect("an error is JSON"),
        },
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &Value,
    call: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<Value> {
    let invalid = |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let response = call(Q::deserialize(body).map_err(invalid)?)?;
    serde_json::to_value(response).map_err(invalid)
}
