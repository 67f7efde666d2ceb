//! Raw event in, envelope out: the whole function on the real SDK, in front of a DynamoDB in memory.
//!
//! An input is the JSON text of an event. After a first NUL, which no JSON has, it may list faults of the
//! database ([`faults::Faults`]). So `events/` serves as a corpus; `seeds/` adds an import of more than one call.
//!
//! # Layout
//!
//! - `main` (here): the function, called twice: with the faults, then without them
//! - [`world`]: customers and memberships; [`faults`]: the faults of the database
//! - [`mutation`]: changes to an event's body, and to the faults

#![no_main]

mod faults;
mod mutation;
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_credential_types::Credentials;
use group_import::config::{Config, IdentityLookup, SkipUnchanged, Tables};
use group_import::database;
use group_import::hash::sha256_hex;
use group_import::http::event::Header;
use group_import::http::handler::Handler;
use group_import::http::incoming::Incoming;
use lambda_http::Context;
use lambda_http::lambda_runtime::Diagnostic;
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use serde_json::{Value, json};
use testing::dynamodb::{Dynamodb, Maps, Store};
use testing::items::{put_all, scan};
use testing::tables::{self, TableNames};
use tokio::runtime::Runtime;

use crate::faults::{Faults, Met};
use crate::world::{TENANT, TOKEN, world};
use testing::model::reply::{self, Reply};
use testing::model::verdict::{self, Case};
use testing::model::world::{Customer, World};

/// Few enough that inputs exceed it.
pub const MAX_RECORDS: usize = 30;

struct Function {
    /// With a paused clock, which advances to the end of each wait.
    runtime: Runtime,
    by_statement: Handler,
    by_query: Handler,
    names: TableNames,
    maps: Maps,
    database: Dynamodb,
}

impl Function {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (names, maps) = (TableNames::prefixed(""), Maps::default());
        let store = Store::Maps(maps.clone());
        runtime.block_on(async {
            tables::create_all(&store, &names).await.expect("the tables are created");
            let tenant = json!({"tokenHash": sha256_hex(TOKEN.as_bytes()), "tenantId": TENANT});
            put_all(&store, &names.tenants, [tenant]).await.expect("it is put");
            let customers = world().customers;
            put_all(&store, &names.customers, customers.iter().map(Customer::item))
                .await
                .expect("they are put");
        });
        let database = runtime.block_on(async { Dynamodb::new(store) });
        database.statements_by_key();
        let sdk = database::sdk_config()
            .region(Region::new("local"))
            .credentials_provider(Credentials::new("fuzz", "fuzz", None, None, "fuzz"))
            .endpoint_url("http://double")
            .http_client(database.connector())
            .load();
        let sdk = runtime.block_on(sdk);
        let handler = |identity_lookup, skip_unchanged| {
            let tables = Tables {
                tenants: names.tenants.clone(),
                customers: names.customers.clone(),
                memberships: names.memberships.clone(),
                imports: Some(names.imports.clone()),
            };
            let config = Config {
                max_records: MAX_RECORDS,
                // The result of an input must not depend on earlier inputs.
                token_cache: Duration::ZERO,
                identity_lookup,
                skip_unchanged,
                ..Config::new(tables)
            };
            let database = database::Database::new(&sdk, &config);
            Handler::new(config, database)
        };
        let by_statement = handler(IdentityLookup::Statement, SkipUnchanged::Auto);
        let by_query = handler(IdentityLookup::Query, SkipUnchanged::Always);
        Self { runtime, by_statement, by_query, names, maps, database }
    }

    /// Stores nothing but the customers and these memberships.
    fn begin(&self, world: &World) {
        self.maps.clear(&self.names.imports);
        self.maps.clear(&self.names.memberships);
        let memberships = world.memberships.iter();
        let items = memberships.map(|(key, group)| json!({"customerKey": key, "groupName": group}));
        let put = put_all(self.database.store(), &self.names.memberships, items);
        self.runtime.block_on(put).expect("they are put");
    }

    /// The stored memberships, as (customer key, group name).
    fn memberships(&self) -> BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().expect("keys are texts").to_owned();
        let items = self.runtime.block_on(scan(self.database.store(), &self.names.memberships));
        let items = items.expect("the table is there").into_iter();
        items.map(|item| (text(&item["customerKey"]), text(&item["groupName"]))).collect()
    }

    fn answer(&self, json: &[u8], by_query: bool) -> Value {
        // As the runtime does it.
        let event: Incoming = serde_json::from_slice(json).expect("an event");
        let handler = if by_query { &self.by_query } else { &self.by_statement };
        let mut context = Context::default();
        context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
        let cut_off = SystemTime::now() + Duration::from_secs(29);
        context.deadline = cut_off.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let is_direct = !matches!(event, Incoming::Api(_));
        match self.runtime.block_on(handler.handle(event, &context)) {
            Ok(envelope) if is_direct => reply::of_direct(200, &to_text(&envelope)),
            Ok(reply) => serde_json::from_str(&to_text(&reply)).expect("JSON"),
            Err(failed) => {
                let Diagnostic { error_type, error_message } = failed.into();
                reply::of_failed(&error_type, &error_message).unwrap_or_else(|wrong| panic!("{wrong}"))
            }
        }
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
    let world = world();

    function.begin(&world);
    faults.set(&function.database);
    let first = function.answer(json, faults.by_query);
    let met = Met::by(&function.database);
    let mut excused = if met.any { verdict::Faults::OF_CALLS } else { verdict::Faults::NONE };
    excused.internal_error = met.malformed_tenant;
    holds(function, &world, body, excused, &first);

    // What failed succeeds now, and what succeeded is unchanged; but a key keeps its outcome.
    let world = World { memberships: function.memberships(), ..world };
    Faults::NONE.set(&function.database);
    let second = function.answer(json, faults.by_query);
    let kept = met.any && has_key;
    let excused = if kept { verdict::Faults::OF_CALLS } else { verdict::Faults::NONE };
    holds(function, &world, body, excused, &second);
    if !met.any {
        assert_eq!(first["body"], second["body"], "the response to the same request is the same");
    }
}

fn to_text(reply: &group_import::http::reply::Reply) -> String {
    serde_json::to_string(reply).expect("a reply is JSON")
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
