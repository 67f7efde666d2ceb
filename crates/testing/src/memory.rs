//! A DynamoDB of hash maps, for the benchmark and the fuzzer: the operations that the function calls, with
//! DynamoDB's validation.
//!
//! It is fast, so that it does not distort measurements: requests are parsed in place, without a tree of JSON.
//!
//! # Layout
//!
//! - `memory` (here): what is stored, and which operation is which
//! - `customers`: look-ups; `batch`: batches of keys and items; `imports`: conditional writes
//! - `request`: requests as JSON text, and the rules they must satisfy
//! - [`page`]: pages of ten
//! - [`server`]: the database over HTTP, with a delay and counts of calls

mod batch;
mod customers;
mod imports;
pub mod page;
mod request;
pub mod server;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

pub use self::batch::Entry;
use self::customers::Customers;
pub use self::customers::{Customer, FIELDS};
pub use self::request::Violation;
use self::request::{Attributes, read, rule, text};

pub const TENANTS: &str = "tenants";
pub const CUSTOMERS: &str = "customers";
pub const MEMBERSHIPS: &str = "memberships";
pub const IMPORTS: &str = "imports";

const CUSTOMER_ID: &str = "audienceUserId";
const TENANT_ID: &str = "tenantId";

/// The characters of a token's hash: SHA-256 in hex.
const TOKEN_HASH: usize = 64;

/// Key and group of a membership.
pub type Membership = (String, String);

/// The tables.
#[derive(Debug)]
pub struct Memory {
    /// The tenant of every token.
    tenant: String,
    customers: Customers,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    memberships: HashSet<Membership>,
    /// The items of `imports` by their key.
    imports: HashMap<String, Value>,
}

/// A response, and how the call is counted.
#[derive(Debug)]
pub struct Response {
    /// The operation, or one of its uses.
    pub kind: &'static str,
    pub units: Units,
    /// The HTTP status.
    pub status: u16,
    pub body: Value,
}

/// What DynamoDB charges for the memberships.
#[derive(Clone, Copy, Debug, Default)]
pub struct Units {
    pub read: f64,
    pub write: f64,
}

impl Response {
    fn ok(kind: &'static str, body: Value) -> Self {
        Self { kind, units: Units::default(), status: 200, body }
    }

    fn error(kind: &'static str, code: &str) -> Self {
        Self { kind, units: Units::default(), status: 400, body: error(code, code) }
    }
}

/// The body of an error.
pub fn error(code: &str, message: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message})
}

impl Memory {
    pub fn new(tenant: &str, customers: impl IntoIterator<Item = Customer>) -> Self {
        let customers = customers.into_iter().collect();
        Self { tenant: tenant.to_owned(), customers, state: Mutex::default() }
    }

    /// Removes every import, and replaces the memberships.
    pub fn reset(&self, memberships: impl IntoIterator<Item = Membership>) {
        *self.state() = State { memberships: memberships.into_iter().collect(), imports: HashMap::new() };
    }

    /// The memberships that are stored.
    pub fn memberships(&self) -> HashSet<Membership> {
        self.state().memberships.clone()
    }

    /// Executes an operation. Of a batch, only the entries that `admit` accepts are processed.
    ///
    /// # Errors
    ///
    /// The call breaks a rule.
    pub fn call(
        &self,
        operation: &str,
        body: &[u8],
        admit: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<Response, Violation> {
        match operation {
            "ExecuteStatement" => self.customers.execute_statement(body),
            "Query" => self.customers.query(body),
            "GetItem" => self.tenant(body),
            "BatchGetItem" => self.batch_get_item(body, admit),
            "BatchWriteItem" => self.batch_write_item(body, admit),
            "PutItem" => self.claim_import(&read(body)?),
            "UpdateItem" => self.update_import(&read(body)?),
            _ => Err(Violation::new(format!("{operation} is not supported"))),
        }
    }

    fn tenant(&self, body: &[u8]) -> Result<Response, Violation> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Get<'a> {
            table_name: &'a str,
            #[serde(borrow)]
            key: Attributes<'a>,
        }
        let Get { table_name, key } = read(body)?;
        rule(table_name == TENANTS, || format!("GetItem on {table_name} is not supported"))?;
        rule(text(&key, "tokenHash")?.len() == TOKEN_HASH, || "the key is no hash".to_owned())?;
        let item = json!({TENANT_ID: {"S": self.tenant}, "enabled": {"BOOL": true}});
        Ok(Response::ok("GetItem", json!({"Item": item})))
    }

    /// A poisoned lock is usable: nothing under it leaves the data half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
