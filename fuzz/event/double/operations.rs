//! The operations: a request's JSON in, an answer's JSON out. What DynamoDB would refuse is a panic here: nothing
//! that a caller sends may lead to it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, CUSTOMERS, IMPORTS, MEMBERSHIPS, State, TENANT, TENANTS, error};
use crate::expected::world;
use crate::faults::Token;
use reference::world::Customer;

/// Results of `IN` come in pages of up to 10 items (DynamoDB developer guide, PartiQL select).
const PAGE_ITEMS: usize = 10;

impl State {
    pub(super) fn act(&mut self, operation: &str, body: &Value) -> Answer {
        let answer = match operation {
            "ExecuteStatement" => execute_statement(body),
            "Query" => query(body),
            "BatchGetItem" => self.batch_get_item(body, usize::MAX),
            "BatchWriteItem" => self.batch_write_item(body, usize::MAX),
            "GetItem" if body["TableName"] == TENANTS => {
                assert_eq!(text(&body["Key"]["tokenHash"]).len(), 64, "a hash, no token");
                json!({"Item": {"tenantId": {"S": TENANT}, "enabled": {"BOOL": true}}})
            }
            "PutItem" => return self.claim(body),
            "UpdateItem" => return self.update_import(body),
            _ => panic!("{operation} is not called: {body}"),
        };
        (200, answer.to_string())
    }

    /// Of a batch a part; other operations whole.
    pub(super) fn act_in_part(&mut self, operation: &str, body: &Value, divisor: usize) -> Answer {
        let part = |items: &Value| list(items).len().checked_div(divisor).unwrap_or_default();
        let answer = match operation {
            "BatchGetItem" => {
                let (_, keys) = asked(body);
                self.batch_get_item(body, keys.len().checked_div(divisor).unwrap_or_default())
            }
            "BatchWriteItem" => self.batch_write_item(body, part(&body["RequestItems"][MEMBERSHIPS])),
            _ => return self.act(operation, body),
        };
        (200, answer.to_string())
    }

    fn batch_get_item(&self, body: &Value, most: usize) -> Value {
        let (table, keys) = asked(body);
        assert!((1..=100).contains(&keys.len()), "{} keys", keys.len());
        let distinct: BTreeSet<_> = keys.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:?}");
        let (done, left) = keys.split_at(most.min(keys.len()));
        let items: Vec<_> = if table == MEMBERSHIPS {
            assert_eq!(body["RequestItems"][table]["ConsistentRead"], true);
            let is_there = |key: &&Value| {
                self.memberships
                    .contains(&(text(&key["customerKey"]).to_owned(), text(&key["groupName"]).to_owned()))
            };
            done.iter().filter(is_there).cloned().collect()
        } else {
            done.iter()
                .flat_map(|key| found("audienceUserId", text(&key["audienceUserId"]), text(&key["tenantId"])))
                .map(|customer| json!({"audienceUserId": {"S": customer.id}}))
                .collect()
        };
        let unprocessed = if left.is_empty() { json!({}) } else { json!({table: {"Keys": left}}) };
        json!({"Responses": {table: items}, "UnprocessedKeys": unprocessed})
    }

    fn batch_write_item(&mut self, body: &Value, most: usize) -> Value {
        let requests = list(&body["RequestItems"][MEMBERSHIPS]);
        assert!((1..=25).contains(&requests.len()), "{} items", requests.len());
        let mut keys = BTreeSet::new();
        for (place, request) in requests.iter().enumerate() {
            let (put, delete) = (&request["PutRequest"]["Item"], &request["DeleteRequest"]["Key"]);
            let item = if put.is_null() { delete } else { put };
            let key = (text(&item["customerKey"]).to_owned(), text(&item["groupName"]).to_owned());
            // Limits of the keys of an item (DynamoDB developer guide, constraints).
            assert!((1..=2048).contains(&key.0.len()) && (1..=1024).contains(&key.1.len()), "{key:?}");
            assert!(keys.insert(key.clone()), "{key:?} twice");
            if place >= most {
                continue;
            }
            if put.is_null() {
                self.memberships.remove(&key);
            } else {
                let customer = format!("{}#{}", text(&item["tenantId"]), text(&item["audienceUserId"]));
                assert_eq!(key.0, customer);
                assert!(!text(&item["updatedAt"]).is_empty() && !text(&item["importId"]).is_empty());
                self.memberships.insert(key);
            }
        }
        match requests.get(most..) {
            Some(left @ [_, ..]) => json!({"UnprocessedItems": {MEMBERSHIPS: left}}),
            _ => json!({"UnprocessedItems": {}}),
        }
    }

    /// `PutItem` on `imports`, under the condition of a claim.
    fn claim(&mut self, body: &Value) -> Answer {
        assert_eq!(body["TableName"], IMPORTS);
        let (item, values) = (&body["Item"], &body["ExpressionAttributeValues"]);
        let key = text(&item["importKey"]);
        if let Some(stored) = self.imports.get(key) {
            let forgotten = number(&stored["expiresAt"]) <= number(&values[":now"]);
            let dead = stored["bodyHash"] == values[":bodyHash"]
                && stored.get("failures").is_none()
                && number(&stored["leaseUntil"]) <= number(&values[":nowMs"]);
            if !forgotten && !dead {
                let (status, refusal) = error(400, "ConditionalCheckFailedException");
                let mut refusal: Value = serde_json::from_str(&refusal).expect("JSON");
                refusal["Item"] = stored.clone();
                return (status, refusal.to_string());
            }
        }
        self.imports.insert(key.to_owned(), item.clone());
        (200, "{}".to_owned())
    }

    /// `SET a = :b, c = :d`, where the run is the same.
    fn update_import(&mut self, body: &Value) -> Answer {
        assert_eq!(
            (&body["TableName"], &body["ConditionExpression"]),
            (&json!(IMPORTS), &json!("#run = :run"))
        );
        let values = &body["ExpressionAttributeValues"];
        let item = self.imports.get_mut(text(&body["Key"]["importKey"])).expect("claimed before");
        if item["run"] != values[":run"] {
            return error(400, "ConditionalCheckFailedException");
        }
        let expression = body["UpdateExpression"].as_str().and_then(|text| text.strip_prefix("SET "));
        for assignment in expression.expect("it sets something").split(", ") {
            let (name, value) = assignment.split_once(" = ").expect("an assignment");
            item[name] = values[value].clone();
        }
        (200, "{}".to_owned())
    }
}

