//! The imports to be measured, their customers, and their expected results.
//!
//! Generated from a seed: every run on every machine sends the same bytes.

use std::collections::HashSet;
use std::fmt::Write;

use fastrand::Rng;
use serde_json::{Value, json};
use testing::memory::{Customer, FIELDS, Membership, Memory};

const TOKEN: &str = "token-of-the-bench";
pub const TENANT: &str = "tenant-1";

/// The sizes measured, in records.
pub const SIZES: [usize; 4] = [1, 100, 1_000, LARGEST];
pub const LARGEST: usize = 5_000;

/// Every tenth record has identifiers of no customer.
const ONE_STRANGER_IN: usize = 10;
const GROUPS: usize = 50;

/// The share of the records that have an identifier, in the order of [`FIELDS`], which is that of `identifyWay` 1.
const SHARES: [f64; 4] = [0.6, 0.6, 0.6, 0.4];

/// One record, and the customer whose identifiers it has.
pub struct Record {
    /// In the order of [`FIELDS`]: the customer's identifiers.
    identifiers: [String; 4],
    /// In the same order: which of them the record has, at least one.
    given: [bool; 4],
    groups: [String; 2],
    /// Whether the customers table has the customer.
    known: bool,
}

impl Record {
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

/// All records; an import of fewer takes the first ones.
pub struct Workload {
    records: Vec<Record>,
}

/// One use of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub matching: Matching,
    /// `dryRun`: everything but the writes.
    pub dry_run: bool,
    pub records: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// `isMatching` false.
    Off,
    Exact,
    /// With `identifyWay` 1.
    Fuzzy,
}

impl Matching {
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Exact => "exact",
            Self::Fuzzy => "fuzzy",
        }
    }
}

/// The expected result of an import.
pub struct Expected {
    pub succeeded: usize,
    pub failed: usize,
    /// Exactly the memberships that must be stored.
    pub memberships: HashSet<Membership>,
    /// In the order of [`FIELDS`]: the number of distinct values to be looked up.
    pub looked_up: [usize; 4],
}

impl Workload {
    pub fn new() -> Self {
        let mut rng = Rng::with_seed(20_261_122);
        let records = (0..LARGEST).map(|index| record(&mut rng, index)).collect();
        Self { records }
    }

    /// The database with the customers.
    pub fn memory(&self) -> Memory {
        let known = self.records.iter().filter(|record| record.known).map(|record| {
            let [unionid, openid, phone, id] = record.identifiers.clone();
            Customer { tenant: TENANT.to_owned(), id, identifiers: [unionid, openid, phone].map(Some) }
        });
        Memory::new(TENANT, known)
    }

    /// The event that API Gateway sends for an import, as JSON text.
    pub fn event(&self, scenario: Scenario) -> String {
        let params = match scenario.matching {
            Matching::Off => json!({"isMatching": false}),
            Matching::Exact => json!({"isMatching": true, "matchingType": 1}),
            Matching::Fuzzy => json!({"isMatching": true, "matchingType": 2, "identifyWay": 1}),
        };
        let mut body = json!({
            "publicParams": params,
            "data": self.records(scenario).map(Record::as_json).collect::<Vec<_>>(),
        });
        body["publicParams"]["optType"] = "add".into();
        body["publicParams"]["dryRun"] = scenario.dry_run.into();
        event(&body)
    }

    pub fn expected(&self, scenario: Scenario) -> Expected {
        let mut expected =
            Expected { succeeded: 0, failed: 0, memberships: HashSet::new(), looked_up: [0; 4] };
        for record in self.records(scenario) {
            let customer_id = record.given[3];
            let (found, looked_up) = match scenario.matching {
                Matching::Off => (customer_id, 0),
                Matching::Exact => (record.known, record.given().count()),
                // The first identifier decides, unless it matches nobody.
                Matching::Fuzzy if record.known => (true, 1),
                Matching::Fuzzy => (false, record.given().count()),
            };
            for field in record.given().take(looked_up) {
                expected.looked_up[field] += 1;
            }
            if !found {
                expected.failed += 1;
                continue;
            }
            expected.succeeded += 1;
            if !scenario.dry_run {
                let key = format!("{TENANT}#{}", record.identifiers[3]);
                expected.memberships.extend(record.groups.iter().map(|group| (key.clone(), group.clone())));
            }
        }
        expected
    }

    fn records(&self, scenario: Scenario) -> impl Iterator<Item = &Record> {
        self.records[..scenario.records].iter()
    }
}

/// The event that API Gateway sends for a request with this body, as JSON text.
pub fn event(body: &Value) -> String {
    let path = "/api/integrate/audience/info/batchAdd";
    json!({
        "version": "2.0",
        "routeKey": format!("POST {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-type": "application/json",
            "host": "abcdefghij.execute-api.cn-north-1.amazonaws.com.cn",
            "user-agent": "bench",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-token": TOKEN,
        },
        "requestContext": {
            "apiId": "abcdefghij",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
    .to_string()
}

fn record(rng: &mut Rng, index: usize) -> Record {
    let given = loop {
        let given = SHARES.map(|share| rng.f64() < share);
        if given.contains(&true) {
            break given;
        }
    };
    let group = rng.usize(..GROUPS);
    let other = (group + rng.usize(1..GROUPS)) % GROUPS;
    Record {
        identifiers: [
            format!("oU-{}", word(rng, 25)),
            format!("oA-{}", word(rng, 25)),
            // The factor and the modulus are coprime: all phones are distinct.
            format!("13{:09}", index * 104_729 % 1_000_000_000),
            format!("au-{}", word(rng, 16)),
        ],
        given,
        groups: [group, other].map(|group| format!("会员等级-{group:02}")),
        known: index % ONE_STRANGER_IN != ONE_STRANGER_IN - 1,
    }
}

fn word(rng: &mut Rng, letters: usize) -> String {
    (0..letters).fold(String::with_capacity(letters), |mut word, _| {
        write!(word, "{}", rng.alphanumeric()).expect("BUG: a String takes any text");
        word
    })
}
