//! The whole function on a real database: tables, tenants, customers, and requests answered.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use group_import::config::{Config, IdentityLookup, SkipUnchanged, Tables};
use group_import::database::{self, Database};
use group_import::http::event::Event;
use group_import::http::handler::Handler;
use group_import::tenant::TokenHash;
use lambda_http::Context;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::embedded::{self, ACCESS_KEY, Embedded, REGION};
use super::proxy::Proxy;
use super::runtime_api::Process;
use super::secrets;
use super::tables::{self, TableNames};

/// The address of the import.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// The token of the tenant that every stage has.
pub const TOKEN: &str = "token-of-t1";

/// The ID of that tenant.
pub const TENANT: &str = "t1";

/// The import that memberships are of that a test puts itself.
pub const BEFORE: &str = "before";

/// The Lambda request ID of every request.
pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// Names a DynamoDB to run on instead of the embedded one, such as `http://127.0.0.1:8000`.
const TEST_ENDPOINT: &str = "DYNAMODB_TEST_ENDPOINT";

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_customer-group-import");

/// A database with the project's tables, behind a proxy that counts, checks and can break calls.
pub struct Stage {
    /// What the function talks to.
    pub proxy: Proxy,
    /// A client of the database itself: what it does is neither counted nor broken.
    pub client: Client,
    pub names: TableNames,
    _database: Option<Embedded>,
}

impl Stage {
    /// Empty tables, but for the tenant [`TENANT`].
    pub async fn new() -> Self {
        secrets::begin();
        let (endpoint, database) = match std::env::var(TEST_ENDPOINT) {
            Ok(endpoint) => (endpoint, None),
            Err(_) => {
                let database = dynoxide::Database::memory().expect("a database in memory");
                let database = Embedded::start(database, 0).await.expect("a free port");
                (database.endpoint().to_owned(), Some(database))
            }
        };
        let client = embedded::client(&endpoint);
        // Stages may share a database.
        let names = TableNames::prefixed(&format!("test-{:016x}-", fastrand::u64(..)));
        tables::create_all(&client, &names).await.expect("the tables are created");
        let proxy = Proxy::start(&endpoint).await;
        proxy.table_key(&names.memberships, &["customerKey", "groupName"]);
        proxy.page_size(Some(10));
        let stage = Self { proxy, client, names, _database: database };
        stage.put_tenant(TOKEN, json!({"tenantId": TENANT})).await;
        stage
    }

    /// The settings that a deployment has unless it sets others; no token is remembered.
    pub fn config(&self) -> Config {
        Config {
            tables: Tables {
                tenants: self.names.tenants.clone(),
                customers: self.names.customers.clone(),
                memberships: self.names.memberships.clone(),
                imports: Some(self.names.imports.clone()),
            },
            max_records: 5_000,
            max_body_bytes: 2_097_152,
            token_cache: Duration::ZERO,
            deadline_margin: Duration::from_millis(1_500),
            identity_lookup: IdentityLookup::Statement,
            skip_unchanged: SkipUnchanged::Auto,
            lookup_concurrency: 32,
            write_concurrency: 32,
            metrics: None,
        }
    }

    /// The function with the usual settings.
    pub async fn function(&self) -> Function {
        self.function_with(|_| {}).await
    }

    /// The function with settings of the test's own.
    pub async fn function_with(&self, set: impl FnOnce(&mut Config)) -> Function {
        let mut config = self.config();
        set(&mut config);
        let sdk = sdk_config(&self.proxy.endpoint()).await;
        let database = Database::new(&sdk, &config);
        Function { handler: Handler::new(config, database), seconds: 30.0 }
    }

    /// The function as a process of its own, with settings of the test's own. Each of its
    /// invocations has `time`.
    pub async fn process(&self, time: Duration, more: &[(&str, &str)]) -> Process {
        self.process_of(Path::new(EXECUTABLE), time, more).await
    }

    /// As [`process`](Self::process), from another executable.
    pub async fn process_of(&self, executable: &Path, time: Duration, more: &[(&str, &str)]) -> Process {
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
        secrets::keep(token);
        secrets::keep(hash.as_str());
        let mut item = item(&attributes);
        item.insert("tokenHash".to_owned(), AttributeValue::S(hash.as_str().to_owned()));
        self.put_all(&self.names.tenants, vec![item]).await;
    }