/// What a token's item says.
pub(super) fn tenant(token: Token) -> Answer {
    let answer = match token {
        Token::Unknown => json!({}),
        Token::Disabled => json!({"Item": {"tenantId": {"S": TENANT}, "enabled": {"BOOL": false}}}),
        Token::Expired => json!({"Item": {"tenantId": {"S": TENANT}, "expiresAt": {"N": "1"}}}),
        Token::Malformed => json!({"Item": {"tenantId": {"S": "a#b"}}}),
    };
    (200, answer.to_string())
}

/// `SELECT ... FROM "table"."field-index" WHERE "field" IN [?, ...] AND "tenantId" = ?`, in pages.
fn execute_statement(body: &Value) -> Value {
    let statement = body["Statement"].as_str().expect("a statement");
    assert!(statement.len() <= 8_192);
    let (before, _) = statement.split_once("-index\"").expect("an index");
    let (_, field) = before.rsplit_once('"').expect("a quoted name");
    let parameters: Vec<_> = list(&body["Parameters"]).iter().map(text).collect();
    let (tenant, values) = parameters.split_last().expect("parameters");
    let distinct: BTreeSet<_> = values.iter().collect();
    assert!(distinct.len() == values.len() && (1..=50).contains(&values.len()), "{values:?}");
    let items: Vec<_> = values
        .iter()
        .flat_map(|value| found(field, value, tenant).into_iter().map(move |customer| (value, customer)))
        .map(|(value, customer)| json!({"audienceUserId": {"S": customer.id}, field: {"S": value}}))
        .collect();
    let from =
        body["NextToken"].as_str().map_or(0, |token| token.parse().expect("a token of an earlier page"));
    let to = items.len().min(from + PAGE_ITEMS);
    let mut page = json!({"Items": items[from..to]});
    // Also where nothing follows: DynamoDB looks no further than a full page.
    if to - from == PAGE_ITEMS {
        page["NextToken"] = to.to_string().into();
    }
    page
}

/// `#identifier = :value AND tenantId = :tenant` on an index.
fn query(body: &Value) -> Value {
    let index = body["IndexName"].as_str().expect("an index");
    let values = &body["ExpressionAttributeValues"];
    let field = index.strip_suffix("-index").expect("the name of an index");
    let found = found(field, text(&values[":value"]), text(&values[":tenant"]));
    let items: Vec<_> = found
        .iter()
        .map(|customer| json!({"audienceUserId": {"S": customer.id}, "tenantId": {"S": customer.tenant}}))
        .collect();
    json!({"Count": items.len(), "Items": items})
}

/// The table and the keys of a `BatchGetItem`.
fn asked(body: &Value) -> (&str, &[Value]) {
    let tables = body["RequestItems"].as_object().expect("tables");
    let (table, asked) = tables.iter().next().expect("a table");
    assert!(tables.len() == 1 && [CUSTOMERS, MEMBERSHIPS].contains(&table.as_str()), "{body}");
    (table, list(&asked["Keys"]))
}

fn found(field: &str, value: &str, tenant: &str) -> Vec<Customer> {
    assert!((1..=2048).contains(&value.len()), "{} bytes are no key", value.len());
    let customers = world().customers.into_iter();
    customers
        .filter(|customer| {
            let item = customer.item();
            customer.tenant == tenant && item[field] == value
        })
        .collect()
}

fn text(attribute: &Value) -> &str {
    attribute["S"].as_str().expect("a string attribute")
}

fn number(attribute: &Value) -> u64 {
    attribute["N"].as_str().and_then(|digits| digits.parse().ok()).expect("a number attribute")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).expect("a list")
}
