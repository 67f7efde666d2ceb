//! Raw event in, envelope out: the whole function on the real SDK, in front of a DynamoDB in memory.
//!
//! An input is the JSON text of an event. After a first NUL, which no JSON has, it may list faults of the
//! database ([`faults::Faults`]). So `events/` serves as a corpus; `seeds/` adds an import of more than one call.
//!
//! # Layout
//!
//! - `main` (here): the function, called twice: with the faults, then without them
//! - [`faults`]: the faults of the database
//! - [`mutation`]: changes to an event's body, and to the faults

#![no_main]

mod faults;
mod mutation;

use std::collections::BTreeSet;

use group_import::config::{IdentityLookup, SkipUnchanged};
use group_import::http::event::Header;
use group_import::http::incoming::Incoming;
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use serde_json::Value;
use testing::demo::{self, RIVAL_TENANT, TENANT};
use testing::dynamodb::{Dynamodb, Maps, Store};
use testing::handler;
use testing::items::{Membership, memberships, put_all, put_memberships};
use testing::model::reply::Reply;
use testing::model::verdict::{self, Case};
use testing::model::world::{Customer, World};
use testing::tables::{self, TableNames};
use tokio::runtime::Runtime;

use crate::faults::Faults;

/// Few enough that inputs exceed it.
pub const MAX_RECORDS: usize = 30;

struct Function {
    /// With a paused clock, which advances to the end of each wait.
    runtime: Runtime,
    by_statement: handler::Function,
    by_query: handler::Function,
    names: TableNames,
    maps: Maps,
    database: Dynamodb,
    /// What exists when an event arrives.
    world: World,
}

impl Function {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (names, maps) = (TableNames::prefixed(""), Maps::default());
        // The ID and an identifier of another tenant's customer; and more customers of a value than fit into a page.
        let mut others = vec![Customer::new(RIVAL_TENANT, "c0001").with("unionid", "u0001")];
        others
            .extend((1..=12).map(|number| Customer::new(TENANT, &format!("p{number}")).with("unionid", "u")));
        let memberships = [("c0001", "spring"), ("c0002", "vip"), ("c0003", "spring")];
        let memberships = memberships.map(|(id, group)| (format!("{TENANT}#{id}"), group.to_owned())).into();
        let (database, [by_statement, by_query]) = runtime.block_on(async {
            let store = Store::Maps(maps.clone());
            tables::create_all(&store, &names).await.expect("the tables are created");
            demo::load(&store, &names).await.expect("the data is put");
            put_all(&store, &names.customers, others.iter().map(Customer::item)).await.expect("they are put");
            let database = Dynamodb::new(store);
            let function = async |identity_lookup, skip_unchanged| {
                handler::Function::on(&database, &names, |config| {
                    config.max_records = MAX_RECORDS;
                    config.identity_lookup = identity_lookup;
                    config.skip_unchanged = skip_unchanged;
                })
                .await
            };
            let by_statement = function(IdentityLookup::Statement, SkipUnchanged::Auto).await;
            let by_query = function(IdentityLookup::Query, SkipUnchanged::Always).await;
            (database, [by_statement, by_query])
        });
        let world = World { customers: [demo::customers(), others].concat(), memberships };
        Self { runtime, by_statement, by_query, names, maps, database, world }
    }

    /// Stores nothing but the customers and the memberships.
    fn begin(&self) {
        self.maps.clear(&self.names.imports);
        self.maps.clear(&self.names.memberships);
        let put = put_memberships(self.database.store(), &self.names, &self.world.memberships);
        self.runtime.block_on(put).expect("they are put");
    }

    fn memberships(&self) -> BTreeSet<Membership> {
        self.runtime.block_on(memberships(self.database.store(), &self.names)).expect("the table is there")
    }

    fn respond(&self, json: &[u8], by_query: bool) -> Value {
        let function = if by_query { &self.by_query } else { &self.by_statement };
        self.runtime.block_on(function.respond(json))
    }
}

thread_local! {
    static FUNCTION: Function = Function::new();
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let (json, faults) = Faults::split(input);
    let Ok(event) = serde_json::from_slice::<Incoming>(json) else { return Corpus::Reject };
    if let Ok(json) = serde_json::from_slice::<Value>(json) {
        let has = |name| json.get(name).is_some();
        let kind = match event {
            Incoming::Api(_) => has("requestContext"),
            Incoming::Direct(_) => !has("requestContext"),
            Incoming::Unknown => {
                !["requestContext", "tokenHash", "publicParams", "data"].into_iter().any(has)
            }
        };
        assert!(kind, "another kind of event");
    }
    FUNCTION.with(|function| run(function, json, &event, faults));
    Corpus::Keep
});

/// Handles an event with the faults, then once more without.
fn run(function: &Function, json: &[u8], event: &Incoming, faults: Faults) {
    // Pauses and IDs of runs are random.
    fastrand::seed(0);
    let (body, has_key) = match event {
        Incoming::Api(event) => {
            let has_key = matches!(event.header("idempotency-key"), Header::Value(_));
            (event.body.as_deref().unwrap_or_default(), has_key)
        }
        Incoming::Direct(event) => (event.body.get().as_bytes(), false),
        Incoming::Unknown => (json, false),
    };
    function.begin();
    faults.set(&function.database);
    let first = function.respond(json, faults.by_query);
    let excused = faults::excused(&function.database);
    let any = excused.unavailable;
    holds(function, &function.world, body, excused, &first);

    // What failed succeeds now, and what succeeded is unchanged; but a key keeps its outcome.
    let world = World { memberships: function.memberships(), ..function.world.clone() };
    Faults::NONE.set(&function.database);
    let second = function.respond(json, faults.by_query);
    let excused = if any && has_key { verdict::Faults::OF_CALLS } else { verdict::Faults::NONE };
    holds(function, &world, body, excused, &second);
    if !any {
        assert_eq!(first["body"], second["body"], "the response to the same request is the same");
    }
}

/// Compares a response, and what is stored now, with the model.
fn holds(function: &Function, world: &World, body: &[u8], faults: verdict::Faults, reply: &Value) {
    let case = Case { max_records: MAX_RECORDS, faults, ..Case::new(world, TENANT, body) };
    let verdict = Reply::open(reply).and_then(|reply| case.judge(&reply));
    let stored = verdict.and_then(|verdict| verdict.stored(&function.memberships()));
    stored.unwrap_or_else(|wrong| panic!("{wrong}: {reply}"));
    let rejections = function.database.rejections();
    assert!(rejections.is_empty(), "no input causes a call that is not valid: {rejections:?}");
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mutated = match seed % 4 {
        0 => None,
        1 => mutation::of_faults(data, size, max_size),
        _ => mutation::of_body(data, size, max_size),
    };
    mutated.unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});
