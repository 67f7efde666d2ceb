//! The values to look up, in an order in which records are completed, and what was found (contract, section 5). Pure.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use crate::request::failure::Outage;
use crate::request::identifier::{Identifier, Identifiers};

/// Exact matching lists the customers of a value up to this number (contract, section 5).
pub const MAX_LISTED: usize = 100;

/// Values of one identifier type, to be looked up by one call.
pub struct Lookup<'r> {
    /// The type of the values.
    pub identifier: Identifier,
    /// The distinct values, normalised.
    pub values: Vec<Cow<'r, str>>,
    /// The most customers to list of a value; of more, it is enough to know that there are more.
    pub most: usize,
    /// Whether the customers found by their ID are returned with their identifiers.
    pub with_identifiers: bool,
    /// Whether it has one value because a call with others was rejected or stayed throttled.
    pub is_alone: bool,
    /// How many of the values, the first ones, are of records already begun.
    begun: usize,
    /// The places of the values in their [`Column`].
    places: Vec<usize>,
}

/// The result of looking up one value.
pub type LookupResult = Result<Found, Outage>;

/// The tenant's customers that have a value.
#[derive(Debug)]
pub enum Found {
    /// All of them, each once, possibly none.
    Customers(Vec<Customer>),
    /// More than are listed.
    Many,
}

/// A customer found by a look-up.
pub struct Customer {
    /// The customer's ID, `audienceUserId`.
    pub id: String,
    /// Its identifiers as stored, if its item was read.
    pub identifiers: Option<Box<Identifiers<'static>>>,
}

opaque_debug!(Customer);

impl Found {
    /// The customers with these IDs, which are distinct, unless they are more than `most`.
    pub fn listed(ids: Vec<String>, most: usize) -> Self {
        if ids.len() > most {
            return Self::Many;
        }
        Self::Customers(ids.into_iter().map(|id| Customer { id, identifiers: None }).collect())
    }
}

/// All values of one identifier type that an import looks up, each once.
pub(super) struct Column<'r> {
    pub identifier: Identifier,
    places: HashMap<Cow<'r, str>, usize>,
    values: Vec<Value<'r>>,
    /// Values that are not yet looked up: of records already begun, and of new ones.
    begun: VecDeque<usize>,
    new: VecDeque<usize>,
    running: usize,
}

struct Value<'r> {
    text: Cow<'r, str>,
    /// The record that needs it first.
    first: usize,
    /// Whether it is looked up alone.
    is_alone: bool,
    /// The records that wait for the result.
    waiting: Vec<usize>,
    result: Option<LookupResult>,
}

impl<'r> Column<'r> {
    pub fn new(identifier: Identifier) -> Self {
        let (places, values) = Default::default();
        Self { identifier, places, values, begun: VecDeque::new(), new: VecDeque::new(), running: 0 }
    }

    /// What was found for a value; `None` if that is not known yet: then `record` waits for it.
    pub fn request(&mut self, text: Cow<'r, str>, record: usize, is_begun: bool) -> Option<&LookupResult> {
        let place = self.queue(text, record, is_begun);
        let value = &mut self.values[place];
        if value.result.is_none() {
            value.waiting.push(record);
        }
        value.result.as_ref()
    }

    /// Has a value looked up, unless that was requested before; returns its place. What a new record requested has the
    /// turn of a begun one that needs it, too.
    pub fn queue(&mut self, text: Cow<'r, str>, record: usize, is_begun: bool) -> usize {
        if let Some(&place) = self.places.get(&*text) {
            // Places are queued in ascending order.
            if is_begun && let Ok(position) = self.new.binary_search(&place) {
                self.new.remove(position);
                self.begun.push_back(place);
                self.values[place].first = record.min(self.values[place].first);
            }
            return place;
        }
        let place = self.values.len();
        self.places.insert(text.clone(), place);
        self.values.push(Value { text, first: record, is_alone: false, waiting: Vec::new(), result: None });
        if is_begun { &mut self.begun } else { &mut self.new }.push_back(place);
        place
    }

    /// What was found for a value, unless there was no time to look it up.
    pub fn found(&self, text: &str) -> Result<&Found, Outage> {
        let result = self.places.get(text).and_then(|&place| self.values[place].result.as_ref());
        result.map_or(Err(Outage::Timeout), |result| result.as_ref().map_err(|outage| *outage))
    }

    /// Whether nothing is left to look up.
    pub fn is_done(&self) -> bool {
        self.begun.is_empty() && self.new.is_empty() && self.running == 0
    }

    /// Whether there are values of new records.
    pub fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// Whether there are as many values as the next call takes, at most `size`.
    pub fn is_full(&self, size: usize) -> bool {
        self.begun.len() + self.new.len() >= size || self.next_is_alone()
    }

    fn next(&self) -> Option<usize> {
        self.begun.front().or(self.new.front()).copied()
    }

    fn next_is_alone(&self) -> bool {
        self.next().is_some_and(|place| self.values[place].is_alone)
    }

    /// The turn of the next value, the lowest first: records already begun, then the order of the records.
    pub fn turn(&self) -> Option<(bool, usize)> {
        Some((self.begun.is_empty(), self.values[self.next()?].first))
    }

    /// Takes the next values, at most `size`, or one that is looked up alone.
    pub fn take(&mut self, size: usize, most: usize, with_identifiers: bool) -> Lookup<'r> {
        let is_alone = self.next_is_alone();
        let next = self.begun.iter().chain(&self.new).take(size);
        let size = next.take_while(|place| !self.values[**place].is_alone).count().max(1);
        let begun = self.begun.len().min(size);
        let new = size - begun;
        let places: Vec<_> = self.begun.drain(..begun).chain(self.new.drain(..new)).collect();
        self.running += 1;
        let values = places.iter().map(|&place| self.values[place].text.clone()).collect();
        Lookup { identifier: self.identifier, values, most, with_identifiers, is_alone, begun, places }
    }

    /// Queues the values of a look-up again, each to be looked up alone.
    pub fn put_back(&mut self, mut lookup: Lookup<'r>) {
        self.running -= 1;
        lookup.places.iter().for_each(|&place| self.values[place].is_alone = true);
        for place in lookup.places.split_off(lookup.begun) {
            let position = self.new.partition_point(|other| *other < place);
            self.new.insert(position, place);
        }
        lookup.places.into_iter().rev().for_each(|place| self.begun.push_front(place));
    }

    /// Receives the results of a look-up, one for each value in order; returns for each the records that wait for it.
    pub fn learn(&mut self, lookup: Lookup<'r>, results: Vec<LookupResult>) -> Vec<Vec<usize>> {
        self.running -= 1;
        let learnt = lookup.places.into_iter().zip(results).map(|(place, mut result)| {
            if let Ok(Found::Customers(customers)) = &mut result {
                customers.sort_unstable_by(|one, other| one.id.cmp(&other.id));
            }
            let value = &mut self.values[place];
            value.result = Some(result);
            std::mem::take(&mut value.waiting)
        });
        learnt.collect()
    }
}
