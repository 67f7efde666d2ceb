//! The function's settings: environment variables, validated at start-up.

mod environment;

use std::time::Duration;

use environment::Environment;

/// All settings. The SDK itself reads `AWS_ENDPOINT_URL_DYNAMODB`, the region and the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The tables' names.
    pub tables: Tables,
    /// `MAX_RECORDS`: the most records of one request.
    pub max_records: usize,
    /// `MAX_BODY_BYTES`: the largest body of a request.
    pub max_body_bytes: usize,
    /// `TOKEN_CACHE_SECONDS`: how long a valid token is cached; zero disables the cache.
    pub token_cache: Duration,
    /// `DEADLINE_MARGIN_MS`: the time before the invocation's end in which no new call starts.
    pub deadline_margin: Duration,
    /// `IDENTITY_LOOKUP`: how identifiers are read from their indexes.
    pub identity_lookup: IdentityLookup,
    /// `SKIP_UNCHANGED`: when memberships already in the desired state are not written again.
    pub skip_unchanged: SkipUnchanged,
    /// `LOOKUP_CONCURRENCY`: the most concurrent look-up calls.
    pub lookup_concurrency: usize,
    /// `WRITE_CONCURRENCY`: the most concurrent write calls.
    pub write_concurrency: usize,
    /// `AWS_LAMBDA_MAX_CONCURRENCY`: the most concurrent requests, more than one on Lambda Managed Instances.
    pub concurrent_requests: usize,
    /// The metrics of the requests; `None` unless `AWS_LAMBDA_LOG_FORMAT` is `JSON`.
    pub metrics: Option<Metrics>,
}

/// The dimensions of the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function: String,
    /// `METRICS_PER_TENANT`: whether to add metrics for each tenant, which CloudWatch charges for.
    pub per_tenant: bool,
}

/// The names of the tables (contract, section 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// `TENANTS_TABLE`.
    pub tenants: String,
    /// `CUSTOMERS_TABLE`.
    pub customers: String,
    /// `MEMBERSHIPS_TABLE`.
    pub memberships: String,
    /// `IMPORTS_TABLE`; without it `Idempotency-Key` is not supported.
    pub imports: Option<String>,
}

/// How the values of an identifier are read from its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityLookup {
    /// Several values per PartiQL statement; the values of a rejected statement are read by queries.
    Statement,
    /// One `Query` per value.
    Query,
}

/// When to check which memberships need no write (see [`unchanged`](crate::database)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipUnchanged {
    /// If one call cannot write them all, and a sample shows that checking costs no more than it saves.
    Auto,
    /// For every batch.
    Always,
    /// Never: everything is written.
    Never,
}

/// A missing or invalid variable, which prevents the start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Required variables that are not set, or empty.
    #[error("not set: {}; Lambda and template.yaml set them, on this machine `make local` does", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// The value of a variable is invalid.
    #[error("{name} must be {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// The valid values.
        expected: String,
    },
}

/// The default of `MAX_RECORDS`.
pub const DEFAULT_MAX_RECORDS: usize = 5_000;

/// The default of `MAX_BODY_BYTES`.
pub const DEFAULT_MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The largest payload of a synchronous invocation (AWS Lambda quotas): no body can be larger.
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The most concurrent calls of a kind. Each needs a connection, and Lambda gives a process 1,024 file descriptors (AWS
/// Lambda quotas).
pub const MAX_CONCURRENT_CALLS: usize = 200;

impl Config {
    /// The default settings with these tables.
    pub fn new(tables: Tables) -> Self {
        Self {
            tables,
            max_records: DEFAULT_MAX_RECORDS,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            token_cache: Duration::from_secs(60),
            deadline_margin: Duration::from_millis(1_500),
            identity_lookup: IdentityLookup::Statement,
            skip_unchanged: SkipUnchanged::Auto,
            lookup_concurrency: 32,
            write_concurrency: 32,
            concurrent_requests: 1,
            metrics: None,
        }
    }

    /// Reads the environment of the process.
    ///
    /// # Errors
    /// A required variable is missing, also of those that Lambda sets, or a value is invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&Environment(&|name| std::env::var_os(name)))
    }
}

/// Lambda's variable for the log format.
pub const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// Whether a value of [`LOG_FORMAT`] means JSON.
pub fn is_json(format: &str) -> bool {
    format.eq_ignore_ascii_case("json")
}
