//! One call to DynamoDB: bounded by the deadline, counted, and logged if it fails.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Deserialize;
use tracing::warn;

use super::Session;
use super::usage::Tally;
use crate::deadline::Deadline;
use crate::request::failure::Outage;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// The database rejected the request (`ValidationException`); it may accept the same items in
    /// other requests.
    Invalid,
    /// The function lacks the permission for the request (`AccessDeniedException`).
    Denied,
    /// The database did not respond, or responded with another error.
    Outage(Outage),
}

impl From<CallError> for Outage {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Invalid | CallError::Denied => Outage::StoreError,
            CallError::Outage(outage) => outage,
        }
    }
}

/// The call that the SDK is executing, for [`Attempts`].
#[derive(Clone)]
struct Call {
    operation: &'static str,
    deadline: Deadline,
    tally: Tally,
}

tokio::task_local! {
    static CALL: Call;
}

impl Session<'_> {
    /// Sends a request and waits for its response, both within the deadline.
    pub(super) async fn call<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if !self.deadline.allows_calls() {
            return Err(CallError::Outage(Outage::Timeout));
        }
        let call = Call { operation, deadline: self.deadline, tally: self.tally.clone() };
        let request = CALL.scope(call, request);
        match tokio::time::timeout_at(self.deadline.no_more_waiting(), request).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(self.classify(operation, &error)),
            Err(_) => {
                if self.tally.failed(operation, "cut off") {
                    warn!(operation, "database call cut off");
                }
                Err(CallError::Outage(Outage::Timeout))
            }
        }
    }

    fn classify<E>(&self, operation: &'static str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // Not logged: a service's message can quote the request, and a raw response contains customers.
        let (kind, cause) = match error {
            SdkError::ConstructionFailure(_) => ("not made", Some(error_chain(error))),
            SdkError::TimeoutError(_) => ("timed out", Some(error_chain(error))),
            SdkError::DispatchFailure(_) => ("not sent", Some(error_chain(error))),
            _ => ("not understood", None),
        };
        let code = error.code();
        // An outage fails hundreds of calls alike: only the first is logged, the summary counts them.
        if self.tally.failed(operation, code.unwrap_or(kind)) {
            warn!(operation, code, cause, aws_request_id = error.request_id(), "database call failed");
        }
        match code {
            Some("ValidationException") => CallError::Invalid,
            Some("AccessDeniedException") => CallError::Denied,
            _ if self.deadline.allows_calls() => CallError::Outage(Outage::StoreError),
            _ => CallError::Outage(Outage::Timeout),
        }
    }
}

fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("BUG: a String takes any text");
        source = cause.source();
    }
    text
}

/// Counts the SDK's attempts at a call, and prevents further ones after the deadline for new calls.
#[derive(Debug)]
pub(super) struct Attempts;

#[derive(Debug, thiserror::Error)]
#[error("no time left for an attempt")]
struct OutOfTime;

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
            Ok(false) => Err(OutOfTime.into()),
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

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() && response.body().bytes().is_some_and(is_throttling) {
            let _ = CALL.try_with(|call| call.tally.throttled());
        }
        Ok(())
    }
}

/// Whether an error's body contains one of DynamoDB's throttling codes (DynamoDB developer guide,
/// error handling).
fn is_throttling(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Error<'e> {
        #[serde(rename = "__type", borrow)]
        code: Cow<'e, str>,
    }
    let Ok(Error { code }) = serde_json::from_slice(body) else { return false };
    let code = code.rsplit('#').next().unwrap_or_default();
    matches!(code, "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded")
}

/// Runs jobs, at most `bound` at a time, and returns their results in order of completion.
///
/// Not `StreamExt::buffer_unordered`: the compiler cannot prove its future `Send` when jobs borrow
/// (rust-lang/rust#102211).
pub(super) async fn at_most<J, F: Future>(
    bound: usize,
    jobs: Vec<J>,
    mut work: impl FnMut(J) -> F,
) -> Vec<F::Output> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    let mut running: FuturesUnordered<F> = jobs.by_ref().take(bound).map(&mut work).collect();
    while let Some(result) = running.next().await {
        results.push(result);
        running.extend(jobs.next().map(&mut work));
    }
    results
}

/// The pauses before a call is repeated for its unprocessed items: exponential, with full jitter.
#[derive(Default)]
pub(super) struct Backoff {
    pauses: u32,
}

impl Backoff {
    const INITIAL: Duration = Duration::from_millis(50);
    const MAX: Duration = Duration::from_secs(1);
    /// Consecutive pauses without progress before giving up: about three seconds on average.
    const MAX_PAUSES: u32 = 8;

    /// Pauses. Fails after too many pauses without `progress`, or if no call may start after the
    /// pause.
    pub(super) async fn pause(&mut self, progress: bool, deadline: Deadline) -> Result<(), Outage> {
        if progress {
            self.pauses = 0;
        }
        if self.pauses == Self::MAX_PAUSES {
            return Err(Outage::StoreError);
        }
        let bound = (Self::INITIAL * 2u32.pow(self.pauses)).min(Self::MAX);
        let pause = bound.mul_f64(fastrand::f64());
        self.pauses += 1;
        if !deadline.allows_calls_in(pause) {
            return Err(Outage::Timeout);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
