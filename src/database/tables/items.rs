//! Reading items by their keys, up to a hundred by one call.

use std::time::Duration;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use tokio::time::Instant;

use super::Item;
use crate::database::client::{CallError, accepted_share};
use crate::database::{Database, Session};
use crate::request::failure::Outage;

/// The most keys of one `BatchGetItem` (DynamoDB API reference).
pub(super) const BATCH_GET_KEYS: usize = 100;

/// How long checks, which need not be made, wait for their turn.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// At most [`BATCH_GET_KEYS`] distinct items that may exist, each identified by its position.
pub(super) struct Batch<'w, K, P> {
    pub table: &'w str,
    /// The attributes read of each item: at least those that `position` needs.
    pub projection: &'w str,
    /// Whether the reads are strongly consistent, which costs twice as much.
    pub consistent: bool,
    /// Whether these are look-ups, which wait for their turn, and whose calls are repeated if nothing was accepted; not
    /// checks, which need not be made.
    pub patient: bool,
    pub count: usize,
    /// The key of the item at a position.
    pub key: K,
    /// The position of an item or of its key.
    pub position: P,
}

impl Session<'_> {
    /// The items that exist: one call, and further ones for what is throttled, if the batch is patient.
    pub(super) async fn get_items<K, P>(&self, batch: &Batch<'_, K, P>) -> Vec<Result<Option<Item>, Outage>>
    where
        K: Fn(usize) -> Item,
        P: Fn(&Item) -> Option<usize>,
    {
        let mut items: Vec<_> = (0..batch.count).map(|_| Ok(None)).collect();
        let mut pending: Vec<usize> = (0..batch.count).collect();
        let Database { look_ups, checks, .. } = self.database;
        let pace = if batch.patient { look_ups } else { checks };
        let outage = loop {
            let mut end = self.calls.deadline.no_new_calls();
            if !batch.patient {
                end = end.min(Instant::now() + IMPATIENCE);
            }
            let started = match pace.ready(end).await {
                Ok(started) => started,
                Err(outage) => break outage,
            };
            let requested = pending.len();
            match self.get_batch(batch, &pending).await {
                Err(CallError::Throttled) => {}
                Err(error) => break error.into(),
                Ok((found, unprocessed)) => {
                    for (position, item) in found {
                        items[position] = Ok(Some(item));
                    }
                    pending = unprocessed;
                    if !pending.is_empty() {
                        self.calls.tally.throttled();
                    }
                }
            }
            pace.record(started, accepted_share(pending.len(), requested));
            if pending.is_empty() {
                return items;
            }
            if !batch.patient && pending.len() == requested {
                break Outage::Timeout;
            }
        };
        for position in pending {
            items[position] = Err(outage);
        }
        items
    }

    /// One call: returns the items found, each with its position, and the positions of the unprocessed keys.
    async fn get_batch<K, P>(
        &self,
        batch: &Batch<'_, K, P>,
        positions: &[usize],
    ) -> Result<(Vec<(usize, Item)>, Vec<usize>), CallError>
    where
        K: Fn(usize) -> Item,
        P: Fn(&Item) -> Option<usize>,
    {
        let keys = positions.iter().map(|&position| (batch.key)(position)).collect();
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .projection_expression(batch.projection)
            .consistent_read(batch.consistent)
            .build()
            .expect("BUG: the keys are set");
        let request = self.database.client.batch_get_item().request_items(batch.table, keys).send();
        let output = self.calls.call("BatchGetItem", request).await?;
        let found = output.responses.into_iter().flatten().flat_map(|(_, items)| items);
        let unprocessed = output.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys);
        // An item that was not requested makes the whole response invalid.
        let position = |item: &Item| (batch.position)(item).ok_or(CallError::Outage(Outage::StoreError));
        let found = found.map(|item| Ok((position(&item)?, item))).collect::<Result<_, CallError>>()?;
        Ok((found, unprocessed.map(|key| position(&key)).collect::<Result<_, _>>()?))
    }
}
