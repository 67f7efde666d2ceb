//! The in-memory DynamoDB pages, leaves items unprocessed and rejects calls as DynamoDB does.

use std::collections::HashSet;

use serde_json::{Value, json};

use testing::memory::{Customer, Memory, Response, Violation};

/// Customers `c0` to `c24` with one unionid and an openid each, and `c0` of another tenant.
fn memory() -> Memory {
    let customer = |tenant: &str, number: usize| Customer {
        tenant: tenant.to_owned(),
        id: format!("c{number}"),
        identifiers: [Some("u".to_owned()), Some(format!("o{number}")), None],
    };
    Memory::new("t", (0..25).map(|number| customer("t", number)).chain([customer("rival", 0)]))
}

fn call(memory: &Memory, operation: &str, body: &Value) -> Result<Response, Violation> {
    memory.call(operation, body.to_string().as_bytes(), |_| true)
}

fn ok(memory: &Memory, operation: &str, body: &Value) -> Value {
    let response = call(memory, operation, body).expect("no rule is broken");
    assert_eq!(response.status, 200);
    response.body
}

fn statement(field: &str, values: &[&str], token: Option<&str>) -> Value {
    let parameters: Vec<_> = values.iter().chain(&["t"]).map(|text| json!({"S": text})).collect();
    let statement = format!(r#"SELECT * FROM "customers"."{field}-index" WHERE "{field}" IN [?]"#);
    let mut body = json!({"Statement": statement, "Parameters": parameters});
    if let Some(token) = token {
        body["NextToken"] = token.into();
    }
    body
}

fn put(customer: &str, group: &str) -> Value {
    json!({"PutRequest": {"Item": {
        "customerKey": {"S": format!("t#{customer}")}, "groupName": {"S": group}, "tenantId": {"S": "t"},
        "audienceUserId": {"S": customer}, "updatedAt": {"S": "now"}, "importId": {"S": "i"},
    }}})
}

fn write(writes: impl IntoIterator<Item = Value>) -> Value {
    json!({"RequestItems": {"memberships": writes.into_iter().collect::<Value>()}})
}

fn customers(ids: impl IntoIterator<Item = String>) -> Value {
    let keys = ids.into_iter().map(|id| json!({"audienceUserId": {"S": id}, "tenantId": {"S": "t"}}));
    let keys = json!({"Keys": keys.collect::<Value>(), "ProjectionExpression": "audienceUserId, phone"});
    json!({"RequestItems": {"customers": keys}})
}

#[test]
fn statements_are_paged_by_tens() {
    let memory = memory();
    let sizes = |field: &str, values: &[&str]| {
        let mut sizes = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = ok(&memory, "ExecuteStatement", &statement(field, values, token.as_deref()));
            sizes.push(page["Items"].as_array().expect("items").len());
            match &page["NextToken"] {
                Value::String(next) => token = Some(next.clone()),
                _ => return sizes,
            }
        }
    };
    assert_eq!(sizes("unionid", &["u"]), [10, 10, 5]);
    let openids: Vec<_> = (0..10).map(|number| format!("o{number}")).collect();
    let openids: Vec<_> = openids.iter().map(String::as_str).collect();
    assert_eq!(sizes("openid", &openids[..9]), [9]);
    assert_eq!(sizes("openid", &openids), [10, 0], "a full page has a token even if nothing follows");
}

#[test]
fn a_query_reads_an_index_or_the_table_to_its_limit() {
    let memory = memory();
    let query = |field: &str, value: &str, more: Value| {
        let mut body = json!({
            "KeyConditionExpression": format!("{field} = :value AND tenantId = :tenant"),
            "ExpressionAttributeValues": {":value": {"S": value}, ":tenant": {"S": "t"}},
        });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        ok(&memory, "Query", &body)
    };
    let whole = query("unionid", "u", json!({"IndexName": "unionid-index"}));
    assert_eq!((&whole["Count"], &whole["LastEvaluatedKey"]), (&json!(25), &Value::Null));
    let two = query("unionid", "u", json!({"IndexName": "unionid-index", "Limit": 2}));
    let last = json!({"audienceUserId": {"S": "c1"}, "tenantId": {"S": "t"}, "unionid": {"S": "u"}});
    assert_eq!((&two["Count"], &two["LastEvaluatedKey"]), (&json!(2), &last));
    let one = query("audienceUserId", "c3", json!({"ProjectionExpression": "audienceUserId"}));
    assert_eq!(one["Items"], json!([{"audienceUserId": {"S": "c3"}}]));
}

#[test]
fn a_batch_is_partly_processed() {
    let memory = memory();
    let body = write(["a", "b", "c", "d"].map(|group| put("c1", group))).to_string();
    let response = memory
        .call("BatchWriteItem", body.as_bytes(), |entry| entry.place < entry.of / 2)
        .expect("no rule is broken");
    assert_eq!(response.body, json!({"UnprocessedItems": {"memberships": [put("c1", "c"), put("c1", "d")]}}));
    let stored = ["a", "b"].map(|group| ("t#c1".to_owned(), group.to_owned()));
    assert_eq!(memory.memberships(), HashSet::from(stored));

    let body = customers(["c1", "nobody", "c2"].map(str::to_owned)).to_string();
    let response =
        memory.call("BatchGetItem", body.as_bytes(), |entry| entry.place < 2).expect("no rule is broken");
    assert_eq!(response.body["Responses"], json!({"customers": [{"audienceUserId": {"S": "c1"}}]}));
    let left = json!({"customers": {"Keys": [{"audienceUserId": {"S": "c2"}, "tenantId": {"S": "t"}}]}});
    assert_eq!(response.body["UnprocessedKeys"], left);
}

