//! Looking up customers by their identifiers.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;
use tracing::warn;

use super::call::{CallError, DENIED, INVALID, at_most};
use super::existing::{BATCH_GET_KEYS, Batch};
use super::{Item, Session, Stage, attribute};
use crate::config::IdentityLookup;
use crate::request::failure::Outage;
use crate::request::identifier::Identifier;
use crate::resolution::customer::{Lookup, LookupResult};
use crate::tenant::TenantId;

/// Values per statement. DynamoDB accepts up to 50 and returns pages of up to 10 items. Nine values
/// with one customer each do not fill a page, so no second, empty page is fetched.
const STATEMENT_VALUES: usize = 9;

/// How long a rejected statement keeps the process from sending another one.
const STATEMENTS_SUSPENDED: Duration = Duration::from_secs(5 * 60);

pub(super) const EXECUTE_STATEMENT: &str = "ExecuteStatement";

const CUSTOMER_ID: &str = "audienceUserId";
const TENANT_ID: &str = "tenantId";

impl Session<'_> {
    /// Looks up all values of a wave with concurrent calls, and returns one result per value.
    ///
    /// A failed call fails only its own values.
    pub async fn look_up(&self, tenant: &TenantId, lookups: &[Lookup<'_>]) -> Vec<Vec<LookupResult>> {
        let mut calls = Vec::new();
        for (which, lookup) in lookups.iter().enumerate() {
            let size = self.values_per_call(lookup.identifier);
            for (chunk, values) in lookup.values.chunks(size).enumerate() {
                calls.push((which, chunk * size, lookup.identifier, values));
            }
        }
        let finished = at_most(
            self.database.lookup_concurrency,
            calls,
            |(which, first, identifier, values)| async move {
                (which, first, self.look_up_chunk(tenant, identifier, values).await)
            },
        );

        let not_called = |lookup: &Lookup<'_>| vec![Err(Outage::Timeout); lookup.values.len()];
        let mut results: Vec<Vec<LookupResult>> = lookups.iter().map(not_called).collect();
        for (which, first, chunk) in self.tally.during(Stage::LookUps, finished).await {
            for (result, position) in chunk.into_iter().zip(first..) {
                results[which][position] = result;
            }
        }
        results
    }

    fn values_per_call(&self, identifier: Identifier) -> usize {
        match (identifier, self.database.identity_lookup) {
            (Identifier::AudienceUserId, _) => BATCH_GET_KEYS,
            (_, IdentityLookup::Statement) => STATEMENT_VALUES,
            (_, IdentityLookup::Query) => 1,
        }
    }

    async fn look_up_chunk(
        &self,
        tenant: &TenantId,
        identifier: Identifier,
        values: &[&str],
    ) -> Vec<LookupResult> {
        if identifier == Identifier::AudienceUserId {
            return self.get(tenant, values).await;
        }
        if self.database.identity_lookup == IdentityLookup::Statement && self.accepts_statements() {
            match self.execute(tenant, identifier, values).await {
                Ok(found) => return found.into_iter().map(Ok).collect(),
                Err(CallError::Invalid) => self.suspend_statements(INVALID),
                Err(CallError::Denied) => self.suspend_statements(DENIED),
                Err(error) => return vec![Err(error.into()); values.len()],
            }
        }
        let mut results = Vec::with_capacity(values.len());
        for value in values {
            results.push(self.query(tenant, identifier, value).await.map_err(Outage::from));
        }
        results
    }

    /// Whether no statement was rejected for its form or for lack of permission in the last while.
    fn accepts_statements(&self) -> bool {
        self.statements_from().is_none_or(|from| Instant::now() >= from)
    }

    /// Reads by `Query` for a while, instead of having hundreds of statements rejected.
    fn suspend_statements(&self, code: &'static str) {
        let from = Instant::now() + STATEMENTS_SUSPENDED;
        let suspended = self.statements_from().replace(from);
        if suspended.is_none_or(|from| Instant::now() >= from) {
            self.tally.failed(EXECUTE_STATEMENT, code);
            warn!(
                code,
                "a PartiQL statement was rejected: reading by Query for some minutes; see IDENTITY_LOOKUP"
            );
        }
    }

    /// A poisoned lock is ignored: the time is complete whenever it is set.
    fn statements_from(&self) -> MutexGuard<'_, Option<Instant>> {
        self.database.statements_from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up several values by one PartiQL statement, to its last page. Returns the customers of
    /// each value, in the order of the values.
    async fn execute(
        &self,
        tenant: &TenantId,
        identifier: Identifier,
        values: &[&str],
    ) -> Result<Vec<Vec<String>>, CallError> {
        let statement = statement(&self.database.tables.customers, identifier, values.len());
        let parameters = || {
            let texts = values.iter().copied().chain([tenant.as_str()]);
            texts.map(|text| AttributeValue::S(text.to_owned())).collect()
        };
        let mut found = vec![Vec::new(); values.len()];
        let mut next_token = None;
        loop {
            // Every page must be requested with the same statement and parameters.
            let request = self
                .database
                .client
                .execute_statement()
                .statement(&statement)
                .set_parameters(Some(parameters()))
                .set_next_token(next_token);
            let page = self.read(EXECUTE_STATEMENT, || request.clone().send()).await?;
            for item in page.items.unwrap_or_default() {
                let (value, customer) = (string(&item, identifier.field())?, string(&item, CUSTOMER_ID)?);
                if let Some(position) = values.iter().position(|sent| *sent == value) {
                    add(&mut found[position], customer);
                }
            }
            next_token = page.next_token;
            if next_token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Looks up one value by `Query` on its index, to the last page.
    async fn query(
        &self,
        tenant: &TenantId,
        identifier: Identifier,
        value: &str,
    ) -> Result<Vec<String>, CallError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let request = self
                .database
                .client
                .query()
                .table_name(&self.database.tables.customers)
                .index_name(index(identifier))
                .key_condition_expression("#identifier = :value AND tenantId = :tenant")
                .expression_attribute_names("#identifier", identifier.field())
                .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
                .expression_attribute_values(":tenant", AttributeValue::S(tenant.as_str().to_owned()))
                .set_exclusive_start_key(start);
            let page = self.read("Query", || request.clone().send()).await?;
            for item in page.items.unwrap_or_default() {
                add(&mut found, string(&item, CUSTOMER_ID)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Looks up at most [`BATCH_GET_KEYS`] customer IDs.
    async fn get(&self, tenant: &TenantId, ids: &[&str]) -> Vec<LookupResult> {
        let batch = Batch {
            table: &self.database.tables.customers,
            projection: CUSTOMER_ID,
            consistent: false,
            patient: true,
            count: ids.len(),
            key: |position: usize| key(tenant, ids[position]),
            position: |item: &Item| {
                let id = string(item, CUSTOMER_ID).ok()?;
                ids.iter().position(|sent| *sent == id)
            },
        };
        let results = self.exist(&batch).await.into_iter().zip(ids);
        results.map(|(exists, id)| Ok(if exists? { vec![(*id).to_owned()] } else { Vec::new() })).collect()
    }
}

/// Adds a customer once: an index that changes between two pages may return it on both.
fn add(found: &mut Vec<String>, customer: &str) {
    if !found.iter().any(|earlier| earlier == customer) {
        found.push(customer.to_owned());
    }
}

fn key(tenant: &TenantId, id: &str) -> Item {
    Item::from([attribute(CUSTOMER_ID, id), attribute(TENANT_ID, tenant.as_str())])
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

/// A string attribute of an item read. Keys are strings: an item without them is invalid.
fn string<'i>(item: &'i Item, name: &str) -> Result<&'i str, CallError> {
    match item.get(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        _ => Err(CallError::Outage(Outage::StoreError)),
    }
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
