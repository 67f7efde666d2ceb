//! The database of the tests: its faults, the rules and pages of AWS, and its record of calls.

use std::time::Duration;

use serde_json::{Value, json};
use testing::dynamodb::{Action, Dynamodb, Response, Rule, Sent, Share, Store};
use testing::items::{put_all, scan};
use testing::tables::{self, TableNames};

const TABLE: &str = "customers";

/// A database with the project's tables, and customers `0` to `n - 1` who share a phone number.
async fn with_customers(store: Store, n: usize) -> Dynamodb {
    let database = Dynamodb::new(store);
    tables::create_all(database.store(), &TableNames::prefixed("")).await.unwrap();
    let customers = (0..n).map(|id| json!({"audienceUserId": id.to_string(), "tenantId": "t", "phone": "1"}));
    put_all(database.store(), TABLE, customers).await.unwrap();
    database
}

/// The response to a call, which must be whole.
async fn response(database: &Dynamodb, operation: &str, body: Value) -> Response {
    match database.call(operation, body).await.expect("a response") {
        Sent::Whole(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The message of a rejection.
async fn rejection(database: &Dynamodb, operation: &str, body: Value) -> String {
    let response = response(database, operation, body).await;
    assert_eq!(
        (response.status, &response.body["__type"]),
        (400, &"com.amazon.coral.validate#ValidationException".into())
    );
    response.body["message"].as_str().expect("a message").to_owned()
}

fn key(id: impl ToString) -> Value {
    json!({"audienceUserId": {"S": id.to_string()}, "tenantId": {"S": "t"}})
}

fn put(id: impl ToString, phone: &str) -> Value {
    let mut item = key(id);
    item["phone"] = json!({"S": phone});
    json!({"PutRequest": {"Item": item}})
}

fn delete(id: impl ToString) -> Value {
    json!({"DeleteRequest": {"Key": key(id)}})
}

fn write(requests: impl IntoIterator<Item = Value>) -> Value {
    json!({"RequestItems": {TABLE: requests.into_iter().collect::<Value>()}})
}

fn puts(ids: impl IntoIterator<Item = usize>) -> Value {
    write(ids.into_iter().map(|id| put(id, "1")))
}

fn gets<I: ToString>(ids: impl IntoIterator<Item = I>) -> Value {
    let keys: Vec<_> = ids.into_iter().map(key).collect();
    json!({"RequestItems": {TABLE: {"Keys": keys, "ProjectionExpression": "audienceUserId, phone"}}})
}

fn select(phones: &[&str]) -> Value {
    let marks = vec!["?"; phones.len()].join(", ");
    let parameters: Vec<_> = phones.iter().chain(&["t"]).map(|value| json!({"S": value})).collect();
    json!({
        "Statement": format!(
            r#"SELECT "phone" FROM "{TABLE}"."phone-index" WHERE "phone" IN [{marks}] AND "tenantId" = ?"#
        ),
        "Parameters": parameters,
    })
}

/// Of the index of phones, with further members of the request.
fn query(phone: &str, more: Value) -> Value {
    let mut query = json!({
        "TableName": TABLE,
        "IndexName": "phone-index",
        "KeyConditionExpression": "#identifier = :value AND tenantId = :tenant",
        "ExpressionAttributeNames": {"#identifier": "phone"},
        "ExpressionAttributeValues": {":value": {"S": phone}, ":tenant": {"S": "t"}},
    });
    query.as_object_mut().unwrap().append(&mut serde_json::from_value(more).unwrap());
    query
}

fn count(items: &Value) -> usize {
    items.as_array().expect("items").len()
}

#[tokio::test]
async fn a_call_has_taken_effect_if_its_response_is_truncated_but_not_if_the_connection_is_reset() {
    let database = with_customers(Store::memory(), 0).await;
    for (fault, stored) in [(Action::Reset, 0), (Action::Truncate, 1)] {
        database.rule(Rule::on_any(fault).times(1));
        let response = database.call("BatchWriteItem", puts([1])).await;
        assert_eq!(matches!(response, Ok(Sent::Half(_))), stored == 1);
        assert_eq!(scan(database.store(), TABLE).await.unwrap().len(), stored);
    }
}

#[tokio::test]
async fn an_unprocessed_part_is_returned_and_has_no_effect() {
    let database = with_customers(Store::memory(), 0).await;
    database.rule(Rule::on_any(Action::Unprocessed { processed: Share::Count(3) }));
    let written = response(&database, "BatchWriteItem", puts(0..10)).await.body;
    assert_eq!(count(&written["UnprocessedItems"][TABLE]), 7);
    assert_eq!(scan(database.store(), TABLE).await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_are_recorded_with_their_times() {
    let database = with_customers(Store::memory(), 1).await;
    let query = query("1", json!({}));
    database.rule(Rule::on("Query", Action::Delay(Duration::from_millis(100))));
    for _ in 0..2 {
        response(&database, "Query", query.clone()).await;
    }
    let calls = database.calls();
    assert_eq!((&calls[0].operation[..], &calls[0].body), ("Query", &query));
    assert_eq!(calls[1].at - calls[0].at, Duration::from_millis(100));
}

#[tokio::test]
async fn a_statement_comes_in_pages_that_can_be_read_again() {
    let database = with_customers(Store::memory(), 20).await;
    let mut request = select(&["1", "2"]);
    let mut sizes = Vec::new();
    loop {
        let page = response(&database, "ExecuteStatement", request.clone()).await.body;
        assert_eq!(response(&database, "ExecuteStatement", request.clone()).await.body, page);
        sizes.push(count(&page["Items"]));
        match &page["NextToken"] {
            Value::Null => break,
            token => request["NextToken"] = token.clone(),
        }
    }
    // A full page has a continuation even if nothing follows.
    assert_eq!(sizes, [10, 10, 0]);
    let mut other = select(&["2"]);
    other["NextToken"] = request["NextToken"].take();
    assert_eq!(rejection(&database, "ExecuteStatement", other).await, "NextToken does not match request");
    database.page_size(10);
    assert_eq!(response(&database, "Query", query("1", json!({}))).await.body["Count"], 10);
}

/// What DynamoDB rejects and some emulator accepts: hash maps accept all of it.
#[tokio::test]
async fn what_aws_rejects_is_rejected() {
    let database = with_customers(Store::maps(), 0).await;
    let consistent = |mut request: Value| {
        request["ConsistentRead"] = true.into();
        request
    };
    let long = "x".repeat(2_049);
    let incomplete = json!({"DeleteRequest": {"Key": {"audienceUserId": {"S": "a"}}}});
    let phones: Vec<_> = (0..51).map(|phone| phone.to_string()).collect();
    let phones: Vec<_> = phones.iter().map(String::as_str).collect();
    let other_form = |text: String| {
        let mut request = select(&["1"]);
        request["Statement"] = text.into();
        request
    };
    let disjunction = select(&["1"])["Statement"].as_str().unwrap().replace(" AND ", " OR ");
    for (operation, request, message) in [
        ("ExecuteStatement", select(&["1", "2", "1"]), "Overlapping conditions"),
        ("ExecuteStatement", other_form(disjunction), "The rules of this statement are not known"),
        ("ExecuteStatement", select(&phones), "The IN list contains 51"),
        ("ExecuteStatement", select(&["1", &long]), "One or more parameter values were invalid"),
        ("ExecuteStatement", select(&["1", ""]), "One or more parameter values were invalid"),
        ("Query", query("", json!({})), "One or more parameter values were invalid"),
        (
            "ExecuteStatement",
            other_form("é".repeat(8_193)),
            "1 validation error detected: Value at 'statement'",
        ),
        ("ExecuteStatement", consistent(select(&["1"])), "Strongly consistent read"),
        ("Query", query("1", json!({"ConsistentRead": true})), "Consistent reads"),
        ("BatchWriteItem", puts(0..26), "1 validation error detected: Value at 'requestItems'"),
        (
            "BatchWriteItem",
            write([put(1, "1"), put(2, "1"), delete(1)]),
            "Provided list of item keys contains duplicates",
        ),
        ("BatchGetItem", gets(0..101), "1 validation error detected: Value at 'requestItems'"),
        ("BatchGetItem", gets([1, 2, 1]), "Provided list of item keys contains duplicates"),
        ("BatchWriteItem", write([]), "1 validation error detected: Value at 'requestItems'"),
        ("BatchWriteItem", write([put("e", "3"), put("", "3")]), "One or more parameter values were invalid"),
        ("BatchWriteItem", write([incomplete]), "One or more parameter values were invalid"),
        ("BatchGetItem", gets([&long]), "One or more parameter values were invalid"),
    ] {
        let found = rejection(&database, operation, request).await;
        assert!(found.starts_with(message), "{found}");
    }
    for (operation, request) in [
        ("ExecuteStatement", select(&phones[..50])),
        ("BatchWriteItem", puts(0..25)),
        ("BatchGetItem", gets(0..100)),
    ] {
        assert!(response(&database, operation, request).await.is_ok());
    }
}

/// A response with what may come in any order in the order of its text.
fn comparable(mut response: Response) -> Response {
    for list in ["/Items", "/Responses/customers"] {
        if let Some(Value::Array(items)) = response.body.pointer_mut(list) {
            items.sort_unstable_by_key(Value::to_string);
        }
    }
    response
}

/// What trials in hash maps do not show.
#[tokio::test]
async fn hash_maps_respond_like_the_embedded_database() {
    let [maps, embedded] = [Store::maps(), Store::memory()];
    for store in [&maps, &embedded] {
        tables::create_all(store, &TableNames::prefixed("")).await.unwrap();
    }
    let last = put("b", "1")["PutRequest"]["Item"].take();
    // A customer seen at 5, unless seen later than at the most.
    let put_unless_seen_after = |most: &str| {
        let mut item = key("n");
        item["seen"] = json!({"N": "5"});
        json!({
            "TableName": TABLE,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(seen) OR seen <= :most",
            "ExpressionAttributeValues": {":most": {"N": most}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        })
    };
    let update = json!({
        "TableName": TABLE,
        "Key": key("n"),
        "ConditionExpression": "#seen = :four",
        "UpdateExpression": "SET seen = :four",
        "ExpressionAttributeNames": {"#seen": "seen"},
        "ExpressionAttributeValues": {":four": {"N": "4"}},
    });
    for (operation, request) in [
        ("BatchWriteItem", write([put("a", "1"), put("b", "1"), put("c", "1"), put("d", "2")])),
        ("BatchWriteItem", write([put("d", "1"), delete("c"), delete("x")])),
        ("Query", query("1", json!({}))),
        ("Query", query("2", json!({}))),
        ("Query", query("1", json!({"Limit": 2}))),
        ("Query", query("1", json!({"Limit": 3}))),
        ("Query", query("1", json!({"ExclusiveStartKey": last, "Limit": 2}))),
        ("BatchGetItem", gets(["a", "x", "d"])),
        ("Scan", json!({"TableName": TABLE})),
        ("PutItem", put_unless_seen_after("5")),
        ("PutItem", put_unless_seen_after("4")),
        ("UpdateItem", update),
        ("PutItem", put_unless_seen_after("5")),
    ] {
        let maps = comparable(maps.call(operation, &request).await.unwrap());
        let embedded = comparable(embedded.call(operation, &request).await.unwrap());
        assert_eq!(maps, embedded, "{operation} {request}");
    }
}
