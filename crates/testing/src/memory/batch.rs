//! Batches of keys and of items.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::{Attributes, Violation, key, read, rule, text};
use super::{CUSTOMER_ID, CUSTOMERS, MEMBERSHIPS, Memory, Response, TENANT_ID, Units};

/// Limits of the batch operations (DynamoDB API reference).
const BATCH_GET_KEYS: usize = 100;
const BATCH_WRITE_ITEMS: usize = 25;

/// The bytes covered by one write unit (DynamoDB pricing).
const WRITE_UNIT_BYTES: usize = 1024;

/// The kind under which a `BatchGetItem` of memberships is counted, apart from one of customers.
pub const OF_MEMBERSHIPS: &str = "BatchGetItem, memberships";

const CUSTOMER_KEY: &str = "customerKey";
const GROUP_NAME: &str = "groupName";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a, T> {
    #[serde(borrow)]
    request_items: HashMap<&'a str, T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys<'a> {
    #[serde(borrow)]
    keys: Vec<Attributes<'a>>,
    projection_expression: &'a str,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize, Serialize)]
enum Write<'a> {
    #[serde(rename = "PutRequest")]
    Put {
        #[serde(rename = "Item", borrow)]
        item: Attributes<'a>,
    },
    #[serde(rename = "DeleteRequest")]
    Delete {
        #[serde(rename = "Key", borrow)]
        key: Attributes<'a>,
    },
}

impl<'a> Write<'a> {
    fn attributes(&self) -> &Attributes<'a> {
        match self {
            Self::Put { item } => item,
            Self::Delete { key } => key,
        }
    }

    fn check(&self) -> Result<(), Violation> {
        match self {
            Self::Put { item } => {
                let (tenant, customer) = (text(item, TENANT_ID)?, text(item, CUSTOMER_ID)?);
                let rest = text(item, CUSTOMER_KEY)?.strip_prefix(tenant);
                let fits = rest.and_then(|rest| rest.strip_prefix('#')) == Some(customer);
                rule(fits, || format!("the key differs from the customer {customer}"))?;
                let dated = !text(item, "updatedAt")?.is_empty() && !text(item, "importId")?.is_empty();
                rule(dated, || "a membership without its import".to_owned())
            }
            Self::Delete { key } => rule(key.len() == 2, || "more than a key".to_owned()),
        }
    }

    /// Write units of a put, or of the deletion of an item up to 1 KB.
    fn units(&self) -> usize {
        let attributes = self.attributes().iter();
        let bytes: usize = attributes.map(|(name, value)| name.len() + value.text.len()).sum();
        bytes.div_ceil(WRITE_UNIT_BYTES)
    }
}

