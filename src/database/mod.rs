//! DynamoDB: everything that is read and written goes through here. Nothing here knows of HTTP.

mod call;
pub mod claim;
mod customers;
mod existing;
mod imports;
mod memberships;
mod tenants;
mod unchanged;
mod usage;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::types::AttributeValue;

use self::call::Attempts;
use crate::config::{Config, IdentityLookup, SkipUnchanged, Tables};
use crate::deadline::Deadline;

pub use imports::{Claimed, ImportKey};
pub use memberships::{Writing, Written};
pub use tenants::TenantError;
pub use usage::{Stage, Tally, Usage};

/// The longest that one attempt of a call may take. Far above what DynamoDB takes (milliseconds):
/// it is there for connections that hang.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest that a call may take with all its attempts, well under the function's 29 s.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);

/// Attempts of a call, the first included.
const MAX_ATTEMPTS: u32 = 4;

/// The first pause between attempts; the SDK's own default of a second is made for slower services.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// The SDK's settings: what the environment says (region, credentials, endpoint), and bounds on
/// time and attempts, which the SDK leaves open.
pub fn sdk_config() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(
            RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        // The attempt timeout covers a stalled body: answers are read whole within an attempt.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// An item, or the key of one.
type Item = HashMap<String, AttributeValue>;

/// A text as an attribute of an item.
fn attribute(name: &str, text: &str) -> (String, AttributeValue) {
    (name.to_owned(), AttributeValue::S(text.to_owned()))
}

/// The tables, and how they are used.
pub struct Database {
    client: Client,
    tables: Tables,
    identity_lookup: IdentityLookup,
    skip_unchanged: SkipUnchanged,
    lookup_concurrency: usize,
    write_concurrency: usize,
    /// Whether it was said that a statement was refused.
    rejection_logged: AtomicBool,
}

/// The database during one invocation.
#[derive(Clone, Copy)]
pub struct Session<'d> {
    database: &'d Database,
    deadline: Deadline,
    tally: &'d Tally,
}

impl Database {
    /// The tables named by `config`, by the SDK settings given.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        // The SDK's own quota of retries (500 a process; five for a retry, one back for a success) would be spent
        // by one large import that is throttled, and stay spent after an outage. What bounds the retries here are
        // the attempts of a call, the calls at a time and the deadline.
        let retries = RetryPartition::custom("imports").token_bucket(TokenBucket::unlimited()).build();
        let sdk = aws_sdk_dynamodb::config::Builder::from(sdk).retry_partition(retries).interceptor(Attempts);
        let client = Client::from_conf(sdk.build());
        Self {
            client,
            tables: config.tables.clone(),
            identity_lookup: config.identity_lookup,
            skip_unchanged: config.skip_unchanged,
            lookup_concurrency: config.lookup_concurrency,
            write_concurrency: config.write_concurrency,
            rejection_logged: AtomicBool::new(false),
        }
    }

    /// The database for an invocation with this deadline. What is asked of it is added to `tally`.
    pub fn session<'d>(&'d self, deadline: Deadline, tally: &'d Tally) -> Session<'d> {
        Session { database: self, deadline, tally }
    }
}
