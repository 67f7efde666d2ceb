//! How calls to DynamoDB are made: over which connections, with which attempts, at which pace, and what is counted.

mod attempts;
mod call;
mod call_rate;
mod connections;
mod pace;
mod usage;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};

use attempts::{Attempts, Repeats};
pub(super) use call::{CallError, Calls, EXECUTE_STATEMENT};
pub(super) use call_rate::accepted_share;
pub use connections::Connections;
pub(super) use pace::Pace;
pub use usage::{Stage, Tally, Usage};

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

/// The client with these settings.
pub(super) fn client(sdk: &SdkConfig) -> Client {
    // An outage would use up the SDK's retry quota (500 per process; a retry costs five, a success
    // returns one), and it would stay used up afterwards. Retries are limited here by the attempts
    // per call, the concurrency and the deadline.
    let retries = RetryPartition::custom("imports").token_bucket(TokenBucket::unlimited()).build();
    let sdk = aws_sdk_dynamodb::config::Builder::from(sdk)
        .retry_partition(retries)
        .retry_classifier(Repeats)
        .interceptor(Attempts);
    Client::from_conf(sdk.build())
}
