//! The calls that find customers by their identifiers.

use aws_sdk_dynamodb::types::AttributeValue;

use super::items::{Batch, Purpose};
use super::{INVALID, Item, is_of_another, text};
use crate::database::client::{CallError, EXECUTE_STATEMENT, Pace};
use crate::database::{Database, Session};
use crate::request::identifier::{Identifier, Identifiers};
use crate::resolution::lookup::{Customer, Found, Lookup, LookupResult};
use crate::tenant::TenantId;

/// The most items of a page of a statement with `IN` (DynamoDB developer guide, PartiQL select).
pub(super) const PAGE_ITEMS: usize = 10;

/// Values per statement. DynamoDB accepts up to 50. Nine values with one customer each do not fill a page, so no second,
/// empty page is fetched.
pub(super) const STATEMENT_VALUES: usize = PAGE_ITEMS - 1;

const CUSTOMER_ID: &str = "audienceUserId";
const TENANT_ID: &str = "tenantId";

/// Of the pages of a statement, so many items may be of values that are known to be shared. After that the other values
/// are looked up by another statement: a value that thousands of customers share would fill thousands of pages.
const SURPLUS_ITEMS: usize = PAGE_ITEMS / 2;

/// What was read of some values, in their order.
pub(super) struct Reading {
    pub customers: Vec<Vec<String>>,
    /// Whether these are all customers of each value, or more than are listed.
    pub is_complete: bool,
}

impl Session<'_> {
    /// Looks up the values at some positions by one PartiQL statement: to its last page, or until it is clear that the
    /// further pages are full of customers who share a value.
    pub(super) async fn execute(
        &self,
        tenant: &TenantId,
        lookup: &Lookup<'_>,
        positions: &[usize],
    ) -> Result<Reading, CallError> {
        let field = lookup.identifier.field();
        let values: Vec<&str> = positions.iter().map(|&position| &*lookup.values[position]).collect();
        let parameters = values.iter().copied().chain([tenant.as_str()]);
        let parameters = parameters.map(|text| AttributeValue::S(text.to_owned())).collect();
        let Database { client, config, .. } = self.database;
        let mut request = client
            .execute_statement()
            .statement(statement(&config.tables.customers, lookup.identifier, values.len()))
            .set_parameters(Some(parameters));
        let pace = self.pace_of(lookup.identifier);
        let mut customers = vec![Vec::new(); values.len()];
        let mut surplus = 0;
        loop {
            let page = self.calls.send(pace, EXECUTE_STATEMENT, || request.clone().send()).await?;
            for item in page.items.ok_or(INVALID)? {
                let (value, customer) = (key(&item, field)?, key(&item, CUSTOMER_ID)?);
                let position = values.iter().position(|sent| *sent == value).ok_or(INVALID)?;
                let customers = &mut customers[position];
                surplus += usize::from(customers.len() > lookup.most.min(PAGE_ITEMS));
                add(customers, customer, lookup.most);
            }
            // An empty token would read the first page again.
            let next_token = page.next_token.filter(|token| !token.is_empty());
            let is_complete =
                next_token.is_none() || customers.iter().all(|customers| customers.len() > lookup.most);
            if is_complete || surplus >= SURPLUS_ITEMS {
                return Ok(Reading { customers, is_complete });
            }
            request = request.set_next_token(next_token);
        }
    }

    /// Each index throttles by itself.
    fn pace_of(&self, identifier: Identifier) -> &Pace {
        &self.database.look_ups[identifier as usize]
    }

    /// Looks up the value at a position by `Query` on its index, which lists as many customers as are needed by one call.
    pub(super) async fn query(
        &self,
        tenant: &TenantId,
        lookup: &Lookup<'_>,
        position: usize,
    ) -> Result<Found, CallError> {
        let Database { client, config, .. } = self.database;
        let (field, value) = (lookup.identifier.field(), &*lookup.values[position]);
        let mut request = client
            .query()
            .table_name(&config.tables.customers)
            .index_name(index(lookup.identifier))
            .key_condition_expression("#identifier = :value AND tenantId = :tenant")
            .expression_attribute_names("#identifier", field)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .expression_attribute_values(":tenant", AttributeValue::S(tenant.as_str().to_owned()))
            .limit(lookup.most as i32 + 1);
        let pace = self.pace_of(lookup.identifier);
        let mut customers = Vec::new();
        loop {
            let page = self.calls.send(pace, "Query", || request.clone().send()).await?;
            for item in page.items.ok_or(INVALID)? {
                if is_of_another(&item, field, value) || is_of_another(&item, TENANT_ID, tenant.as_str()) {
                    return Err(INVALID);
                }
                add(&mut customers, key(&item, CUSTOMER_ID)?, lookup.most);
            }
            let last_key = page.last_evaluated_key.filter(|key| !key.is_empty());
            if last_key.is_none() || customers.len() > lookup.most {
                return Ok(Found::listed(customers, lookup.most));
            }
            request = request.set_exclusive_start_key(last_key);
        }
    }

    /// Looks up at most [`BATCH_GET_KEYS`](super::items::BATCH_GET_KEYS) customer IDs.
    pub(super) async fn get(&self, tenant: &TenantId, lookup: &Lookup<'_>) -> Vec<LookupResult> {
        let ids = &lookup.values;
        let fields =
            if lookup.with_identifiers { &Identifier::ALL[..] } else { &[Identifier::AudienceUserId] };
        let projection: Vec<_> = fields.iter().map(|field| field.field()).chain([TENANT_ID]).collect();
        let batch = Batch {
            table: &self.database.config.tables.customers,
            key: [CUSTOMER_ID, TENANT_ID],
            keys: ids.iter().map(|id| [id.to_string(), tenant.as_str().to_owned()]).collect(),
            projection: &projection.join(", "),
            pace: self.pace_of(Identifier::AudienceUserId),
            purpose: Purpose::LookUp,
        };
        let results = self.get_items(&batch).await.into_iter().zip(ids);
        let found = results.map(|(item, id)| {
            let customer = item?.map(|item| Customer {
                id: id.to_string(),
                identifiers: lookup.with_identifiers.then(|| Box::new(identifiers(item))),
            });
            Ok(Found::Customers(customer.into_iter().collect()))
        });
        found.collect()
    }
}

