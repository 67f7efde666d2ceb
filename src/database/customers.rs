//! Finding customers by their identifiers.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::AttributeValue;
use tracing::warn;

use super::call::{CallError, at_most};
use super::existing::{BATCH_GET_KEYS, Wanted};
use super::{Item, Session, Stage, attribute};
use crate::config::IdentityLookup;
use crate::request::failure::Outage;
use crate::request::identifier::Identifier;
use crate::resolution::customer::{Lookup, LookupResult};
use crate::tenant::TenantId;

/// Values of one statement. DynamoDB takes up to 50 and answers in pages of up to 10 items; nine
/// values that match one customer each leave the page unfilled, so that no second one is fetched
/// to learn that it is empty.
const STATEMENT_VALUES: usize = 9;

const CUSTOMER_ID: &str = "audienceUserId";
const TENANT_ID: &str = "tenantId";

impl Session<'_> {
    /// Looks up all values of a wave, many calls at a time, and gives one answer a value.
    ///
    /// A failure costs only the values of its call.
    pub async fn look_up(&self, tenant: &TenantId, lookups: &[Lookup<'_>]) -> Vec<Vec<LookupResult>> {
        let mut calls = Vec::new();
        for (which, lookup) in lookups.iter().enumerate() {
            let size = self.values_a_call(lookup.identifier);
            for (chunk, values) in lookup.values.chunks(size).enumerate() {
                calls.push((which, chunk * size, lookup.identifier, values));
            }
        }
        let answered = at_most(
            self.database.lookup_concurrency,
            calls,
            |(which, first, identifier, values)| async move {
                (which, first, self.look_up_chunk(tenant, identifier, values).await)
            },
        );

        let unanswered = |lookup: &Lookup<'_>| vec![Err(Outage::Timeout); lookup.values.len()];
        let mut answers: Vec<Vec<LookupResult>> = lookups.iter().map(unanswered).collect();
        for (which, first, chunk) in self.tally.during(Stage::LookUps, answered).await {
            for (answer, place) in chunk.into_iter().zip(first..) {
                answers[which][place] = answer;
            }
        }
        answers
    }

    fn values_a_call(&self, identifier: Identifier) -> usize {
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
        if self.database.identity_lookup == IdentityLookup::Statement {
            match self.execute(tenant, identifier, values).await {
                Ok(found) => return found.into_iter().map(Ok).collect(),
                Err(CallError::Outage(outage)) => return vec![Err(outage); values.len()],
                Err(CallError::Invalid | CallError::Denied) => self.log_rejection(),
            }
        }
        let mut answers = Vec::with_capacity(values.len());
        for value in values {
            answers.push(self.query(tenant, identifier, value).await.map_err(Outage::from));
        }
        answers
    }

    fn log_rejection(&self) {
        if !self.database.rejection_logged.swap(true, Ordering::Relaxed) {
            warn!("a PartiQL statement was refused: reading by Query instead; see IDENTITY_LOOKUP");
        }
    }

    /// Several values by one PartiQL statement, read to its last page. The answers line up with
    /// the values.
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
            // Every page needs the same statement and the same parameters.
            let request = self
                .database
                .client
                .execute_statement()
                .statement(&statement)
                .set_parameters(Some(parameters()))
                .set_next_token(next_token)
                .send();
            let page = self.call("ExecuteStatement", request).await?;
            for item in page.items.unwrap_or_default() {
                let (value, customer) = (string(&item, identifier.field())?, string(&item, CUSTOMER_ID)?);
                if let Some(place) = values.iter().position(|wanted| *wanted == value) {
                    add(&mut found[place], customer);
                }
            }
            next_token = page.next_token;
            if next_token.is_none() {
                return Ok(found);
            }
        }
    }

    /// One value by `Query` on its index, read to the last page.
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
                .set_exclusive_start_key(start)
                .send();
            let page = self.call("Query", request).await?;
            for item in page.items.unwrap_or_default() {
                add(&mut found, string(&item, CUSTOMER_ID)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Which of up to a hundred customer IDs are customers of the tenant.
    async fn get(&self, tenant: &TenantId, ids: &[&str]) -> Vec<LookupResult> {
        let wanted = Wanted {
            table: &self.database.tables.customers,
            projection: CUSTOMER_ID,
            consistent: false,
            count: ids.len(),
            key: |place: usize| key(tenant, ids[place]),
            place: |item: &Item| {
                let id = string(item, CUSTOMER_ID).ok()?;
                ids.iter().position(|wanted| *wanted == id)
            },
        };
        let there = self.are_there(&wanted).await.into_iter().zip(ids);
        there.map(|(there, id)| Ok(if there? { vec![(*id).to_owned()] } else { Vec::new() })).collect()
    }
}

/// An index that changes between two pages may name a customer on both.
fn add(found: &mut Vec<String>, customer: &str) {
    if !found.iter().any(|known| known == customer) {
        found.push(customer.to_owned());
    }
}

fn key(tenant: &TenantId, id: &str) -> Item {
    Item::from([attribute(CUSTOMER_ID, id), attribute(TENANT_ID, tenant.as_str())])
}

fn index(identifier: Identifier) -> String {
    format!("{}-index", identifier.field())
}

/// `=` and `IN` on the keys of an index are keyed reads (DynamoDB developer guide, PartiQL select).
fn statement(table: &str, identifier: Identifier, values: usize) -> String {
    let (field, index) = (identifier.field(), index(identifier));
    let places = vec!["?"; values].join(", ");
    format!(
        r#"SELECT "{CUSTOMER_ID}", "{field}" FROM "{table}"."{index}" WHERE "{field}" IN [{places}] AND "{TENANT_ID}" = ?"#
    )
}

/// A string attribute of an answer. Keys are strings: an answer without them is none.
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
    fn a_statement_reads_one_index_by_its_keys() {
        assert_eq!(
            statement("customers", Identifier::Openid, 3),
            "SELECT \"audienceUserId\", \"openid\" FROM \"customers\".\"openid-index\" \
             WHERE \"openid\" IN [?, ?, ?] AND \"tenantId\" = ?"
        );
    }
}
