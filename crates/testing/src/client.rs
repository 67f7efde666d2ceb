//! The SDK's client of a local database.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{self, BehaviorVersion, Credentials, Region};

use crate::embedded::{ACCESS_KEY, REGION};

/// A client of the local database at `endpoint`. It reads neither the environment nor a profile, so it cannot reach
/// an AWS account by mistake.
pub fn client(endpoint: &str) -> Client {
    Client::from_conf(settings(endpoint).build())
}

/// The settings of [`client`].
#[expect(
    deprecated,
    reason = "later behaviour versions send requests for 127.0.0.1, too, through the proxy that HTTP_PROXY names"
)]
pub fn settings(endpoint: &str) -> config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2025_01_17())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "local"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}