#[test]
fn only_dead_or_expired_claims_are_taken_over() {
    let memory = memory();
    let claim = |run: &str, hash: &str, now: u64| {
        json!({
            "TableName": "imports",
            "Item": {
                "importKey": {"S": "t#k"}, "bodyHash": {"S": hash}, "run": {"S": run},
                "leaseUntil": {"N": (now * 1000 + 30_000).to_string()}, "expiresAt": {"N": (now + 100).to_string()},
            },
            "ExpressionAttributeValues": {
                ":now": {"N": now.to_string()}, ":nowMs": {"N": (now * 1000).to_string()}, ":bodyHash": {"S": hash},
            },
        })
    };
    let end = |run: &str| {
        json!({
            "TableName": "imports", "Key": {"importKey": {"S": "t#k"}}, "ConditionExpression": "#run = :run",
            "UpdateExpression": "SET failures = :failures",
            "ExpressionAttributeValues": {":run": {"S": run}, ":failures": {"M": {}}},
        })
    };
    let status =
        |operation: &str, body: Value| call(&memory, operation, &body).expect("no rule is broken").status;
    assert_eq!(status("UpdateItem", end("1")), 400, "there is no claim");
    assert_eq!(status("PutItem", claim("1", "h", 0)), 200);
    let theirs = call(&memory, "PutItem", &claim("2", "h", 29)).expect("no rule is broken");
    assert_eq!(
        (theirs.status, &theirs.body["Item"]["run"]),
        (400, &json!({"S": "1"})),
        "its lease has not ended"
    );
    assert_eq!(status("PutItem", claim("2", "another", 30)), 400, "of another body");
    assert_eq!(status("PutItem", claim("2", "h", 30)), 200);
    assert_eq!(status("UpdateItem", end("1")), 400, "the key is another run's");
    assert_eq!(status("UpdateItem", end("2")), 200);
    assert_eq!(status("PutItem", claim("3", "h", 61)), 400, "it has an outcome");
    assert_eq!(status("PutItem", claim("3", "another", 130)), 200, "it has expired");
}

#[test]
fn calls_that_break_a_rule_are_rejected() {
    let memory = memory();
    let values: Vec<_> = (0..51).map(|number| number.to_string()).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let long = "x".repeat(2049);
    let mut consistent = statement("openid", &["o1"], None);
    consistent["ConsistentRead"] = true.into();
    let mut without_import = put("c1", "g");
    without_import["PutRequest"]["Item"]["importId"]["S"] = "".into();
    let mut of_another = put("c1", "g");
    of_another["PutRequest"]["Item"]["audienceUserId"]["S"] = "c2".into();
    let membership = json!({"customerKey": {"S": "t#c1"}, "groupName": {"S": "g"}});
    let broken = [
        ("ExecuteStatement", statement("openid", &values, None), "IN of 51"),
        ("ExecuteStatement", statement("openid", &[], None), "IN of 0"),
        ("ExecuteStatement", statement("openid", &["o1", "o1"], None), "1 different"),
        ("ExecuteStatement", statement("openid", &[""], None), "0 bytes"),
        ("ExecuteStatement", statement("openid", &[&long], None), "2049 bytes"),
        ("ExecuteStatement", statement("openid", &["o1"], Some("2")), "token"),
        ("ExecuteStatement", statement("email", &["o1"], None), "no index on email"),
        ("ExecuteStatement", consistent, "consistently"),
        ("BatchGetItem", customers((0..101).map(|number| number.to_string())), "101 entries"),
        ("BatchGetItem", customers([]), "0 entries"),
        ("BatchGetItem", customers(["c1", "c1"].map(str::to_owned)), "twice"),
        (
            "BatchGetItem",
            json!({"RequestItems": {"memberships": {"Keys": [membership], "ProjectionExpression": "groupName"}}}),
            "consistently",
        ),
        ("BatchWriteItem", write((0..26).map(|number| put("c1", &number.to_string()))), "26 entries"),
        ("BatchWriteItem", write([]), "0 entries"),
        ("BatchWriteItem", write([put("c1", "g"), put("c1", "g")]), "twice"),
        ("BatchWriteItem", write([put("c1", &long[..1025])]), "1025 bytes"),
        ("BatchWriteItem", write([without_import]), "without its import"),
        ("BatchWriteItem", write([of_another]), "differs from the customer c2"),
        ("GetItem", json!({"TableName": "tenants", "Key": {"tokenHash": {"S": "token"}}}), "no hash"),
        ("Scan", json!({}), "Scan is not supported"),
    ];
    for (operation, body, message) in broken {
        let violation = call(&memory, operation, &body).expect_err(message).to_string();
        assert!(violation.contains(message), "{violation}: {message}");
    }
    assert_eq!(memory.memberships(), HashSet::new(), "no part of a rejected batch is written");
}
