//! Tables in hash maps, quick enough that measurements are those of the function: the calls that the function makes,
//! and those that set up and read the tables.
//!
//! Without PartiQL: [`statement`](super::statement) reads a statement by a query for each value.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::call::Response;
use super::expression;

/// The tables; clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Maps(Arc<Mutex<HashMap<String, Table>>>);

/// The values of a partition key, and of a sort key where there is one.
type Key = Vec<String>;

#[derive(Debug)]
struct Table {
    /// The names of the key's attributes.
    key: Vec<String>,
    items: BTreeMap<Key, Value>,
    indexes: HashMap<String, Index>,
}

/// An index with the projection `KEYS_ONLY`.
#[derive(Debug)]
struct Index {
    key: Vec<String>,
    /// The keys of the items, by those of the index.
    keys: HashMap<Key, BTreeSet<Key>>,
}

impl Maps {
    /// The response to a call.
    pub fn call(&self, operation: &str, request: &Value) -> Response {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = request["TableName"].as_str().unwrap_or_default();
        let body = match (operation, tables.get_mut(name)) {
            ("BatchGetItem", _) => Ok(batch_get(&tables, request)),
            ("BatchWriteItem", _) => Ok(batch_write(&mut tables, request)),
            ("CreateTable", None) => {
                tables.insert(name.to_owned(), Table::new(request));
                Ok(json!({}))
            }
            ("GetItem", Some(table)) => Ok(table.get(&request["Key"])),
            ("PutItem", Some(table)) => table.put_item(request),
            ("Query", Some(table)) => table.query(request),
            ("Scan", Some(table)) => Ok(page(table.items.values().cloned().collect())),
            ("UpdateItem", Some(table)) => table.update_item(request),
            _ => Err(Response::invalid(&format!("{operation} on {name} is not supported"))),
        };
        body.map_or_else(|rejection| rejection, Response::ok)
    }

    /// Removes the items of a table.
    pub fn clear(&self, table: &str) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.get_mut(table).expect("the table exists");
        table.items.clear();
        table.indexes.values_mut().for_each(|index| index.keys.clear());
    }
}

fn batch_get(tables: &HashMap<String, Table>, request: &Value) -> Value {
    let mut responses = Map::new();
    for (name, keys) in requests(request) {
        let items =
            entries(&keys["Keys"]).filter_map(|key| tables[name].items.get(&tables[name].key_of(key)));
        let projection: Option<Vec<_>> =
            keys["ProjectionExpression"].as_str().map(|it| it.split(", ").collect());
        let items = items.map(|item| match &projection {
            Some(names) => picked(item, names),
            None => item.clone(),
        });
        responses.insert(name.clone(), items.collect());
    }
    json!({"Responses": responses, "UnprocessedKeys": {}})
}

fn batch_write(tables: &mut HashMap<String, Table>, request: &Value) -> Value {
    for (name, requests) in requests(request) {
        let table = tables.get_mut(name).expect("the table exists");
        for write in entries(requests) {
            let item = write.pointer("/PutRequest/Item");
            let key = table.key_of(item.unwrap_or(&write["DeleteRequest"]["Key"]));
            table.replace(key, item.cloned());
        }
    }
    json!({"UnprocessedItems": {}})
}

/// The part of a batch for each table.
fn requests(batch: &Value) -> impl Iterator<Item = (&String, &Value)> {
    batch["RequestItems"].as_object().into_iter().flatten()
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

impl Table {
    fn new(definition: &Value) -> Self {
        let indexes = definition["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(|index| {
            assert_eq!(index["Projection"]["ProjectionType"], "KEYS_ONLY", "no other is supported");
            let name = index["IndexName"].as_str().expect("an index has a name");
            (name.to_owned(), Index { key: key_names(index), keys: HashMap::new() })
        });
        Self { key: key_names(definition), items: BTreeMap::new(), indexes: indexes.collect() }
    }

    /// The key among attributes.
    fn key_of(&self, attributes: &Value) -> Key {
        texts(attributes, &self.key).expect("a key has each of its attributes")
    }

    fn get(&self, key: &Value) -> Value {
        self.items.get(&self.key_of(key)).map_or_else(|| json!({}), |item| json!({"Item": item}))
    }

    fn put_item(&mut self, request: &Value) -> Result<Value, Response> {
        let key = self.key_of(&request["Item"]);
        expression::check_condition(request, self.items.get(&key))?;
        self.replace(key, Some(request["Item"].clone()));
        Ok(json!({}))
    }

    fn update_item(&mut self, request: &Value) -> Result<Value, Response> {
        let key = self.key_of(&request["Key"]);
        expression::check_condition(request, self.items.get(&key))?;
        let mut item = self.items.get(&key).unwrap_or(&request["Key"]).clone();
        expression::update(request, &mut item);
        self.replace(key, Some(item));
        Ok(json!({}))
    }

    /// Puts an item, or deletes the one with this key.
    fn replace(&mut self, key: Key, item: Option<Value>) {
        let earlier = self.items.remove(&key);
        for index in self.indexes.values_mut() {
            if let Some(of_index) = earlier.as_ref().and_then(|item| texts(item, &index.key)) {
                index.keys.entry(of_index).or_default().remove(&key);
            }
            if let Some(of_index) = item.as_ref().and_then(|item| texts(item, &index.key)) {
                index.keys.entry(of_index).or_default().insert(key.clone());
            }
        }
        if let Some(item) = item {
            self.items.insert(key, item);
        }
    }

    /// Of an index or the table, by `a = :b AND c = :d`.
    fn query(&self, request: &Value) -> Result<Value, Response> {
        let equal = expression::equal_to(request);
        let Some(name) = request["IndexName"].as_str() else {
            let key = texts(&equal, &self.key);
            let key = key.ok_or_else(|| Response::invalid("not a condition on the key"))?;
            return Ok(page(self.items.get(&key).cloned().into_iter().collect()));
        };
        let index = self.indexes.get(name).ok_or_else(|| Response::invalid("no index"))?;
        let wanted = texts(&equal, &index.key);
        let wanted = wanted.ok_or_else(|| Response::invalid("not a condition on both keys"))?;
        let from = match texts(&request["ExclusiveStartKey"], &self.key) {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let limit = request["Limit"].as_u64().map_or(usize::MAX, |limit| limit as usize);
        let keys = index.keys.get(&wanted).into_iter();
        let keys = keys.flat_map(|keys| keys.range((from.clone(), Bound::Unbounded))).take(limit);
        let projected = [&self.key[..], &index.key].concat();
        let items: Vec<_> = keys.map(|key| picked(&self.items[key], &projected)).collect();
        let last = items.last().filter(|_| items.len() == limit).cloned();
        let mut response = page(items);
        if let Some(last) = last {
            response["LastEvaluatedKey"] = last;
        }
        Ok(response)
    }
}

fn page(items: Vec<Value>) -> Value {
    json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items})
}

fn key_names(definition: &Value) -> Vec<String> {
    let names = definition["KeySchema"].as_array().into_iter().flatten();
    names.filter_map(|part| part["AttributeName"].as_str().map(str::to_owned)).collect()
}

/// The values of text attributes; `None` if one is missing.
fn texts(item: &Value, names: &[String]) -> Option<Key> {
    names.iter().map(|name| item[name]["S"].as_str().map(str::to_owned)).collect()
}

/// An item with only these attributes.
fn picked(item: &Value, names: &[impl AsRef<str>]) -> Value {
    let names = names.iter().map(AsRef::as_ref);
    names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
}
