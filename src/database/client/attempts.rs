//! The SDK's attempts at a call: counted, ended by the deadline, and not repeated where the database throttles.

use std::borrow::Cow;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, InterceptorContext,
};
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use serde::Deserialize;

use super::usage::Tally;
use crate::deadline::Deadline;

/// The call that the SDK is executing, for [`Attempts`].
#[derive(Clone)]
pub struct Call {
    pub operation: &'static str,
    pub deadline: Deadline,
    pub tally: Tally,
}

tokio::task_local! {
    pub static CALL: Call;
}

/// Counts the SDK's attempts at a call, prevents further ones after the deadline for new calls, and takes no empty
/// response for a success.
#[derive(Debug)]
pub struct Attempts;

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match CALL.try_with(|call| call.deadline.allows_calls()) {
            Ok(false) => Err("no time left for an attempt".into()),
            Ok(true) | Err(_) => Ok(()),
        }
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Requests outside a call are not counted.
        let _ = CALL.try_with(|call| call.tally.sent(call.operation));
        Ok(())
    }

    /// The SDK reads an empty body as `{}`: as nothing found, or everything written. DynamoDB sends these two bytes.
    /// Before this step the body is a stream, whose size is not known.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.response().body().bytes() {
            Some([]) if context.response().status().is_success() => Err("the response is empty".into()),
            _ => Ok(()),
        }
    }
}

/// Which attempts are repeated beside those that the SDK repeats by itself: what was not understood on its way, as any
/// call may be sent twice. Throttled calls are left to this program, which repeats them at the pace that the table can
/// bear: the SDK would give up after four attempts.
#[derive(Debug)]
pub struct Repeats;

impl ClassifyRetry for Repeats {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if is_throttled(response) => RetryAction::RetryForbidden,
            Some(response) if NOT_READ.contains(&response.status().as_u16()) => {
                RetryAction::transient_error()
            }
            None if matches!(context.output_or_error(), Some(Err(error)) if error.is_connector_error()) => {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Repeats"
    }
}

/// The statuses of a request that was not read: from something in front of DynamoDB (RFC 9110, section 15.5.9; RFC 8470).
const NOT_READ: [u16; 2] = [408, 425];

/// DynamoDB's codes for throttling (DynamoDB developer guide, error handling).
const THROTTLING: [&str; 3] =
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];

/// Whether an error's code means throttling.
pub fn is_throttling_code(code: &str) -> bool {
    THROTTLING.contains(&code)
}

/// Whether a response is an error with such a code.
fn is_throttled(response: &HttpResponse) -> bool {
    #[derive(Deserialize)]
    struct Error<'e> {
        #[serde(rename = "__type", borrow)]
        code: Cow<'e, str>,
    }
    let error = response.body().bytes().filter(|_| !response.status().is_success());
    let error = error.and_then(|body| serde_json::from_slice::<Error<'_>>(body).ok());
    let code = error.as_ref().and_then(|Error { code }| code.rsplit('#').next()?.split(':').next());
    code.is_some_and(is_throttling_code)
}
