//! The function in this process, on a database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_sdk_dynamodb::config::Credentials;
use group_import::config::{Config, Tables};
use group_import::database::{self, Database};
use group_import::http::handler::Handler;
use group_import::http::incoming::Incoming;
use lambda_http::Context;
use lambda_http::lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::dynamodb::Dynamodb;
use crate::model::reply;
use crate::tables::{ACCESS_KEY, REGION, TableNames};

/// The Lambda request ID of every request.
pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// The function, and the duration of its invocations.
pub struct Function {
    pub handler: Handler,
    /// The duration of an invocation, in seconds.
    pub seconds: f64,
}

impl TableNames {
    /// The default settings of a deployment, without the cache of tokens.
    pub fn config(&self) -> Config {
        let tables = Tables {
            tenants: self.tenants.clone(),
            customers: self.customers.clone(),
            memberships: self.memberships.clone(),
            imports: Some(self.imports.clone()),
        };
        Config { token_cache: Duration::ZERO, ..Config::new(tables) }
    }
}

impl Function {
    /// With these changes to the [default settings](TableNames::config).
    pub async fn on(database: &Dynamodb, names: &TableNames, set: impl FnOnce(&mut Config)) -> Self {
        let mut config = names.config();
        set(&mut config);
        let credentials = Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test");
        let loader = database::sdk_config().region(Region::new(REGION)).credentials_provider(credentials);
        let sdk = loader.http_client(database.connector()).load().await;
        let database = Database::new(&sdk, &config);
        Self { handler: Handler::new(config, database), seconds: 30.0 }
    }

    /// Handles an event of either kind, given as JSON text: its result as API Gateway gets it, or would get it.
    pub async fn respond(&self, event: &[u8]) -> Value {
        let event = serde_json::from_slice(event).expect("every JSON text is an event");
        let is_direct = !matches!(event, Incoming::Api(_));
        let outcome = self.handle(event).await;
        reply::of_invocation(outcome.map_err(|it| [it.error_type, it.error_message]), is_direct)
    }

    /// Handles an event: the JSON text returned, or the error of the failed invocation.
    pub(crate) async fn handle(&self, event: Incoming) -> Result<String, Diagnostic> {
        let mut context = Context::default();
        context.request_id = REQUEST_ID.to_owned();
        let deadline = SystemTime::now() + Duration::from_secs_f64(self.seconds);
        context.deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let reply = self.handler.handle(event, &context).await?;
        Ok(serde_json::to_string(&reply).expect("a reply is JSON"))
    }
}
