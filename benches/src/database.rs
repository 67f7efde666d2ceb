//! The database that imports run against: hash maps, over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use testing::capacity::Capacity;
use testing::dynamodb::{Action, Call, Dynamodb, Maps, Rule, Store, Throughput};
use testing::items::{self, Membership, put_all, put_memberships};
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
        Ok(put_memberships(self.dynamodb.store(), &self.names, memberships).await?)
    }

    pub async fn memberships(&self) -> Result<BTreeSet<Membership>, Failure> {
        Ok(items::memberships(self.dynamodb.store(), &self.names).await?)
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
