//! Prints the memberships of a database that another local run serves.

use std::net::{Ipv4Addr, TcpStream};

use aws_sdk_dynamodb::types::AttributeValue;

use testing::embedded;
use testing::tables::TableNames;

/// Why the memberships could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("no local database on port {0}: start one with `make local`, or give its port with --db-port")]
    NoDatabase(u16),
    #[error("the database did not answer")]
    Database(#[source] Box<aws_sdk_dynamodb::Error>),
}

/// Prints one line a membership, ordered by tenant, customer and group.
pub async fn memberships(db_port: u16, names: &TableNames) -> Result<(), ShowError> {
    // Asked first: the SDK would try for seconds, and then name a failed dispatch.
    TcpStream::connect((Ipv4Addr::LOCALHOST, db_port)).map_err(|_| ShowError::NoDatabase(db_port))?;
    let items = embedded::client(&format!("http://127.0.0.1:{db_port}"))
        .scan()
        .table_name(&names.memberships)
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .map_err(|error| ShowError::Database(Box::new(error.into())))?;
    let columns = ["tenantId", "audienceUserId", "groupName", "updatedAt", "importId"];
    let mut rows: Vec<[&str; 5]> =
        items.iter().map(|item| columns.map(|name| text(item.get(name)))).collect();
    rows.sort_unstable();
    for [tenant, customer, group, updated, import] in std::iter::once(&columns).chain(&rows) {
        println!("{tenant:<10} {customer:<16} {group:<20} {updated:<28} {import}");
    }
    Ok(())
}

fn text(value: Option<&AttributeValue>) -> &str {
    value.and_then(|value| value.as_s().ok()).map_or("-", String::as_str)
}
