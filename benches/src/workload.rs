//! The imports, their customers, and their expected results.
//!
//! Generated from a seed: every run on every machine sends the same bytes.

use std::collections::HashSet;
use std::iter::repeat_with;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::Failure;
use crate::database::{Database, Membership, Tally};
use crate::process::{Cost, Process};

pub const TENANT: &str = "tenant-1";
pub const SEED: u64 = 20_261_122;

/// An event of API Gateway, whose body each import replaces.
const EVENT: &str = include_str!("../../events/fuzzy-add.json");

/// The sizes of an import, in records.
pub const SIZES: [usize; 4] = [1, 100, 1_000, LARGEST];
pub const LARGEST: usize = 5_000;

/// Every tenth record has identifiers of no customer.
const ONE_STRANGER_IN: usize = 10;
const GROUPS: usize = 50;

/// The share of the records that have an identifier, in the order of [`FIELDS`], which is that of `identifyWay` 1.
const SHARES: [f64; 4] = [0.6, 0.6, 0.6, 0.4];

/// The fields of the identifiers: each has an index, except the ID, which is the table's key.
const FIELDS: [&str; 4] = ["unionid", "openid", "phone", "audienceUserId"];

/// All records; an import of fewer takes the first ones.
pub struct Workload {
    records: Vec<Record>,
}

/// One record, and the customer whose identifiers it has. Identifiers are in the order of [`FIELDS`].
struct Record {
    identifiers: [String; 4],
    /// Which of them the record has, at least one.
    given: [bool; 4],
    groups: [String; 2],
    /// Whether the customers table has the customer.
    known: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Matching {
    /// `isMatching` false.
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
    /// In the order of [`FIELDS`]: the number of distinct values to be looked up.
    pub looked_up: [usize; 4],
    /// The memberships that are stored before, and after.
    pub before: HashSet<Membership>,
    pub after: HashSet<Membership>,
}

impl Workload {
    pub fn new() -> Self {
        let mut rng = Rng::with_seed(SEED);
        Self { records: (0..LARGEST).map(|index| Record::draw(&mut rng, index)).collect() }
    }

    /// The customers, each plain JSON.
    pub fn customers(&self) -> impl Iterator<Item = Value> {
        self.records.iter().filter(|record| record.known).map(|record| customer(&record.identifiers))
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
        let event = event(&params, records.iter().map(Record::as_json).collect());
        let (before, after) = (HashSet::new(), HashSet::new());
        let mut import =
            Import { event, records: records.len(), strangers: 0, looked_up: [0; 4], before, after };
        for record in records {
            let (found, looked_up) = match matching {
                Matching::Off => (record.given[3], 0),
                Matching::Exact => (record.known, record.given().count()),
                // The first identifier decides, unless it matches nobody.
                Matching::Fuzzy if record.known => (true, 1),
                Matching::Fuzzy => (false, record.given().count()),
            };
            for field in record.given().take(looked_up) {
                import.looked_up[field] += 1;
            }
            import.strangers += usize::from(!found);
            if found && !dry_run {
                let key = format!("{TENANT}#{}", record.identifiers[3]);
                import.after.extend(record.groups.iter().map(|group| (key.clone(), group.clone())));
            }
        }
        import
    }
}

impl Record {
    fn draw(rng: &mut Rng, index: usize) -> Self {
        let given = repeat_with(|| SHARES.map(|share| rng.f64() < share)).find(|given| given.contains(&true));
        let given = given.expect("BUG: the iterator is endless");
        let group = rng.usize(..GROUPS);
        let other = (group + rng.usize(1..GROUPS)) % GROUPS;
        let mut word = |letters| repeat_with(|| rng.alphanumeric()).take(letters).collect::<String>();
        Self {
            identifiers: [
                format!("oU-{}", word(25)),
                format!("oA-{}", word(25)),
                // The factor and the modulus are coprime: all phones are distinct.
                format!("13{:09}", index * 104_729 % 1_000_000_000),
                format!("au-{}", word(16)),
            ],
            given,
            groups: [group, other].map(|group| format!("会员等级-{group:02}")),
            known: index % ONE_STRANGER_IN != ONE_STRANGER_IN - 1,
        }
    }

    /// The identifiers that the record has, as positions in [`FIELDS`].
    fn given(&self) -> impl Iterator<Item = usize> {
        (0..FIELDS.len()).filter(|&field| self.given[field])
    }

    fn as_json(&self) -> Value {
        let mut record = json!({"groups": self.groups.join(",")});
        for field in self.given() {
            record[FIELDS[field]] = self.identifiers[field].as_str().into();
        }
        record
    }
}

impl Import {
    /// Runs the import from the memberships before, and checks its result: an incorrect program is not measured.
    pub async fn run(&self, process: &mut Process, database: &Database) -> Result<(Cost, Tally), Failure> {
        database.reset(&self.before).await?;
        database.take_tally()?;
        let (cost, failed) = self.send(process).await?;
        if failed > 0 {
            return Err(format!("{failed} records failed that should not").into());
        }
        let tally = database.take_tally()?;
        let stored = database.memberships().await?;
        if stored != self.after {
            let (stored, expected) = (stored.len(), self.after.len());
            return Err(format!("{stored} memberships are stored, not the expected {expected}").into());
        }
        Ok((cost, tally))
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

/// A customer with these identifiers, in the order of [`FIELDS`]; none where empty.
pub fn customer(identifiers: &[String; 4]) -> Value {
    let mut customer = json!({"tenantId": TENANT});
    for (field, value) in FIELDS.iter().zip(identifiers).filter(|(_, value)| !value.is_empty()) {
        customer[field] = value.as_str().into();
    }
    customer
}

/// The event that API Gateway sends for a request, as JSON text.
pub fn event(params: &Value, data: Vec<Value>) -> String {
    let mut event: Value = serde_json::from_str(EVENT).expect("BUG: the event is JSON");
    event["body"] = json!({"publicParams": params, "data": data}).to_string().into();
    event.to_string()
}
