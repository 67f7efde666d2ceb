//! DynamoDB: all reads and writes. Independent of HTTP.

mod attempts;
mod call;
mod call_rate;
pub mod claim;
pub mod connections;
mod customers;
mod existing;
mod imports;
mod look_ups;
mod memberships;
mod pace;
mod tenants;
mod unchanged;
mod usage;
mod write_queue;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;

use self::attempts::{Attempts, ThrottledOnce};
use self::connections::Connections;
use self::pace::Pace;
use crate::config::{Config, IdentityLookup, SkipUnchanged, Tables};
use crate::deadline::Deadline;

pub use imports::{Claimed, ImportKey};
pub use memberships::Writing;
pub use tenants::TenantError;
pub use usage::{Stage, Tally, Usage};
pub use write_queue::Written;

/// How long an attempt at a call waits for the response to begin. Far above DynamoDB's latency (milliseconds): it is for
/// connections that hang, which are replaced then (see [`connections`]).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of one attempt, with the rest of the response.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);

/// The timeout of a call with all its attempts, well under the function's 29 s.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);

/// The most attempts of a call that fails, including the first.
const MAX_ATTEMPTS: u32 = 4;

/// The first pause between attempts; the SDK's default of a second is meant for slower services.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// How long the start of the process waits for the first connection.
const CONNECTING: Duration = Duration::from_millis(250);

/// The SDK's settings: region, credentials and endpoint from the environment, and limits on time and
/// attempts. It needs an HTTP client, such as [`Connections`].
pub fn sdk_config() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(
            RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .read_timeout(RESPONSE_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        // The attempt timeout covers stalled bodies: a response is read completely within an attempt.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// An item, or the key of one.
type Item = HashMap<String, AttributeValue>;

/// A string attribute of an item.
fn attribute(name: &str, text: &str) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::S(text.to_owned()))
}

/// The tables, and the settings of their use.
pub struct Database {
    client: Client,
    tables: Tables,
    identity_lookup: IdentityLookup,
    skip_unchanged: SkipUnchanged,
    lookup_concurrency: usize,
    write_concurrency: usize,
    look_ups: Pace,
    checks: Pace,
    writes: Pace,
    /// When statements may be used again, after one was rejected.
    statements_from: Mutex<Option<Instant>>,
}

/// The database during one invocation.
#[derive(Clone, Copy)]
pub struct Session<'d> {
    database: &'d Database,
    deadline: Deadline,
    tally: &'d Tally,
}

impl Database {
    /// The database with the tables of `config` and these SDK settings.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        // An outage would use up the SDK's retry quota (500 per process; a retry costs five, a success
        // returns one), and it would stay used up afterwards. Retries are limited here by the attempts
        // per call, the concurrency and the deadline.
        let retries = RetryPartition::custom("imports").token_bucket(TokenBucket::unlimited()).build();
        let sdk = aws_sdk_dynamodb::config::Builder::from(sdk)
            .retry_partition(retries)
            .retry_classifier(ThrottledOnce)
            .interceptor(Attempts);
        let client = Client::from_conf(sdk.build());
        Self {
            client,
            tables: config.tables.clone(),
            identity_lookup: config.identity_lookup,
            skip_unchanged: config.skip_unchanged,
            lookup_concurrency: config.lookup_concurrency,
            write_concurrency: config.write_concurrency,
            look_ups: Pace::default(),
            checks: Pace::default(),
            writes: Pace::default(),
            statements_from: Mutex::default(),
        }
    }

    /// Opens a connection and prepares whatever else the first call needs, so that no caller waits for it. Nothing is
    /// sent. Returns after at most 250 ms; a database that does not respond by then does not delay the start.
    pub async fn connect(&self, connections: &Connections) {
        // Ends where the request would be sent: dropped then, it leaves the connection to the first call. If it were
        // sent, the empty key would be rejected, at no cost.
        let call = self.client.get_item().table_name(&self.tables.tenants);
        let call = call.key("tokenHash", AttributeValue::S(String::new())).send();
        tokio::select! {
            biased;
            () = connections.opened() => {}
            () = tokio::time::sleep(CONNECTING) => {}
            _ = call => {}
        }
    }

    /// The database for an invocation with this deadline. Its calls are counted in `tally`.
    pub fn session<'d>(&'d self, deadline: Deadline, tally: &'d Tally) -> Session<'d> {
        Session { database: self, deadline, tally }
    }
}

impl Session<'_> {
    /// The deadline of the invocation.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }
}
