//! The imports, their customers, and their expected results, which are the model's.
//!
//! Generated from a seed: every run on every machine sends the same bytes.

use std::collections::{BTreeSet, HashSet};
use std::iter::repeat_with;

use fastrand::Rng;
use serde_json::{Value, json};
use testing::items::Membership;
use testing::model::world::{Customer, World};

use crate::Failure;
use crate::database::{Calls, Database};
use crate::process::{Cost, Process};

pub const TENANT: &str = "tenant-1";
const SEED: u64 = 20_261_122;

/// An event of API Gateway, whose body each import replaces.
const EVENT: &str = include_str!("../../events/fuzzy-add.json");

/// The sizes of an import, in records.
pub const SIZES: [usize; 4] = [1, 100, 1_000, LARGEST];
pub const LARGEST: usize = 5_000;

/// Every tenth record has identifiers of no customer.
const ONE_STRANGER_IN: usize = 10;
const GROUPS: usize = 50;

/// The share of the records that have a unionid, an openid, a phone, and an ID.
const SHARES: [f64; 4] = [0.6, 0.6, 0.6, 0.4];

/// All records, and their customers; an import of fewer takes the first ones.
pub struct Workload {
    pub world: World,
    records: Vec<Value>,
}

/// `publicParams`, without `optType`.
#[derive(Clone, Copy, Debug)]
pub enum Matching {
    Off,
    Exact,
    /// With `identifyWay` 1.
    Fuzzy,
}

/// A request, and its expected result.
pub struct Import {
    event: String,
    records: usize,
    /// The records that match no customer, or have no customer ID where only that counts.
    strangers: usize,
    /// What is looked up: field and value.
    pub looked_up: HashSet<(&'static str, String)>,
    /// The memberships that are stored before, and after.
    pub before: BTreeSet<Membership>,
    pub after: BTreeSet<Membership>,
}

impl Workload {
    pub fn new() -> Self {
        let mut rng = Rng::with_seed(SEED);
        let mut workload = Self { world: World::default(), records: vec![] };
        for index in 0..LARGEST {
            workload.draw(&mut rng, index);
        }
        workload
    }

    /// Draws a record, and its customer.
    fn draw(&mut self, rng: &mut Rng, index: usize) {
        let given = repeat_with(|| SHARES.map(|share| rng.f64() < share)).find(|given| given.contains(&true));
        let given = given.expect("BUG: the iterator is endless");
        let group = rng.usize(..GROUPS);
        let other = (group + rng.usize(1..GROUPS)) % GROUPS;
        let mut word = |letters| repeat_with(|| rng.alphanumeric()).take(letters).collect::<String>();
        let identifiers = [
            ("unionid", format!("oU-{}", word(25))),
            ("openid", format!("oA-{}", word(25))),
            // The factor and the modulus are coprime: all phones are distinct.
            ("phone", format!("13{:09}", index * 104_729 % 1_000_000_000)),
            ("audienceUserId", format!("au-{}", word(16))),
        ];
        let groups = [group, other].map(|group| format!("会员等级-{group:02}"));
        let mut record = json!({"groups": groups.join(",")});
        for ((field, identifier), _) in identifiers.iter().zip(given).filter(|(_, is_given)| *is_given) {
            record[*field] = identifier.as_str().into();
        }
        self.records.push(record);
        if index % ONE_STRANGER_IN != ONE_STRANGER_IN - 1 {
            let [attributes @ .., (_, id)] = identifiers;
            let mut customer = Customer::new(TENANT, &id);
            customer.attributes.extend(attributes);
            self.world.customers.push(customer);
        }
    }

    /// An import of the first records.
    pub fn import(&self, matching: Matching, records: usize) -> Import {
        self.request(matching, records, false)
    }

    /// The same as a `dryRun`: everything but the writes.
    pub fn dry_run(&self, matching: Matching, records: usize) -> Import {
        self.request(matching, records, true)
    }

    fn request(&self, matching: Matching, records: usize, dry_run: bool) -> Import {
        let records = &self.records[..records];
        let mut params = match matching {
            Matching::Off => json!({"isMatching": false}),
            Matching::Exact => json!({"isMatching": true, "matchingType": 1}),
            Matching::Fuzzy => json!({"isMatching": true, "matchingType": 2, "identifyWay": 1}),
        };
        params["optType"] = "add".into();
        params["dryRun"] = dry_run.into();
        let mut world = self.world.clone();
        let endings = world.import(TENANT, &params, records);
        Import {
            event: event(&params, records.to_vec()),
            records: records.len(),
            strangers: endings.iter().filter(|ending| ending.code.is_some()).count(),
            looked_up: endings.into_iter().flat_map(|ending| ending.reads).collect(),
            before: BTreeSet::new(),
            after: if dry_run { BTreeSet::new() } else { world.memberships },
        }
    }
}

impl Import {
    /// Runs the import from the memberships before, and checks its result: an incorrect program is not measured.
    pub async fn run(&self, process: &mut Process, database: &Database) -> Result<(Cost, Calls), Failure> {
        database.reset(&self.before).await?;
        database.take_calls()?;
        let (cost, failed) = self.send(process).await?;
        if failed > 0 {
            return Err(format!("{failed} records failed that should not").into());
        }
        let calls = database.take_calls()?;
        let stored = database.memberships().await?;
        if stored != self.after {
            let (stored, expected) = (stored.len(), self.after.len());
            return Err(format!("{stored} memberships are stored, not the expected {expected}").into());
        }
        Ok((cost, calls))
    }

    /// Sends the request, and returns how many records failed that match a customer.
    pub async fn send(&self, process: &mut Process) -> Result<(Cost, usize), Failure> {
        let (cost, response) = process.invoke(&self.event).await?;
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        let data = &body["data"];
        let failed = data["errorData"].as_array().map_or(0, Vec::len);
        let counts = json!([response["statusCode"], data["importSuccessNum"], data["importFailNum"]]);
        if failed < self.strangers || counts != json!([200, self.records - failed, failed]) {
            return Err(format!("{}: {counts} with {failed} errors", body["errorCode"]).into());
        }
        Ok((cost, failed - self.strangers))
    }
}

/// The event that API Gateway sends for a request, as JSON text.
pub fn event(params: &Value, data: Vec<Value>) -> String {
    let mut event: Value = serde_json::from_str(EVENT).expect("BUG: the event is JSON");
    event["body"] = json!({"publicParams": params, "data": data}).to_string().into();
    event.to_string()
}
