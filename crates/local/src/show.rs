//! Prints the memberships of a database that another local run serves.

use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, TcpStream};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use testing::embedded;
use testing::tables::TableNames;

/// Why the memberships could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("no local database on port {0}: start one with `make local`, or give its port with --db-port")]
    NoDatabase(u16),
    #[error("the database did not respond")]
    Database(#[source] Box<aws_sdk_dynamodb::Error>),
    #[error("the memberships could not be printed")]
    Print(#[from] io::Error),
}

/// A membership as a line of JSON; its attributes in the order in which the lines are sorted.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Membership<'a> {
    tenant_id: &'a str,
    audience_user_id: &'a str,
    group_name: &'a str,
    updated_at: &'a str,
    import_id: &'a str,
}

/// Prints one line of JSON per membership, ordered by tenant, customer and group.
pub async fn memberships(db_port: u16, names: &TableNames) -> Result<(), ShowError> {
    // Checked first: the SDK would try for seconds, and then report a failed dispatch.
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
    let mut memberships: Vec<_> = items
        .iter()
        .map(|item| Membership {
            tenant_id: text(item.get("tenantId")),
            audience_user_id: text(item.get("audienceUserId")),
            group_name: text(item.get("groupName")),
            updated_at: text(item.get("updatedAt")),
            import_id: text(item.get("importId")),
        })
        .collect();
    memberships.sort_unstable();
    match print(&memberships) {
        // The reader of a pipe, such as `head`, has closed it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

fn print(memberships: &[Membership<'_>]) -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for membership in memberships {
        serde_json::to_writer(&mut output, membership)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

fn text(value: Option<&AttributeValue>) -> &str {
    value.and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
