//! The database that imports run against: hash maps, over HTTP.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testing::capacity::Capacity;
use testing::dynamodb::{Action, Call, Dynamodb, Maps, Rule, Store, Throughput};
use testing::items::{put_all, scan};
use testing::serve::{self, Server, Transport};
use testing::tables::{self, TableNames};

use crate::Failure;

/// The item of every token.
const TENANT_ITEM: &str = r#"{"Item": {"tenantId": {"S": "tenant-1"}}}"#;

/// The bytes covered by one write unit (DynamoDB pricing).
const WRITE_UNIT_BYTES: usize = 1024;

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

/// The calls since they were last counted.
#[derive(Debug, Default)]
pub struct Tally {
    pub calls: Calls,
    /// What DynamoDB charges for the memberships.
    pub read_units: f64,
    pub write_units: f64,
}

impl Database {
    /// With these customers, each plain JSON, and a tenant for every token.
    pub async fn start(
        transport: Transport,
        customers: impl IntoIterator<Item = Value>,
    ) -> Result<Self, Failure> {
        let (names, maps) = (TableNames::prefixed(""), Maps::default());
        let store = Store::Maps(maps.clone());
        tables::create_all(&store, &names).await?;
        put_all(&store, &names.customers, customers).await?;
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
    pub async fn reset(&self, memberships: &HashSet<Membership>) -> Result<(), Failure> {
        self.maps.clear(&self.names.memberships);
        let items = memberships.iter().map(|(key, group)| json!({"customerKey": key, "groupName": group}));
        Ok(put_all(self.dynamodb.store(), &self.names.memberships, items).await?)
    }

    pub async fn memberships(&self) -> Result<HashSet<Membership>, Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = scan(self.dynamodb.store(), &self.names.memberships).await?.into_iter();
        Ok(items.map(|item| (text(&item["customerKey"]), text(&item["groupName"]))).collect())
    }

    /// The calls since the last tally.
    ///
    /// # Errors
    ///
    /// One was not valid.
    pub fn take_tally(&self) -> Result<Tally, Failure> {
        let (calls, rejections) = (self.dynamodb.calls(), self.dynamodb.rejections());
        self.dynamodb.reset();
        if let Some(rejection) = rejections.first() {
            return Err(format!("the database rejected {rejection}").into());
        }
        let mut tally = Tally::default();
        for call in calls {
            tally.count(&call, &self.names.memberships);
        }
        Ok(tally)
    }
}

impl Tally {
    fn count(&mut self, call: &Call, memberships: &str) {
        let entries = &call.body["RequestItems"][memberships];
        let kind = match &*call.operation {
            "ExecuteStatement" if call.body["NextToken"].is_string() => FURTHER_PAGE,
            "ExecuteStatement" => "ExecuteStatement",
            "Query" => "Query",
            "BatchGetItem" if entries.is_object() => {
                // A unit for each key of an item up to 4 KB, as these reads are strongly consistent.
                self.read_units += entries["Keys"].as_array().map_or(0, Vec::len) as f64;
                OF_MEMBERSHIPS
            }
            "BatchGetItem" => "BatchGetItem",
            "BatchWriteItem" => {
                let writes = entries.as_array().into_iter().flatten();
                self.write_units += writes.map(units).sum::<usize>() as f64;
                "BatchWriteItem"
            }
            _ => "GetItem",
        };
        *self.calls.entry(kind).or_default() += 1;
    }
}

/// Of a put, or of the deletion of an item up to 1 KB.
fn units(write: &Value) -> usize {
    let item = write.pointer("/PutRequest/Item").and_then(Value::as_object).into_iter().flatten();
    let bytes = item.map(|(name, value)| name.len() + value["S"].as_str().map_or(0, str::len));
    bytes.sum::<usize>().div_ceil(WRITE_UNIT_BYTES).max(1)
}
