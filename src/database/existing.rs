//! Whether items are there.

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::call::{Backoff, CallError};
use super::{Item, Session};
use crate::request::failure::Outage;

/// Keys of one `BatchGetItem` (DynamoDB API reference).
pub(super) const BATCH_GET_KEYS: usize = 100;

/// Up to [`BATCH_GET_KEYS`] items that may be there, no two alike, each by its place.
pub(super) struct Wanted<'w, K, P> {
    pub table: &'w str,
    /// What is read of each: at least what `place` looks at.
    pub projection: &'static str,
    /// Whether a write that has just ended must be seen; such a read costs twice as much.
    pub consistent: bool,
    pub count: usize,
    /// The key of the item at a place.
    pub key: K,
    /// The place of an item or of a key.
    pub place: P,
}

impl Session<'_> {
    /// Whether each item is there, by one call, and by further ones for what that leaves
    /// unprocessed.
    pub(super) async fn are_there<K, P>(&self, wanted: &Wanted<'_, K, P>) -> Vec<Result<bool, Outage>>
    where
        K: Fn(usize) -> Item,
        P: Fn(&Item) -> Option<usize>,
    {
        let mut there = vec![Ok(false); wanted.count];
        let mut pending: Vec<usize> = (0..wanted.count).collect();
        let mut backoff = Backoff::default();
        let outage = loop {
            let (found, left) = match self.get_once(wanted, &pending).await {
                Ok(answer) => answer,
                Err(error) => break error.into(),
            };
            for place in found {
                there[place] = Ok(true);
            }
            if left.is_empty() {
                return there;
            }
            self.tally.throttled();
            let progress = left.len() < pending.len();
            pending = left;
            if let Err(outage) = backoff.pause(progress, self.deadline).await {
                break outage;
            }
        };
        for place in pending {
            there[place] = Err(outage);
        }
        there
    }

    /// One call: the places of what is there, and of what was left unprocessed.
    async fn get_once<K, P>(
        &self,
        wanted: &Wanted<'_, K, P>,
        places: &[usize],
    ) -> Result<(Vec<usize>, Vec<usize>), CallError>
    where
        K: Fn(usize) -> Item,
        P: Fn(&Item) -> Option<usize>,
    {
        let keys = places.iter().map(|&place| (wanted.key)(place)).collect();
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .projection_expression(wanted.projection)
            .consistent_read(wanted.consistent)
            .build()
            .expect("BUG: the keys are set");
        let request = self.database.client.batch_get_item().request_items(wanted.table, keys).send();
        let answer = self.call("BatchGetItem", request).await?;
        let found = answer.responses.into_iter().flatten().flat_map(|(_, items)| items);
        let left = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, left)| left.keys);
        // What was not asked for is no answer: nothing may be concluded from it.
        let places = |items: &mut dyn Iterator<Item = Item>| -> Result<Vec<usize>, CallError> {
            items.map(|item| (wanted.place)(&item).ok_or(CallError::Outage(Outage::StoreError))).collect()
        };
        Ok((places(&mut { found })?, places(&mut { left })?))
    }
}