/// The identifiers of a customer's item, as stored.
fn identifiers(mut item: Item) -> Identifiers<'static> {
    let mut identifiers = Identifiers::default();
    for identifier in Identifier::ALL {
        if let Some(AttributeValue::S(value)) = item.remove(identifier.field()) {
            identifiers.set(identifier, Some(value.into()));
        }
    }
    identifiers
}

/// Adds a customer once, as an index that changes between two pages may return it on both, and no more than one beyond
/// those that are listed.
fn add(customers: &mut Vec<String>, customer: &str, most: usize) {
    if customers.len() <= most && !customers.iter().any(|earlier| earlier == customer) {
        customers.push(customer.to_owned());
    }
}

fn index(identifier: Identifier) -> String {
    format!("{}-index", identifier.field())
}

/// A statement that reads by key, not by scan: `=` and `IN` on the keys of an index (DynamoDB
/// developer guide, PartiQL select).
fn statement(table: &str, identifier: Identifier, values: usize) -> String {
    let (field, index) = (identifier.field(), index(identifier));
    let placeholders = vec!["?"; values].join(", ");
    format!(
        r#"SELECT "{CUSTOMER_ID}", "{field}" FROM "{table}"."{index}" WHERE "{field}" IN [{placeholders}] AND "{TENANT_ID}" = ?"#
    )
}

/// A key of an item read. Keys are strings: an item without them is invalid.
fn key<'i>(item: &'i Item, name: &str) -> Result<&'i str, CallError> {
    text(item, name).ok_or(INVALID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_reads_one_index_by_key() {
        assert_eq!(
            statement("customers", Identifier::Openid, 3),
            "SELECT \"audienceUserId\", \"openid\" FROM \"customers\".\"openid-index\" \
             WHERE \"openid\" IN [?, ?, ?] AND \"tenantId\" = ?"
        );
    }
}
