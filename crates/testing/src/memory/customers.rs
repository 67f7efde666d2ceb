//! The customers, and the operations that look them up.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{PAGE_ITEMS, page};
use super::request::{Attributes, Text, Violation, partition_key, read, rule};
use super::{CUSTOMER_ID, Response, TENANT_ID};

/// The identifiers: each has an index, except the ID, which is the table's key.
pub const FIELDS: [&str; 4] = ["unionid", "openid", "phone", CUSTOMER_ID];

/// The maximum characters of a statement, and values of `IN` (DynamoDB developer guide).
const STATEMENT_CHARACTERS: usize = 8_192;
const IN_VALUES: usize = 50;

/// The kind under which a further page of a statement is counted, apart from the first.
pub const FURTHER_PAGE: &str = "ExecuteStatement, further page";

#[derive(Clone, Debug)]
pub struct Customer {
    pub tenant: String,
    pub id: String,
    /// In the order of [`FIELDS`], without the ID.
    pub identifiers: [Option<String>; 3],
}

/// The customers, by each of their identifiers.
#[derive(Debug, Default)]
pub struct Customers {
    /// In the order of [`FIELDS`]: from an identifier to the customers that have it.
    indexes: [HashMap<String, Vec<Found>>; 4],
}

#[derive(Clone, Debug)]
struct Found {
    tenant: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    #[serde(borrow)]
    statement: Cow<'a, str>,
    #[serde(borrow)]
    parameters: Vec<Text<'a>>,
    next_token: Option<&'a str>,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query<'a> {
    index_name: Option<&'a str>,
    key_condition_expression: &'a str,
    #[serde(borrow)]
    expression_attribute_values: Attributes<'a>,
    projection_expression: Option<&'a str>,
    #[serde(default)]
    consistent_read: bool,
}

impl FromIterator<Customer> for Customers {
    fn from_iter<I: IntoIterator<Item = Customer>>(customers: I) -> Self {
        let mut all = Self::default();
        for Customer { tenant, id, identifiers } in customers {
            let found = Found { tenant, id: id.clone() };
            for (index, value) in all.indexes.iter_mut().zip(identifiers.into_iter().chain([Some(id)])) {
                if let Some(value) = value {
                    index.entry(value).or_default().push(found.clone());
                }
            }
        }
        all
    }
}

impl Customers {
    /// The IDs of the tenant's customers that have an identifier.
    fn find(&self, field: &str, value: &str, tenant: &str) -> Result<impl Iterator<Item = &str>, Violation> {
        partition_key(value)?;
        let index = FIELDS.iter().position(|name| *name == field);
        let index = &self.indexes[index.ok_or_else(|| Violation::new(format!("no index on {field}")))?];
        let found = index.get(value).map_or(&[][..], Vec::as_slice).iter();
        Ok(found.filter(move |found| found.tenant == tenant).map(|found| &*found.id))
    }

    pub fn exists(&self, id: &str, tenant: &str) -> bool {
        let [.., ids] = &self.indexes;
        ids.get(id).is_some_and(|found| found.iter().any(|found| found.tenant == tenant))
    }

    /// `SELECT ... FROM "table"."field-index" WHERE "field" IN [?, ...] AND "tenantId" = ?`, in pages.
    pub fn execute_statement(&self, body: &[u8]) -> Result<Response, Violation> {
        let Statement { statement, parameters, next_token, consistent_read } = read(body)?;
        rule(!consistent_read, || "an index cannot be read consistently".to_owned())?;
        rule(statement.len() <= STATEMENT_CHARACTERS, || format!("a statement of {}", statement.len()))?;
        let before = statement.split_once("-index\"").map(|(before, _)| before);
        let field = before.and_then(|before| before.rsplit_once('"')).map(|(_, field)| field);
        let field = field.ok_or_else(|| Violation::new("no index is named"))?;
        let (tenant, values) = parameters.split_last().ok_or_else(|| Violation::new("no parameters"))?;
        let distinct = values.iter().map(|value| &*value.text).collect::<HashSet<_>>().len();
        rule(distinct == values.len() && (1..=IN_VALUES).contains(&distinct), || {
            format!("IN of {} values, {distinct} different", values.len())
        })?;
        let mut items = Vec::new();
        for value in values {
            for customer in self.find(field, &value.text, &tenant.text)? {
                items.push(json!({CUSTOMER_ID: {"S": customer}, field: {"S": value.text}}));
            }
        }
        let from = next_token.map_or(Some(0), |token| token.parse().ok());
        let page = from.and_then(|from| page(&items, from, PAGE_ITEMS));
        let (items, next) = page.ok_or_else(|| Violation::new("no token of an earlier page"))?;
        let mut body = json!({"Items": items});
        if let Some(next) = next {
            body["NextToken"] = next.to_string().into();
        }
        Ok(Response::ok(if next_token.is_none() { "ExecuteStatement" } else { FURTHER_PAGE }, body))
    }

    /// `a = :b AND c = :d` on an index or on the table, in one page: no value has more customers than fit into
    /// 1 MB.
    pub fn query(&self, body: &[u8]) -> Result<Response, Violation> {
        let query: Query<'_> = read(body)?;
        rule(!(query.consistent_read && query.index_name.is_some()), || {
            "an index cannot be read consistently".to_owned()
        })?;
        let field = query.index_name.map_or(CUSTOMER_ID, |name| name.trim_end_matches("-index"));
        let conditions = query.key_condition_expression.split(" AND ");
        let placeholders = conditions.filter_map(|condition| condition.split(" = ").nth(1));
        let values: Option<Vec<_>> =
            placeholders.map(|name| query.expression_attribute_values.get(name)).collect();
        let Some([value, tenant]) = values.as_deref() else {
            return Err(Violation::new("not a condition on both keys"));
        };
        let found = self.find(field, &value.text, &tenant.text)?.map(|customer| {
            let mut item = json!({CUSTOMER_ID: {"S": customer}});
            if query.projection_expression.is_none() {
                item[TENANT_ID] = json!({"S": tenant.text});
                item[field] = json!({"S": value.text});
            }
            item
        });
        let items: Vec<Value> = found.collect();
        Ok(Response::ok("Query", json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items})))
    }
}