    /// Puts customers, each an object with at least `audienceUserId`; `tenantId` is [`TENANT`]
    /// unless given.
    pub async fn put_customers(&self, customers: impl IntoIterator<Item = Value>) {
        let customers = customers.into_iter().map(|customer| {
            secrets::keep_identifiers(&customer);
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
            assert!(left.is_empty(), "the database left items over");
        }
    }

    /// Every membership there is, as (customer key, group name).
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

/// The SDK's settings as the function makes them, for an emulator at `endpoint`.
pub async fn sdk_config(endpoint: &str) -> aws_config::SdkConfig {
    let credentials = Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test");
    let loader = database::sdk_config().region(Region::new(REGION)).credentials_provider(credentials);
    loader.endpoint_url(endpoint).load().await
}

/// The function, and how long each of its invocations may take.
pub struct Function {
    pub handler: Handler,
    /// The time of an invocation, in seconds.
    pub seconds: f64,
}

impl Function {
    /// Posts an import as JSON, with the usual token.
    pub async fn import(&self, params: Value, data: Value) -> Response {
        self.import_as(TOKEN, params, data).await
    }

    /// Posts an import as JSON, with this token.
    pub async fn import_as(&self, token: &str, params: Value, data: Value) -> Response {
        self.post(token, json!({"publicParams": params, "data": data}).to_string()).await
    }

    /// Posts a body, with this token.
    pub async fn post(&self, token: &str, body: impl Into<String>) -> Response {
        self.invoke(post_event(token, body)).await
    }

    /// Handles an event.
    pub async fn invoke(&self, event: Value) -> Response {
        secrets::keep_event(&event);
        Response::read(&self.reply(&event.to_string()).await)
    }

    /// The reply to an event, from its JSON text.
    pub async fn reply(&self, event: &str) -> Value {
        let event: Event = serde_json::from_str(event).expect("every JSON text is an event");
        let mut context = Context::default();
        context.request_id = REQUEST_ID.to_owned();
        let deadline = SystemTime::now() + Duration::from_secs_f64(self.seconds);
        context.deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let reply = self.handler.handle(event, &context).await;
        serde_json::to_value(&reply).expect("a reply is JSON")
    }
}

/// An event of an HTTP API (payload format 2.0) that posts `body` to the import.
pub fn post_event(token: &str, body: impl Into<String>) -> Value {
    json!({
        "version": "2.0",
        "rawPath": ADDRESS,
        "headers": {"x-token": token, "content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": ADDRESS}, "stage": "$default"},
        "body": body.into(),
        "isBase64Encoded": false,
    })
}

/// An answer, opened.
#[derive(Debug)]
pub struct Response {
    pub status: u64,
    pub headers: Value,
    /// The envelope as it was sent.
    pub body: String,
    pub envelope: Value,
}

impl Response {
    /// Reads the reply to API Gateway, and checks what holds for every answer (contract, section 2).
    pub fn read(reply: &Value) -> Self {
        let status = reply["statusCode"].as_u64().expect("a status");
        assert_eq!(reply["isBase64Encoded"], false);
        assert_eq!(reply["headers"]["Content-Type"], "application/json");
        let body = reply["body"].as_str().expect("a body");
        let envelope: Value = serde_json::from_str(body).expect("the body is JSON");
        let keys: BTreeSet<_> = envelope.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["code", "data", "errorCode", "msg"]));
        assert_eq!(envelope["code"], status.to_string());
        assert_ne!(envelope["msg"], "");
        Self { status, headers: reply["headers"].clone(), body: body.to_owned(), envelope }
    }

    /// `errorCode` of the envelope.
    pub fn code(&self) -> &str {
        self.envelope["errorCode"].as_str().expect("a string")
    }

    /// `msg` of the envelope.
    pub fn msg(&self) -> &str {
        self.envelope["msg"].as_str().expect("a string")
    }

    /// The result of an import that ran to its end.
    pub fn data(&self) -> &Value {
        assert_eq!((self.status, self.code(), self.msg()), (200, "SUCCESS", "ok"));
        &self.envelope["data"]
    }

    /// The codes of the failed records, in order.
    pub fn failures(&self) -> Vec<&str> {
        let failed = self.data()["errorData"].as_array();
        failed.into_iter().flatten().map(|record| record["errorCode"].as_str().expect("a code")).collect()
    }

    /// `errorData` as it was sent, to the letter.
    pub fn error_data(&self) -> String {
        type Members<'a> = HashMap<&'a str, &'a RawValue>;
        let envelope: Members<'_> = serde_json::from_str(&self.body).expect("an object");
        let data: Members<'_> = serde_json::from_str(envelope["data"].get()).expect("an object");
        data["errorData"].get().to_owned()
    }
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
        Value::Null | Value::Object(_) => panic!("no attribute of a test"),
    };
    let attributes = attributes.as_object().expect("an object");
    attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}
