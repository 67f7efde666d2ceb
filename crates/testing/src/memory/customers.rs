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

impl Customer {
    /// The value of one of [`FIELDS`], or of the tenant.
    fn field(&self, field: &str) -> Option<&str> {
        if field == TENANT_ID {
            return Some(&self.tenant);
        }
        let position = FIELDS.iter().position(|name| *name == field)?;
        self.identifiers.get(position).map_or(Some(&*self.id), Option::as_deref)
    }

    /// The item, with the attributes of a projection expression.
    pub fn item(&self, projection: &str) -> Value {
        let given = projection.split(", ").filter_map(|name| Some((name, self.field(name)?)));
        given.map(|(name, value)| (name.to_owned(), json!({"S": value}))).collect()
    }
}

/// The customers, by each of their identifiers.
#[derive(Debug, Default)]
pub struct Customers {
    customers: Vec<Customer>,
    /// In the order of [`FIELDS`]: from an identifier to the places of the customers that have it.
    indexes: [HashMap<String, Vec<usize>>; 4],
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
    limit: Option<usize>,
    #[serde(default)]
    consistent_read: bool,
}

impl FromIterator<Customer> for Customers {
    fn from_iter<I: IntoIterator<Item = Customer>>(customers: I) -> Self {
        let customers: Vec<_> = customers.into_iter().collect();
        let mut indexes: [HashMap<_, Vec<_>>; 4] = Default::default();
        for (place, customer) in customers.iter().enumerate() {
            for (index, field) in indexes.iter_mut().zip(FIELDS) {
                if let Some(value) = customer.field(field) {
                    index.entry(value.to_owned()).or_default().push(place);
                }
            }
        }
        Self { customers, indexes }
    }
}

impl Customers {
    /// The tenant's customers that have an identifier.
    fn find<'s>(
        &'s self,
        field: &str,
        value: &str,
        tenant: &'s str,
    ) -> Result<impl Iterator<Item = &'s Customer>, Violation> {
        partition_key(value)?;
        let index = FIELDS.iter().position(|name| *name == field);
        let index = &self.indexes[index.ok_or_else(|| Violation::new(format!("no index on {field}")))?];
        let found = index.get(value).map_or(&[][..], Vec::as_slice).iter();
        Ok(found.map(|&place| &self.customers[place]).filter(move |customer| customer.tenant == tenant))
    }

    /// The customer with this ID.
    pub fn get<'s>(&'s self, id: &str, tenant: &'s str) -> Option<&'s Customer> {
        self.find(CUSTOMER_ID, id, tenant).ok()?.next()
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
        let found = values.iter().map(|value| self.find(field, &value.text, &tenant.text));
        let found = found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
        let selected = format!("{CUSTOMER_ID}, {field}");
        let items = found.map(|customer| customer.item(&selected));
        let from = next_token.map_or(Some(0), |token| token.parse().ok());
        let page = from.and_then(|from| page(items, from, PAGE_ITEMS));
        let (items, next) = page.ok_or_else(|| Violation::new("no token of an earlier page"))?;
        let mut body = json!({"Items": items});
        if let Some(next) = next {
            body["NextToken"] = next.to_string().into();
        }
        Ok(Response::ok(if next_token.is_none() { "ExecuteStatement" } else { FURTHER_PAGE }, body))
    }

    /// `a = :b AND c = :d` on an index or on the table: the first page, which only a limit ends.
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
        let keys = format!("{CUSTOMER_ID}, {TENANT_ID}, {field}");
        let found = self.find(field, &value.text, &tenant.text)?;
        let found: Vec<_> = found.take(query.limit.unwrap_or(usize::MAX)).collect();
        let selected = query.projection_expression.unwrap_or(&keys);
        let items: Vec<_> = found.iter().map(|customer| customer.item(selected)).collect();
        let mut body = json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items});
        if let Some(last) = found.last().filter(|_| query.limit == Some(found.len())) {
            body["LastEvaluatedKey"] = last.item(&keys);
        }
        Ok(Response::ok("Query", body))
    }
}
