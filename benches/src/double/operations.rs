//! The operations of the double: a request's JSON in, an answer's JSON out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CUSTOMERS_TABLE, MEMBERSHIPS_TABLE, TENANTS_TABLE};
use crate::workload::{FIELDS, TENANT, Workload};

/// Results of `IN` come in pages of up to 10 items (DynamoDB developer guide, PartiQL select).
const PAGE_ITEMS: usize = 10;

/// Limits of the batch operations (DynamoDB API reference).
const BATCH_GET_KEYS: usize = 100;
const BATCH_WRITE_ITEMS: usize = 25;

pub const CUSTOMER_ID: &str = "audienceUserId";
const TENANT_ID: &str = "tenantId";

/// The bytes that a write unit pays for (DynamoDB pricing).
const WRITE_UNIT_BYTES: usize = 1024;

/// Key and group of a membership.
pub type Membership = (String, String);

/// A string attribute; no other type is in the tables but in the tenants', which no write reaches.
#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "S", borrow)]
    text: Cow<'a, str>,
}

type Attributes<'a> = HashMap<&'a str, Text<'a>>;

/// The customers, by each of their identifiers.
pub struct Customers {
    /// By the order of [`FIELDS`]: from an identifier to the customer's ID.
    indexes: [HashMap<String, String>; 4],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    #[serde(borrow)]
    statement: Cow<'a, str>,
    #[serde(borrow)]
    parameters: Vec<Text<'a>>,
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query<'a> {
    index_name: Option<&'a str>,
    key_condition_expression: &'a str,
    #[serde(borrow)]
    expression_attribute_values: Attributes<'a>,
    projection_expression: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a, T> {
    #[serde(borrow)]
    request_items: HashMap<&'a str, T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys<'a> {
    #[serde(borrow)]
    keys: Vec<Attributes<'a>>,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write<'a> {
    #[serde(borrow)]
    put_request: Put<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    #[serde(borrow)]
    item: Attributes<'a>,
}

impl Customers {
    pub fn new(workload: &Workload) -> Self {
        let known = workload.records.iter().filter(|record| record.known);
        let mut indexes = [(); 4].map(|()| HashMap::new());
        for record in known {
            for (index, value) in indexes.iter_mut().zip(&record.identifiers) {
                index.insert(value.clone(), record.identifiers[3].clone());
            }
        }
        Self { indexes }
    }

    fn find(&self, field: &str, value: &str, tenant: &str) -> Option<&str> {
        let index = FIELDS.iter().position(|name| *name == field)?;
        let customer = self.indexes[index].get(value)?;
        (tenant == TENANT).then_some(customer)
    }

    /// `SELECT ... FROM "table"."field-index" WHERE "field" IN [?, ...] AND "tenantId" = ?`: whether
    /// this is the first page, and the page.
    pub fn execute_statement(&self, body: &[u8]) -> Result<(bool, Value), String> {
        let Statement { statement, parameters, next_token } = read(body)?;
        let (before, _) = statement.split_once("-index").ok_or("no index is named")?;
        let field = before.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let (tenant, values) = parameters.split_last().ok_or("no parameters")?;
        let items: Vec<_> = values
            .iter()
            .filter_map(|value| Some((value, self.find(field, &value.text, &tenant.text)?)))
            .map(|(value, customer)| json!({CUSTOMER_ID: {"S": customer}, field: {"S": value.text}}))
            .collect();

        let from = next_token.map_or(Ok(0), str::parse).map_err(|_| "no such page")?;
        let to = items.len().min(from + PAGE_ITEMS);
        let mut page = json!({"Items": items.get(from..to).ok_or("no such page")?});
        // Also where nothing follows: DynamoDB looks no further than a full page.
        if to - from == PAGE_ITEMS {
            page["NextToken"] = to.to_string().into();
        }
        Ok((next_token.is_none(), page))
    }

    /// `a = :b AND c = :d` on an index or on the table. One value means at most one customer here,
    /// so that there is no second page.
    pub fn query(&self, body: &[u8]) -> Result<Value, String> {
        let query: Query<'_> = read(body)?;
        let field = query.index_name.map_or(CUSTOMER_ID, |name| name.trim_end_matches("-index"));
        let conditions = query.key_condition_expression.split(" AND ");
        let placeholders = conditions.filter_map(|condition| condition.split(" = ").nth(1));
        let values: Vec<_> = placeholders
            .map(|name| query.expression_attribute_values.get(name).ok_or(format!("{name} has no value")))
            .collect::<Result<_, _>>()?;
        let [value, tenant] = values[..] else { return Err("not a condition on both keys".to_owned()) };
        let items: Vec<_> = self
            .find(field, &value.text, &tenant.text)
            .map(|customer| {
                let mut item = json!({CUSTOMER_ID: {"S": customer}});
                if query.projection_expression.is_none() {
                    item[TENANT_ID] = json!({"S": TENANT});
                    item[field] = json!({"S": value.text});
                }
                item
            })
            .into_iter()
            .collect();
        Ok(json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items}))
    }

    pub fn batch_get_item(&self, asked: &BatchGet<'_>) -> Value {
        let found = asked.keys.iter().filter_map(|key| {
            let customer = self.find(CUSTOMER_ID, &key.get(CUSTOMER_ID)?.text, &key.get(TENANT_ID)?.text)?;
            Some(json!({CUSTOMER_ID: {"S": customer}}))
        });
        json!({"Responses": {CUSTOMERS_TABLE: found.collect::<Vec<_>>()}, "UnprocessedKeys": {}})
    }
}

/// Keys asked for in one table.
pub struct BatchGet<'a> {
    pub of_memberships: bool,
    keys: Vec<Attributes<'a>>,
    /// Read units: half a unit a key of an item up to 4 KB, twice that if strongly consistent.
    pub units: f64,
}

