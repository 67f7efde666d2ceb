//! The database that imports run against: hash maps, over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testing::capacity::Capacity;
use testing::dynamodb::{Action, Call, Dynamodb, Maps, Rule, Store, Throughput};
use testing::items::{put_all, scan};
use testing::model::world::Customer;
use testing::serve::{self, Server, Transport};
use testing::tables::{self, TableNames};

use crate::Failure;

/// The item of every token.
const TENANT_ITEM: &str = r#"{"Item": {"tenantId": {"S": "tenant-1"}}}"#;

/// Further pages of a statement are counted apart from the first.
pub const FURTHER_PAGE: &str = "ExecuteStatement, further page";

/// `BatchGetItem` of memberships is counted apart from that of customers.
pub const OF_MEMBERSHIPS: &str = "BatchGetItem, memberships";

/// The key of a customer, and a group.
pub type Membership = (String, String);

/// A running database.
pub struct Database {
    pub names: TableNames,
    pub server: Server,
    dynamodb: Dynamodb,
    maps: Maps,
}

/// Calls, each by its operation or a use of one.
pub type Calls = BTreeMap<&'static str, usize>;

impl Database {
    /// With these customers, and a tenant for every token.
    pub async fn start(transport: Transport, customers: &[Customer]) -> Result<Self, Failure> {
        let (names, maps) = (TableNames::prefixed(""), Maps::default());
        let store = Store::Maps(maps.clone());
        tables::create_all(&store, &names).await?;
        put_all(&store, &names.customers, customers.iter().map(Customer::item)).await?;
        let dynamodb = Dynamodb::new(store);
        dynamodb.statements_by_key();
        dynamodb.rule(Rule::on("GetItem", Action::Respond(TENANT_ITEM)));
        let server = dynamodb.serve(transport, serve::ANY).await?;
        Ok(Self { names, server, dynamodb, maps })
    }

    /// From now on every call takes at least `delay_ms`, and writes beyond the capacity are throttled.
    pub fn set(&self, delay_ms: u64, writes: Option<Capacity>) {
        let latency = Duration::from_millis(delay_ms);
        self.dynamodb.throughput(Throughput { latency, writes: writes.map(Arc::new), reads: None });
    }

    /// Replaces the memberships.
    pub async fn reset(&self, memberships: &BTreeSet<Membership>) -> Result<(), Failure> {
        self.maps.clear(&self.names.memberships);
        let items = memberships.iter().map(|(key, group)| json!({"customerKey": key, "groupName": group}));
        Ok(put_all(self.dynamodb.store(), &self.names.memberships, items).await?)
    }

    pub async fn memberships(&self) -> Result<BTreeSet<Membership>, Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = scan(self.dynamodb.store(), &self.names.memberships).await?.into_iter();
        Ok(items.map(|item| (text(&item["customerKey"]), text(&item["groupName"]))).collect())
    }

    /// The calls since they were last taken.
    ///
    /// # Errors
    ///
    /// One was not valid.
    pub fn take_calls(&self) -> Result<Calls, Failure> {
        let (calls, rejections) = (self.dynamodb.calls(), self.dynamodb.rejections());
        self.dynamodb.reset();
        if let Some(rejection) = rejections.first() {
            return Err(format!("the database rejected {rejection}").into());
        }
        let mut counted = Calls::new();
        for call in calls {
            *counted.entry(self.kind(&call)).or_default() += 1;
        }
        Ok(counted)
    }

    fn kind(&self, call: &Call) -> &'static str {
        match &*call.operation {
            "ExecuteStatement" if call.body["NextToken"].is_string() => FURTHER_PAGE,
            "ExecuteStatement" => "ExecuteStatement",
            "Query" => "Query",
            "BatchGetItem" if call.body["RequestItems"][&self.names.memberships].is_object() => {
                OF_MEMBERSHIPS
            }
            "BatchGetItem" => "BatchGetItem",
            "BatchWriteItem" => "BatchWriteItem",
            _ => "GetItem",
        }
    }
}
