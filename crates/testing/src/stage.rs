//! The function's environment: a database with the project's tables.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use group_import::tenant::TokenHash;
use serde_json::{Value, json};

use crate::dynamodb::{Dynamodb, Store};
use crate::items::{self, Membership, put_all, scan};
use crate::log_search;
use crate::runtime_api::{self, Process};
use crate::serve::{self, Server, Transport};
use crate::tables::{self, TableNames};

/// The token of every stage's default tenant.
pub const TOKEN: &str = "token-of-t1";

/// The ID of that tenant.
pub const TENANT: &str = "t1";

/// The variable with the URL of a DynamoDB to use instead of the embedded one, such as `http://127.0.0.1:8000`.
const TEST_ENDPOINT: &str = "DYNAMODB_TEST_ENDPOINT";

/// A database with the project's tables, which counts, checks and can break calls.
pub struct Stage {
    /// What the function calls.
    pub database: Dynamodb,
    pub names: TableNames,
    /// The database over HTTP, for functions that are processes.
    pub server: Server,
}

impl Stage {
    /// On the embedded database, or that of [`TEST_ENDPOINT`].
    pub async fn new() -> Self {
        Self::on(match std::env::var(TEST_ENDPOINT) {
            Ok(endpoint) => Store::remote(&endpoint),
            Err(_) => Store::memory(),
        })
        .await
    }

    /// Empty tables, except for the tenant [`TENANT`]. The calls of functions in this process do not go through a socket,
    /// so the clock may be paused.
    pub async fn on(store: Store) -> Self {
        log_search::begin();
        // Stages may share a database, and a test may have seeded what it draws.
        let names = TableNames::prefixed(&format!("test-{:016x}-", RandomState::new().hash_one(())));
        tables::create_all(&store, &names).await.expect("the tables are created");
        let database = Dynamodb::new(store);
        let server = database.serve(Transport::Plain, serve::ANY).await.expect("a free port");
        let stage = Self { database, names, server };
        stage.put_tenant(TOKEN, json!({"tenantId": TENANT})).await;
        stage
    }

    /// The function as a separate process, with other settings. Each of its invocations has `time`.
    pub async fn process(&self, executable: &Path, time: Duration, more: &[(&str, &str)]) -> Process {
        let mut command = runtime_api::command(executable);
        let environment = self.names.environment(&self.server.origin());
        command.envs(environment).envs(more.iter().copied()).stdout(Stdio::piped());
        Process::spawn(command, time).await.expect("the function starts")
    }

    /// Puts a tenant for `token`, with these attributes.
    pub async fn put_tenant(&self, token: &str, mut attributes: Value) {
        let hash = TokenHash::of(token);
        log_search::keep(token);
        log_search::keep(hash.as_str());
        attributes["tokenHash"] = hash.as_str().into();
        self.put_all(&self.names.tenants, [attributes]).await;
    }

    /// Puts customers, each an object with at least `audienceUserId`; `tenantId` is [`TENANT`]
    /// unless given.
    pub async fn put_customers(&self, customers: impl IntoIterator<Item = Value>) {
        let customers = customers.into_iter().map(|mut customer| {
            log_search::keep_identifiers(&customer);
            if customer.get("tenantId").is_none() {
                customer["tenantId"] = TENANT.into();
            }
            customer
        });
        self.put_all(&self.names.customers, customers).await;
    }

    /// Puts memberships as [`items::BEFORE`] left them.
    pub async fn put_memberships(&self, memberships: &BTreeSet<Membership>) {
        let put = items::put_memberships(self.database.store(), &self.names, memberships);
        put.await.expect("the memberships are put");
    }

    async fn put_all(&self, table: &str, items: impl IntoIterator<Item = Value>) {
        put_all(self.database.store(), table, items).await.expect("the items are put");
    }

    /// Ends the lease of the run that holds a key, `tenant#key`, as if its invocation had timed out: leases use the
    /// wall clock.
    pub async fn end_lease(&self, import_key: &str) {
        self.set_import(import_key, "leaseUntil", a_second_ago().as_millis()).await;
    }

    /// Lets a key, `tenant#key`, expire, as if a day had passed.
    pub async fn expire_key(&self, import_key: &str) {
        self.set_import(import_key, "expiresAt", a_second_ago().as_secs().into()).await;
    }

    async fn set_import(&self, import_key: &str, attribute: &str, time: u128) {
        let update = json!({
            "TableName": self.names.imports,
            "Key": {"importKey": {"S": import_key}},
            "ConditionExpression": "importKey = :key",
            "UpdateExpression": "SET #attribute = :time",
            "ExpressionAttributeNames": {"#attribute": attribute},
            "ExpressionAttributeValues": {":key": {"S": import_key}, ":time": {"N": time.to_string()}},
        });
        let updated = self.database.store().call("UpdateItem", &update).await.expect("it is reached");
        updated.expect_ok().expect("the key exists");
    }

    /// Every membership stored.
    pub async fn memberships(&self) -> BTreeSet<Membership> {
        items::memberships(self.database.store(), &self.names).await.expect("the table is read")
    }

    /// Every membership's item.
    pub async fn membership_items(&self) -> Vec<Value> {
        self.items(&self.names.memberships).await
    }

    /// All items of a table, as plain JSON.
    pub async fn items(&self, table: &str) -> Vec<Value> {
        scan(self.database.store(), table).await.expect("the table is read")
    }
}

fn a_second_ago() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now - Duration::from_secs(1)
}
