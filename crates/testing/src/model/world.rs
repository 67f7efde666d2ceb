//! Customers and memberships, and the effect of an import on them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::request::{FIELDS, IDENTIFIERS, ORDERS};
use super::text::{fold, has_control_character, has_replacement_character, is_blank, split, value};

/// The record codes in the order of the contract's table (section 4).
pub const CODES: [&str; 8] = [
    "INVALID_FIELD",
    "MISSING_IDENTIFIER",
    "MISSING_GROUPS",
    "NOT_MATCHED",
    "CONFLICT",
    "AMBIGUOUS",
    "STORE_ERROR",
    "TIMEOUT",
];

/// Exact matching lists the customers of an identifier up to this number (contract, section 5).
pub const MOST_LISTED: usize = 100;

/// Whether the record may succeed when it is resent unchanged.
pub fn is_retryable(code: &str) -> bool {
    code == "STORE_ERROR" || code == "TIMEOUT"
}

/// A customer as stored in the table.
#[derive(Clone, Debug)]
pub struct Customer {
    pub tenant: String,
    pub id: String,
    /// The other [`IDENTIFIERS`] that it has.
    pub attributes: BTreeMap<&'static str, String>,
}

impl Customer {
    /// A customer without further identifiers.
    pub fn new(tenant: &str, id: &str) -> Self {
        Self { tenant: tenant.to_owned(), id: id.to_owned(), attributes: BTreeMap::new() }
    }

    /// The customer with this identifier.
    pub fn with(mut self, field: &'static str, value: impl Into<String>) -> Self {
        self.attributes.insert(field, value.into());
        self
    }

    /// Whether this is a value of the customer's ID or of another identifier.
    pub fn has(&self, field: &str, value: &str) -> bool {
        let own = if field == "audienceUserId" { Some(&self.id) } else { self.attributes.get(field) };
        own.is_some_and(|own| own == value)
    }

    /// The customer as an item of its table.
    pub fn item(&self) -> Value {
        let mut item = json!({"audienceUserId": self.id, "tenantId": self.tenant});
        for (field, value) in &self.attributes {
            item[*field] = value.as_str().into();
        }
        item
    }
}

/// The calls that fail, each with the resulting code.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    /// (field, value in the form compared, code)
    pub look_ups: Vec<(&'static str, String, &'static str)>,
    /// (customer ID, group, code)
    pub writes: Vec<(String, String, &'static str)>,
}

impl Outages {
    pub fn of_look_up(&self, field: &str, value: &str) -> Option<&'static str> {
        self.look_ups.iter().find(|outage| outage.0 == field && outage.1 == value).map(|outage| outage.2)
    }

    pub fn of_write(&self, customer: &str, group: &str) -> Option<&'static str> {
        self.writes.iter().find(|outage| outage.0 == customer && outage.1 == group).map(|outage| outage.2)
    }
}

/// What exists: the customers of all tenants, and the memberships as (customer key, group).
#[derive(Clone, Debug, Default)]
pub struct World {
    pub customers: Vec<Customer>,
    pub memberships: BTreeSet<(String, String)>,
}

/// What the contract specifies for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its look-ups, in order: field and value.
    pub reads: Vec<(&'static str, String)>,
    /// The customer it matches, if any.
    pub customer: Option<String>,
    /// The groups that it names.
    pub groups: Vec<String>,
    /// The code of its failure, if any.
    pub code: Option<&'static str>,
}

impl Ending {
    /// The memberships that the record names, if it matches a customer.
    pub fn memberships(&self, tenant: &str) -> Vec<(String, String)> {
        let keys = self.customer.iter().map(|customer| format!("{tenant}#{customer}"));
        keys.flat_map(|key| self.groups.iter().map(move |group| (key.clone(), group.clone()))).collect()
    }

    /// The entry of `matches` of a record at `index`, if it matches a customer.
    pub fn explained(&self, index: usize, params: &Value) -> Option<Value> {
        let by = match self.reads.last() {
            None => "audienceUserId",
            Some(_) if params["matchingType"] == 1.0 => "exact",
            Some((field, _)) => field,
        };
        Some(json!({"index": index, "audienceUserId": self.customer.as_deref()?, "matchedBy": by}))
    }
}

impl World {
    /// Runs an import without outages.
    pub fn import(&mut self, tenant: &str, params: &Value, records: &[Value]) -> Vec<Ending> {
        self.import_through(&Outages::default(), tenant, params, records)
    }

    /// Runs an import with outages.
    pub fn import_through(
        &mut self,
        outages: &Outages,
        tenant: &str,
        params: &Value,
        records: &[Value],
    ) -> Vec<Ending> {
        let mut endings = Vec::new();
        for record in records {
            let mut ending = self.resolve(outages, tenant, params, record);
            if let Some(customer) = &ending.customer {
                let mut codes = Vec::new();
                for item in ending.memberships(tenant) {
                    match outages.of_write(customer, &item.1) {
                        Some(code) => codes.push(code),
                        None if params["optType"] == "add" => drop(self.memberships.insert(item)),
                        None => drop(self.memberships.remove(&item)),
                    }
                }
                ending.code = first(&codes);
            }
            endings.push(ending);
        }
        endings
    }

