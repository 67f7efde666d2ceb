//! Reading the tenant of a token.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{INVALID, Item, is_of_another, text};
use crate::database::client::Pace;
use crate::database::{Session, Stage};
use crate::request::failure::Outage;
use crate::tenant::{Tenant, TenantId, TokenHash};

/// Why a tenant could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// The database did not respond.
    #[error("the database did not respond")]
    Outage(Outage),
    /// An attribute of the token's item is missing or invalid.
    #[error("the tenant's item has a wrong {0}")]
    Malformed(&'static str),
}

impl Session<'_> {
    /// The tenant of a token; `None` if the token is unknown. One strongly consistent `GetItem`, so
    /// that a revoked token is rejected immediately.
    ///
    /// # Errors
    /// The database did not respond, or the item does not conform to the contract.
    pub async fn tenant(&self, token: &TokenHash) -> Result<Option<Tenant>, TenantError> {
        let request = self
            .database
            .client
            .get_item()
            .table_name(&self.database.config.tables.tenants)
            .key("tokenHash", AttributeValue::S(token.as_str().to_owned()))
            .consistent_read(true);
        let pace = Pace::default();
        let output = self.calls.send(&pace, "GetItem", || request.clone().send());
        let output = self.calls.tally.during(Stage::Token, output).await;
        let output = output.map_err(|error| TenantError::Outage(error.into()))?;
        let Some(item) = output.item else { return Ok(None) };
        if is_of_another(&item, "tokenHash", token.as_str()) {
            return Err(TenantError::Outage(INVALID.into()));
        }
        tenant(&item).map(Some)
    }
}

fn tenant(item: &Item) -> Result<Tenant, TenantError> {
    let id = text(item, "tenantId").and_then(TenantId::new);
    Ok(Tenant {
        id: id.ok_or(TenantError::Malformed("tenantId"))?,
        enabled: match item.get("enabled") {
            None => true,
            Some(AttributeValue::Bool(enabled)) => *enabled,
            Some(_) => return Err(TenantError::Malformed("enabled")),
        },
        permissions: match item.get("permissions") {
            None => None,
            Some(AttributeValue::Ss(permissions)) => Some(permissions.clone()),
            Some(_) => return Err(TenantError::Malformed("permissions")),
        },
        expires_at: match item.get("expiresAt") {
            None => None,
            Some(AttributeValue::N(seconds)) => {
                Some(seconds.parse().map_err(|_| TenantError::Malformed("expiresAt"))?)
            }
            Some(_) => return Err(TenantError::Malformed("expiresAt")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(attributes: &[(&str, AttributeValue)]) -> Result<Tenant, TenantError> {
        let id = ("tenantId".to_owned(), AttributeValue::S("t-1".to_owned()));
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        tenant(&[id].into_iter().chain(attributes).collect())
    }

    #[test]
    fn missing_attributes_restrict_nothing() {
        let tenant = read(&[]).expect("well-formed");
        assert_eq!(tenant.id.as_str(), "t-1");
        assert_eq!((tenant.enabled, tenant.permissions, tenant.expires_at), (true, None, None));
    }

    #[test]
    fn every_attribute_is_read() {
        let tenant = read(&[
            ("enabled", AttributeValue::Bool(false)),
            ("permissions", AttributeValue::Ss(vec!["audience:group".to_owned()])),
            ("expiresAt", AttributeValue::N("1790000000".to_owned())),
        ])
        .expect("well-formed");
        assert!(!tenant.enabled);
        assert_eq!(tenant.permissions, Some(vec!["audience:group".to_owned()]));
        assert_eq!(tenant.expires_at, Some(1_790_000_000.0));
    }

    #[test]
    fn malformed_items_are_rejected() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        for (name, value) in [
            ("tenantId", text("a#b")),
            ("tenantId", AttributeValue::N("1".to_owned())),
            ("enabled", text("false")),
            ("permissions", AttributeValue::L(vec![text("audience:group")])),
            ("expiresAt", text("2026-01-01")),
        ] {
            assert_eq!(read(&[(name, value)]), Err(TenantError::Malformed(name)));
        }
        assert_eq!(tenant(&Item::new()), Err(TenantError::Malformed("tenantId")));
    }
}
