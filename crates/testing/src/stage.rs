//! The function's environment: a real database with the project's tables, behind a proxy.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use group_import::tenant::TokenHash;
use serde_json::{Value, json};

use crate::client;
use crate::embedded::{ACCESS_KEY, Embedded, REGION};
use crate::log_search;
use crate::memory::page::PAGE_ITEMS;
use crate::proxy::{InProcess, Proxy, Upstream};
use crate::real_time;
use crate::runtime_api::Process;
use crate::tables::{self, TableNames};

/// The token of every stage's default tenant.
pub const TOKEN: &str = "token-of-t1";

/// The ID of that tenant.
pub const TENANT: &str = "t1";

/// The import of the memberships that a test puts itself.
pub const BEFORE: &str = "before";

/// The variable with the URL of a DynamoDB to use instead of the embedded one, such as `http://127.0.0.1:8000`.
const TEST_ENDPOINT: &str = "DYNAMODB_TEST_ENDPOINT";

/// A database with the project's tables, behind a proxy that counts, checks and can break calls.
pub struct Stage {
    /// The endpoint of the function's SDK.
    pub proxy: Proxy,
    /// A client of the database itself: its calls are neither counted nor broken.
    pub client: Client,
    pub names: TableNames,
    pub(crate) clock_is_paused: bool,
    _database: Option<Embedded>,
}

impl Stage {
    /// Empty tables, except for the tenant [`TENANT`].
    pub async fn new() -> Self {
        Self::begin(false).await
    }

    /// Like [`new`](Self::new), in a test whose clock is paused: the calls of its functions and of its client do not go
    /// through a socket here, and the clock stands still while the database is at work.
    pub async fn paused() -> Self {
        Self::begin(true).await
    }

    async fn begin(clock_is_paused: bool) -> Self {
        log_search::begin();
        let (endpoint, database) = match std::env::var(TEST_ENDPOINT) {
            Ok(endpoint) => (endpoint, None),
            Err(_) => {
                let database = dynoxide::Database::memory().expect("a database in memory");
                let database = real_time::run(Embedded::start(database, 0)).await.expect("a free port");
                (database.endpoint().to_owned(), Some(database))
            }
        };
        let mut settings = client::settings(&endpoint);
        if clock_is_paused {
            settings = settings.http_client(InProcess::Upstream(Box::new(Upstream::new(&endpoint))));
        }
        let client = Client::from_conf(settings.build());
        // Stages may share a database, and a test may have seeded what it draws.
        let names = TableNames::prefixed(&format!("test-{:016x}-", RandomState::new().hash_one(())));
        tables::create_all(&endpoint, &names).await.expect("the tables are created");
        let proxy = Proxy::start(&endpoint).await;
        proxy.table_key(&names.memberships, &["customerKey", "groupName"]);
        proxy.page_size(Some(PAGE_ITEMS));
        let stage = Self { proxy, client, names, clock_is_paused, _database: database };
        stage.put_tenant(TOKEN, json!({"tenantId": TENANT})).await;
        stage
    }

    /// The function as a separate process, with other settings. Each of its invocations has `time`.
    pub async fn process(&self, executable: &Path, time: Duration, more: &[(&str, &str)]) -> Process {
        let endpoint = self.proxy.endpoint();
        let mut environment = vec![
            ("AWS_ENDPOINT_URL_DYNAMODB", &*endpoint),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
            ("TENANTS_TABLE", &self.names.tenants),
            ("CUSTOMERS_TABLE", &self.names.customers),
            ("MEMBERSHIPS_TABLE", &self.names.memberships),
            ("IMPORTS_TABLE", &self.names.imports),
        ];
        environment.extend(more);
        Process::start(executable, &environment, time).await
    }

    /// Puts a tenant for `token`, with these attributes.
    pub async fn put_tenant(&self, token: &str, attributes: Value) {
        let hash = TokenHash::of(token);
        log_search::keep(token);
        log_search::keep(hash.as_str());
        let mut item = item(&attributes);
        item.insert("tokenHash".to_owned(), AttributeValue::S(hash.as_str().to_owned()));
        self.put_all(&self.names.tenants, vec![item]).await;
    }

    /// Puts customers, each an object with at least `audienceUserId`; `tenantId` is [`TENANT`]
    /// unless given.
    pub async fn put_customers(&self, customers: impl IntoIterator<Item = Value>) {
        let customers = customers.into_iter().map(|customer| {
            log_search::keep_identifiers(&customer);
            let mut item = item(&customer);
            item.entry("tenantId".to_owned()).or_insert_with(|| AttributeValue::S(TENANT.to_owned()));
            item
        });
        self.put_all(&self.names.customers, customers.collect()).await;
    }

    /// Puts memberships, each a customer key and a group name, as the import [`BEFORE`] left them.
    pub async fn put_memberships(&self, memberships: &BTreeSet<(String, String)>) {
        let items = memberships
            .iter()
            .map(|(key, group)| item(&json!({"customerKey": key, "groupName": group, "importId": BEFORE})));
        self.put_all(&self.names.memberships, items.collect()).await;
    }

    async fn put_all(&self, table: &str, items: Vec<HashMap<String, AttributeValue>>) {
        for batch in items.chunks(25) {
            let puts = batch.iter().map(|item| {
                let put =
                    PutRequest::builder().set_item(Some(item.clone())).build().expect("the item is set");
                WriteRequest::builder().put_request(put).build()
            });
            let answer = self.client.batch_write_item().request_items(table, puts.collect()).send().await;
            let left = answer.expect("the items are put").unprocessed_items.unwrap_or_default();
            assert!(left.is_empty(), "the database left items unprocessed");
        }
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
        let update = self
            .client
            .update_item()
            .table_name(&self.names.imports)
            .key("importKey", AttributeValue::S(import_key.to_owned()))
            .condition_expression("attribute_exists(importKey)")
            .update_expression("SET #attribute = :time")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":time", AttributeValue::N(time.to_string()));
        update.send().await.expect("the key exists");
    }

    /// Every membership stored, as (customer key, group name).
    pub async fn memberships(&self) -> BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().expect("keys are strings").to_owned();
        let items = self.membership_items().await;
        items.iter().map(|item| (text(&item["customerKey"]), text(&item["groupName"]))).collect()
    }

    /// Every membership's item, string attributes only.
    pub async fn membership_items(&self) -> Vec<Value> {
        let mut pages =
            self.client.scan().table_name(&self.names.memberships).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.expect("the table is read");
            let strings = item
                .into_iter()
                .map(|(name, value)| (name, Value::from(value.as_s().expect("a string").as_str())));
            items.push(Value::Object(strings.collect()));
        }
        items
    }
}

fn a_second_ago() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now - Duration::from_secs(1)
}

/// An item from JSON: strings, whole numbers, booleans, and arrays of strings as string sets.
fn item(attributes: &Value) -> HashMap<String, AttributeValue> {
    let value = |value: &Value| match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Array(list) => {
            AttributeValue::Ss(list.iter().map(|text| text.as_str().expect("a string").to_owned()).collect())
        }
        Value::Null | Value::Object(_) => panic!("not supported as an attribute"),
    };
    let attributes = attributes.as_object().expect("an object");
    attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}
