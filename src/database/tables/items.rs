//! Reading items by their keys, up to a hundred by one call.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use tokio::time::Instant;

use super::{INVALID, Item, attribute, text};
use crate::database::Session;
use crate::database::client::{CallError, Pace, accepted_share};
use crate::request::failure::Outage;

/// The most keys of one `BatchGetItem` (DynamoDB API reference).
pub(super) const BATCH_GET_KEYS: usize = 100;

/// How long checks, which need not be made, wait for their turn.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// At most [`BATCH_GET_KEYS`] distinct items that may exist.
pub(super) struct Batch<'w> {
    pub table: &'w str,
    /// The names of the key's attributes.
    pub key: [&'w str; 2],
    /// Their values for each item.
    pub keys: Vec<[String; 2]>,
    /// The attributes read of each item, the key among them.
    pub projection: &'w str,
    pub pace: &'w Pace,
    pub purpose: Purpose,
}

/// What items are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Look-ups wait for their turn, and are repeated if nothing was accepted.
    LookUp,
    /// Checks before writes need not be made: they neither wait nor are repeated. They are strongly consistent, which
    /// costs twice as much.
    Check,
}

impl Batch<'_> {
    fn attributes(&self, position: usize) -> Item {
        let [partition, sort] = &self.keys[position];
        Item::from([attribute(self.key[0], partition), attribute(self.key[1], sort)])
    }

    /// The positions of the items, by their keys.
    fn positions(&self) -> HashMap<[&str; 2], usize> {
        self.keys.iter().map(|key| key.each_ref().map(String::as_str)).zip(0..).collect()
    }

    /// The key of an item.
    fn key_of<'i>(&self, item: &'i Item) -> Option<[&'i str; 2]> {
        Some([text(item, self.key[0])?, text(item, self.key[1])?])
    }
}

impl Session<'_> {
    /// The items that exist, in the order of their keys: one call, and further ones for what is throttled, unless they
    /// are checked.
    pub(super) async fn get_items(&self, batch: &Batch<'_>) -> Vec<Result<Option<Item>, Outage>> {
        let positions = batch.positions();
        let mut items: Vec<_> = batch.keys.iter().map(|_| Ok(None)).collect();
        let mut pending: Vec<usize> = (0..batch.keys.len()).collect();
        let outage = loop {
            let mut end = self.calls.deadline.no_new_calls;
            if batch.purpose == Purpose::Check {
                end = end.min(Instant::now() + IMPATIENCE);
            }
            let started = match self.calls.turn(batch.pace, end).await {
                Ok(started) => started,
                Err(outage) => break outage,
            };
            let requested = pending.len();
            match self.get_batch(batch, &positions, &pending).await {
                Err(CallError::Throttled) => {}
                Err(error) => break error.into(),
                Ok((found, unprocessed)) => {
                    for (position, item) in found {
                        items[position] = Ok(Some(item));
                    }
                    pending = unprocessed;
                    pending.sort_unstable();
                    pending.dedup();
                    if !pending.is_empty() {
                        self.calls.tally.throttled();
                    }
                }
            }
            batch.pace.record(started, accepted_share(pending.len(), requested));
            if pending.is_empty() {
                return items;
            }
            if batch.purpose == Purpose::Check && pending.len() == requested {
                break Outage::Timeout;
            }
        };
        for position in pending {
            items[position] = Err(outage);
        }
        items
    }

    /// One call for the items at these positions: returns those found, and the positions of the unprocessed keys.
    async fn get_batch(
        &self,
        batch: &Batch<'_>,
        positions: &HashMap<[&str; 2], usize>,
        pending: &[usize],
    ) -> Result<(Vec<(usize, Item)>, Vec<usize>), CallError> {
        let keys = pending.iter().map(|&position| batch.attributes(position)).collect();
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .projection_expression(batch.projection)
            .consistent_read(batch.purpose == Purpose::Check)
            .build()
            .expect("BUG: the keys are set");
        let request = self.database.client.batch_get_item().request_items(batch.table, keys).send();
        let output = self.calls.call("BatchGetItem", request).await?;
        let found = output.responses.ok_or(INVALID)?.into_values().flatten();
        let unprocessed = output.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys);
        // An item that was not requested makes the whole response invalid.
        let position = |item: &Item| {
            let position = batch.key_of(item).and_then(|key| positions.get(&key).copied());
            position.ok_or(INVALID)
        };
        let found = found.map(|item| Ok((position(&item)?, item))).collect::<Result<_, CallError>>()?;
        Ok((found, unprocessed.map(|key| position(&key)).collect::<Result<_, _>>()?))
    }
}