    fn resolve(&self, outages: &Outages, tenant: &str, params: &Value, record: &Value) -> Ending {
        let groups = split(record["groups"].as_str().unwrap_or_default());
        let mut ending = Ending { reads: Vec::new(), customer: None, groups, code: check(params, record) };
        if ending.code.is_some() {
            return ending;
        }
        if params["isMatching"] == false {
            ending.customer = value(record, "audienceUserId");
            return ending;
        }
        let exact = params["matchingType"] == 1.0;
        let order = ORDERS[usize::from(!exact && params["identifyWay"] == 2.0)];
        let mut results = Vec::new();
        for field in order {
            let Some(value) = value(record, field) else { continue };
            let result = match outages.of_look_up(field, &value) {
                Some(code) => Err(code),
                None => Ok(self.who(tenant, field, &value)),
            };
            ending.reads.push((field, value));
            let decides = !exact && result != Ok(Vec::new());
            results.push(result);
            if decides {
                break;
            }
        }
        match if exact { intersect(outages, results) } else { decide(results) } {
            Ok(customer) => ending.customer = Some(customer),
            Err(code) => ending.code = Some(code),
        }
        ending
    }

    fn who(&self, tenant: &str, field: &str, value: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for customer in &self.customers {
            if customer.tenant == tenant && customer.has(field, value) {
                ids.push(customer.id.clone());
            }
        }
        ids
    }
}

/// The codes that do not depend on the database.
fn check(params: &Value, record: &Value) -> Option<&'static str> {
    let mut codes = Vec::new();
    for field in FIELDS {
        if !matches!(record[field], Value::Null | Value::String(_)) {
            codes.push("INVALID_FIELD");
        }
    }
    let is_damaged = |text: &str| has_control_character(text) || has_replacement_character(text);
    if IDENTIFIERS.iter().any(|field| is_damaged(record[field].as_str().unwrap_or_default())) {
        codes.push("INVALID_FIELD");
    }
    let members = record.as_object().into_iter().flatten();
    let given: Vec<_> = members.filter(|(_, value)| !is_blank(value)).map(|(name, _)| fold(name)).collect();
    let used = if params["isMatching"] == false { &["audienceUserId", "groups"][..] } else { &FIELDS };
    // The field itself is blank, so what is given is a variant of it.
    if used.iter().any(|field| is_blank(&record[field]) && given.contains(&fold(field))) {
        codes.push("INVALID_FIELD");
    }
    if IDENTIFIERS.iter().any(|field| value(record, field).is_some_and(|value| value.len() > 1024)) {
        codes.push("INVALID_FIELD");
    }
    let usable = if params["isMatching"] == false { &["audienceUserId"][..] } else { &IDENTIFIERS };
    if usable.iter().all(|field| value(record, field).is_none()) {
        codes.push("MISSING_IDENTIFIER");
    }
    let groups = split(record["groups"].as_str().unwrap_or_default());
    let is_removable = |name: &str| params["optType"] == "delete" && !has_control_character(name);
    if groups.iter().any(|name| is_damaged(name) && !is_removable(name)) {
        codes.push("INVALID_FIELD");
    }
    if groups.len() > 100 || groups.iter().any(|name| name.len() > 256) {
        codes.push("INVALID_FIELD");
    }
    if groups.is_empty() {
        codes.push("MISSING_GROUPS");
    }
    first(&codes)
}

type Found = Result<Vec<String>, &'static str>;

/// Fuzzy: the last result decides, since only an empty one is followed by another.
fn decide(results: Vec<Found>) -> Result<String, &'static str> {
    let mut matched = results.into_iter().next_back().expect("some identifier is given")?;
    match matched.len() {
        0 => Err("NOT_MATCHED"),
        1 => Ok(matched.remove(0)),
        _ => Err("AMBIGUOUS"),
    }
}

/// Exact: the customer in all results. A conflict is known only when all results are. Where an result is too long to be
/// listed, the customers in the other ones are looked up by their IDs, to be compared.
fn intersect(outages: &Outages, results: Vec<Found>) -> Result<String, &'static str> {
    let mut codes = Vec::new();
    for result in &results {
        match result {
            Ok(matched) if matched.is_empty() => codes.push("NOT_MATCHED"),
            Ok(_) => {}
            Err(code) => codes.push(code),
        }
    }
    if let Some(code) = first(&codes) {
        return Err(code);
    }
    let results: Vec<_> = results.into_iter().flatten().collect();
    let in_all = |results: &[&Vec<String>], id: &String| results.iter().all(|result| result.contains(id));
    let (listed, unlisted): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.len() <= MOST_LISTED);
    let Some(first_list) = listed.first() else { return Err("AMBIGUOUS") };
    let candidates: Vec<_> = first_list.iter().filter(|id| in_all(&listed, id)).collect();
    let mut common = Vec::new();
    for id in candidates {
        match outages.of_look_up("audienceUserId", id) {
            Some(code) if !unlisted.is_empty() => codes.push(code),
            _ if in_all(&unlisted, id) => common.push(id.clone()),
            _ => {}
        }
    }
    match (common.len(), first(&codes)) {
        (2.., _) => Err("AMBIGUOUS"),
        (_, Some(code)) => Err(code),
        (0, None) => Err("CONFLICT"),
        (1, None) => Ok(common.remove(0)),
    }
}

fn first(codes: &[&'static str]) -> Option<&'static str> {
    CODES.into_iter().find(|code| codes.contains(code))
}
