//! The throughput of tables: calls beyond it are throttled, entirely or partly, as DynamoDB documents it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, Response};
use super::statement::Statement;
use super::store::Store;
use super::{batch, rules};
use crate::capacity::{Capacity, EXCEEDED};

/// The capacities of all tables and indexes together.
#[derive(Clone, Debug, Default)]
pub struct Throughput {
    pub reads: Option<Arc<Capacity>>,
    pub writes: Option<Arc<Capacity>>,
    /// How long a call takes, throttled or not.
    pub latency: Duration,
}

impl Throughput {
    /// The response to a call beyond the capacity; `None` if it can be forwarded unchanged.
    pub async fn throttle(&self, store: &Store, call: &Call) -> io::Result<Option<Response>> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match (call.operation.as_str(), &self.reads, &self.writes) {
            ("BatchWriteItem", _, Some(writes)) => part(store, call, writes, 1.0).await.map(Some),
            ("BatchGetItem", Some(reads), _) => {
                let tables = call.body["RequestItems"].as_object().into_iter().flatten();
                let consistent = tables.map(|(_, keys)| &keys["ConsistentRead"]).any(|flag| *flag == true);
                part(store, call, reads, if consistent { 1.0 } else { 0.5 }).await.map(Some)
            }
            ("ExecuteStatement", Some(reads), _) => {
                let values = Statement::read(&call.body).map_or(&[][..], |statement| statement.values);
                let is_there = values.iter().all(|value| reads.take(&value.to_string(), 0.5));
                Ok((!is_there).then(exceeded))
            }
            ("Query", Some(reads), _) => {
                let value = call.body["ExpressionAttributeValues"][":value"].to_string();
                Ok((!reads.take(&value, 0.5)).then(exceeded))
            }
            _ => Ok(None),
        }
    }
}

/// Forwards the entries within the capacity.
async fn part(store: &Store, call: &Call, capacity: &Capacity, units: f64) -> io::Result<Response> {
    let admitted: Vec<_> = batch::entries(call)
        .map(|(_, entry)| capacity.take(&rules::key(entry)[0].to_string(), units))
        .collect();
    if admitted.contains(&true) { batch::forward_part(store, call, admitted).await } else { Ok(exceeded()) }
}

fn exceeded() -> Response {
    Response::error(400, EXCEEDED, "The provisioned throughput for the table was exceeded.")
}