impl<'a> BatchGet<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, String> {
        let Batch::<Keys<'_>> { request_items } = read(body)?;
        let (table, Keys { keys, consistent_read }) =
            request_items.into_iter().next().ok_or("no table is named")?;
        if keys.len() > BATCH_GET_KEYS {
            return Err(format!("{} keys", keys.len()));
        }
        let of_memberships = match table {
            CUSTOMERS_TABLE => false,
            MEMBERSHIPS_TABLE => true,
            _ => return Err(format!("no keys of {table} are asked for")),
        };
        let units = keys.len() as f64 * if consistent_read { 1.0 } else { 0.5 };
        Ok(Self { of_memberships, keys, units })
    }

    /// Those of the memberships in place that are asked for.
    pub fn of(&self, in_place: &HashSet<Membership>) -> Result<Value, String> {
        let mut found = Vec::new();
        for key in &self.keys {
            let membership = (text(key, "customerKey")?, text(key, "groupName")?);
            if in_place.contains(&membership) {
                found.push(json!({"customerKey": {"S": membership.0}, "groupName": {"S": membership.1}}));
            }
        }
        Ok(json!({"Responses": {MEMBERSHIPS_TABLE: found}, "UnprocessedKeys": {}}))
    }
}

/// The tenant of the bench, whatever the token: no other is ever sent.
pub fn get_tenant(body: &[u8]) -> Result<Value, String> {
    let request: Map<String, Value> = read(body)?;
    match request.get("TableName").and_then(Value::as_str) {
        Some(TENANTS_TABLE) => Ok(json!({"Item": {TENANT_ID: {"S": TENANT}}})),
        _ => Err("not the tenants' table".to_owned()),
    }
}

/// The memberships put, and their write units.
pub fn batch_write_item(body: &[u8]) -> Result<(Vec<Membership>, f64), String> {
    let Batch::<Vec<Write<'_>>> { request_items } = read(body)?;
    let writes = request_items.get(MEMBERSHIPS_TABLE).ok_or("not the memberships' table")?;
    if writes.len() > BATCH_WRITE_ITEMS {
        return Err(format!("{} items", writes.len()));
    }
    let mut units = 0;
    let mut memberships = Vec::new();
    for item in writes.iter().map(|write| &write.put_request.item) {
        for name in [TENANT_ID, CUSTOMER_ID, "updatedAt", "importId"] {
            text(item, name)?;
        }
        memberships.push((text(item, "customerKey")?, text(item, "groupName")?));
        let bytes: usize = item.iter().map(|(name, value)| name.len() + value.text.len()).sum();
        units += bytes.div_ceil(WRITE_UNIT_BYTES);
    }
    Ok((memberships, units as f64))
}

fn text(item: &Attributes<'_>, name: &str) -> Result<String, String> {
    item.get(name).map(|value| value.text.to_string()).ok_or(format!("an item without {name}"))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