impl Memory {
    pub(super) fn batch_get_item(
        &self,
        body: &[u8],
        admit: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<Response, Violation> {
        let (table, Keys { keys: attributes, projection_expression, consistent_read }) =
            only_table(read(body)?)?;
        let (of_memberships, names) = match table {
            CUSTOMERS => (false, [CUSTOMER_ID, TENANT_ID]),
            MEMBERSHIPS => (true, [CUSTOMER_KEY, GROUP_NAME]),
            _ => return Err(Violation::new(format!("BatchGetItem on {table} is not supported"))),
        };
        rule(consistent_read || !of_memberships, || "memberships must be read consistently".to_owned())?;
        let whole = attributes.iter().all(|key| key.len() == 2);
        rule(whole, || "more than a key".to_owned())?;
        let keys = distinct(attributes.iter(), names, BATCH_GET_KEYS)?;

        let (done, left) = split(&keys, &attributes, admit);
        let items: Vec<Value> = if of_memberships {
            let memberships = &self.state().memberships;
            let stored =
                done.iter().filter(|(key, _)| memberships.contains(&(key.0.to_owned(), key.1.to_owned())));
            stored.map(|(key, _)| json!({CUSTOMER_KEY: {"S": key.0}, GROUP_NAME: {"S": key.1}})).collect()
        } else {
            let stored = done.iter().filter_map(|(key, _)| self.customers.get(key.0, key.1));
            stored.map(|customer| customer.item(projection_expression)).collect()
        };
        let left = if left.is_empty() { json!({}) } else { json!({table: {"Keys": left}}) };
        let mut response =
            Response::ok("BatchGetItem", json!({"Responses": {table: items}, "UnprocessedKeys": left}));
        if of_memberships {
            response.kind = OF_MEMBERSHIPS;
            // Half a unit per key if its item has up to 4 KB, twice that if strongly consistent.
            response.units.read = done.len() as f64 * if consistent_read { 1.0 } else { 0.5 };
        }
        Ok(response)
    }

    pub(super) fn batch_write_item(
        &self,
        body: &[u8],
        admit: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<Response, Violation> {
        let (table, writes): (_, Vec<Write<'_>>) = only_table(read(body)?)?;
        rule(table == MEMBERSHIPS, || format!("nothing of {table} is written"))?;
        let attributes = writes.iter().map(Write::attributes);
        let keys = distinct(attributes, [CUSTOMER_KEY, GROUP_NAME], BATCH_WRITE_ITEMS)?;
        writes.iter().try_for_each(Write::check)?;

        let (done, left) = split(&keys, &writes, admit);
        let mut units = 0;
        let mut state = self.state();
        for (key, write) in done {
            let membership = (key.0.to_owned(), key.1.to_owned());
            match write {
                Write::Put { .. } => state.memberships.insert(membership),
                Write::Delete { .. } => state.memberships.remove(&membership),
            };
            units += write.units();
        }
        let left = if left.is_empty() { json!({}) } else { json!({table: left}) };
        let response = Response::ok("BatchWriteItem", json!({"UnprocessedItems": left}));
        Ok(Response { units: Units { write: units as f64, ..response.units }, ..response })
    }
}

fn only_table<'a, T>(batch: Batch<'a, T>) -> Result<(&'a str, T), Violation> {
    let mut tables = batch.request_items.into_iter();
    match (tables.next(), tables.next()) {
        (Some(table), None) => Ok(table),
        _ => Err(Violation::new("not one table")),
    }
}

/// The keys of a batch: at most `most`, all distinct.
fn distinct<'i, 'a: 'i>(
    items: impl ExactSizeIterator<Item = &'i Attributes<'a>>,
    names: [&str; 2],
    most: usize,
) -> Result<Vec<(&'i str, &'i str)>, Violation> {
    let count = items.len();
    rule((1..=most).contains(&count), || format!("{count} entries in a batch of 1 to {most}"))?;
    let keys = items.map(|item| key(item, names)).collect::<Result<Vec<_>, _>>()?;
    rule(keys.iter().collect::<HashSet<_>>().len() == count, || "a key twice in a batch".to_owned())?;
    Ok(keys)
}

/// An entry of a batch that may be processed or left unprocessed.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its place in the batch, from 0.
    pub place: usize,
    /// The size of the batch.
    pub of: usize,
    /// The hash key, which determines the partition.
    pub hash_key: &'a str,
}

/// The key of an item: its hash key and another attribute.
type Key<'s> = (&'s str, &'s str);

/// The processed entries, each with its key, and the unprocessed ones.
fn split<'s, T>(
    keys: &[Key<'s>],
    requests: &'s [T],
    mut admit: impl FnMut(Entry<'_>) -> bool,
) -> (Vec<(Key<'s>, &'s T)>, Vec<&'s T>) {
    let (mut done, mut left) = (Vec::new(), Vec::new());
    for (place, (key, request)) in keys.iter().zip(requests).enumerate() {
        if admit(Entry { place, of: keys.len(), hash_key: key.0 }) {
            done.push((*key, request));
        } else {
            left.push(request);
        }
    }
    (done, left)
}
