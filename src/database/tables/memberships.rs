//! Writing memberships.

use std::time::SystemTime;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::write_queue::{WriteQueue, Written};
use super::{INVALID, Item, attribute, text};
use crate::database::client::CallError;
use crate::database::{Database, Session, Stage};
use crate::deadline::since_1970;
use crate::request::params::OptType;
use crate::resolution::membership::Membership;
use crate::tenant::TenantId;

/// The key attributes of a membership's item.
pub(super) const KEY: [&str; 2] = ["customerKey", "groupName"];

/// What all writes of one import share.
#[derive(Clone, Copy)]
pub struct Writing<'i> {
    /// The tenant of the customers.
    pub tenant: &'i TenantId,
    /// Whether they are put or deleted.
    pub opt_type: OptType,
    /// The ID of the request that writes them.
    pub import_id: &'i str,
}

impl Writing<'_> {
    /// The key of a membership's item.
    pub(super) fn key(self, membership: Membership<'_>) -> [String; 2] {
        [format!("{}#{}", self.tenant.as_str(), membership.customer), membership.group.to_owned()]
    }

    fn attributes(self, membership: Membership<'_>) -> [(String, AttributeValue); 2] {
        let [customer, group] = self.key(membership);
        [attribute(KEY[0], &customer), attribute(KEY[1], &group)]
    }

    /// The membership that an item or its key stands for; `None` if it is not one of this tenant.
    fn membership(self, item: &Item) -> Option<Membership<'_>> {
        let [customer, group] = KEY.map(|name| text(item, name));
        let customer = customer?.strip_prefix(self.tenant.as_str())?.strip_prefix('#')?;
        Some(Membership { customer, group: group? })
    }
}

impl Session<'_> {
    /// Puts or deletes distinct memberships with concurrent calls, and returns the result of each.
    /// Memberships already in the desired state are not written, subject to
    /// [`SkipUnchanged`](crate::config::SkipUnchanged).
    pub async fn write(&self, writing: Writing<'_>, memberships: &[Membership<'_>]) -> Vec<Written> {
        let unchanged = self.unchanged(writing, memberships).await;
        let queue = WriteQueue::new(&unchanged);
        let now = timestamp(SystemTime::now());
        let writer = Writer { session: self, writing, memberships, now: &now };
        let written = self.calls.tally.during(Stage::Writes, writer.write(queue)).await;

        let unchanged = unchanged.iter().filter(|is_unchanged| **is_unchanged).count();
        let succeeded = written.iter().filter(|result| result.is_ok()).count();
        self.calls.tally.memberships(writing.opt_type, unchanged, succeeded - unchanged);
        written
    }
}

#[derive(Clone, Copy)]
struct Writer<'w> {
    session: &'w Session<'w>,
    writing: Writing<'w>,
    memberships: &'w [Membership<'w>],
    now: &'w str,
}

impl Writer<'_> {
    /// Writes what is queued in batches, with concurrent calls at the pace of writes.
    async fn write(self, mut queue: WriteQueue) -> Vec<Written> {
        let Database { config, writes, .. } = self.session.database;
        let mut running = FuturesUnordered::new();
        loop {
            let may_start = running.len() < config.write_concurrency && !queue.is_empty();
            tokio::select! {
                biased;
                Some((started, batch, result)) = running.next(), if !running.is_empty() => {
                    if let Some(accepted) = queue.settle(batch, result) {
                        writes.record(started, accepted);
                    }
                }
                started = writes.ready(self.session.calls.deadline.no_new_calls), if may_start => {
                    let Ok(started) = started else {
                        queue.end();
                        continue;
                    };
                    let batch = queue.next_batch();
                    running.push(async move {
                        let result = self.write_batch(&batch).await;
                        (started, batch, result)
                    });
                }
                else => return queue.written,
            }
        }
    }

    /// Writes the memberships at these positions by one call; returns the positions of those unprocessed.
    async fn write_batch(self, batch: &[usize]) -> Result<Vec<usize>, CallError> {
        let Database { client, config, .. } = self.session.database;
        let requests = batch.iter().map(|&position| self.request(self.memberships[position])).collect();
        let request = client.batch_write_item().request_items(&config.tables.memberships, requests).send();
        let output = self.session.calls.call("BatchWriteItem", request).await?;
        let unprocessed = output.unprocessed_items.into_iter().flatten().flat_map(|(_, requests)| requests);
        let position = |request: WriteRequest| {
            let put = request.put_request.map(|put| put.item);
            let key = put.or(request.delete_request.map(|delete| delete.key))?;
            let membership = self.writing.membership(&key)?;
            batch.iter().copied().find(|&position| self.memberships[position] == membership)
        };
        // One that is not of the batch makes the whole response invalid: what was written is in doubt.
        let unprocessed: Option<Vec<_>> = unprocessed.map(position).collect();
        let unprocessed = unprocessed.ok_or(INVALID)?;
        if !unprocessed.is_empty() {
            self.session.calls.tally.throttled();
        }
        Ok(unprocessed)
    }

    fn request(self, membership: Membership<'_>) -> WriteRequest {
        match self.writing.opt_type {
            OptType::Add => {
                let [customer, group] = self.writing.attributes(membership);
                let item = Item::from([
                    customer,
                    group,
                    attribute("tenantId", self.writing.tenant.as_str()),
                    attribute("audienceUserId", membership.customer),
                    attribute("updatedAt", self.now),
                    attribute("importId", self.writing.import_id),
                ]);
                let put = PutRequest::builder().set_item(Some(item)).build().expect("BUG: the item is set");
                WriteRequest::builder().put_request(put).build()
            }
            OptType::Delete => {
                let key = Item::from(self.writing.attributes(membership));
                let delete =
                    DeleteRequest::builder().set_key(Some(key)).build().expect("BUG: the key is set");
                WriteRequest::builder().delete_request(delete).build()
            }
        }
    }
}

/// RFC 3339 in UTC, always with three decimals, so that texts sort as times do (contract, section 10).
fn timestamp(time: SystemTime) -> String {
    let time = since_1970(time);
    let seconds = DateTime::from_secs(time.as_secs() as i64)
        .fmt(DateTimeFormat::DateTime)
        .expect("BUG: the current time can be formatted");
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), time.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timestamps_are_rfc_3339_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_250);
        assert_eq!(timestamp(time), "2026-11-18T11:06:40.250Z");
        assert_eq!(timestamp(time + Duration::from_micros(749_001)), "2026-11-18T11:06:40.999Z");
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
