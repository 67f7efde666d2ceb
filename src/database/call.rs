//! One call to DynamoDB: in time or not at all, counted, and its failure in the log.

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

/// Why a call brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// The database does not take the request as it is (`ValidationException`): it may take the
    /// same in other requests.
    Invalid,
    /// The function may not make such requests (`AccessDeniedException`).
    Denied,
    /// The database gave no answer.
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

/// The call that the SDK is working on, for [`Attempts`].
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
    /// Sends a request, unless the time for calls is over, and waits for its answer as long as
    /// there is time to.
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
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.judge(operation, &error)),
            Err(_) => {
                if self.tally.failed(operation, "cut off") {
                    warn!(operation, "database call cut off");
                }
                Err(CallError::Outage(Outage::Timeout))
            }
        }
    }

    fn judge<E>(&self, operation: &'static str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // A service's message can quote what was sent, a raw answer holds customers: neither is logged.
        let (kind, cause) = match error {
            SdkError::ConstructionFailure(_) => ("not made", Some(chain(error))),
            SdkError::TimeoutError(_) => ("timed out", Some(chain(error))),
            SdkError::DispatchFailure(_) => ("not sent", Some(chain(error))),
            _ => ("not understood", None),
        };
        let code = error.code();
        // An outage fails hundreds of calls alike: the summary has their number.
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

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("BUG: a String takes any text");
        source = cause.source();
    }
    text
}

/// Watches the SDK's attempts at a call: counts them, and stops it from making a further one when
/// the time for calls is over.
#[derive(Debug)]
pub(super) struct Attempts;

#[derive(Debug, thiserror::Error)]
#[error("no time left for an attempt")]
struct Closed;

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
            Ok(false) => Err(Closed.into()),
            Ok(true) | Err(_) => Ok(()),
        }
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Outside of a call nobody counts.
        let _ = CALL.try_with(|call| call.tally.sent(call.operation));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        if !answer.status().is_success() && answer.body().bytes().is_some_and(is_throttling) {
            let _ = CALL.try_with(|call| call.tally.throttled());
        }
        Ok(())
    }
}

/// Whether an error's body names one of DynamoDB's codes for a lack of throughput (DynamoDB
/// developer guide, error handling).
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

/// Does jobs, up to `bound` at a time, and gives their results in the order in which they ended.
///
/// A loop where `StreamExt::buffer_unordered` would do, because the compiler cannot prove the
/// latter's future `Send` when jobs borrow (rust-lang/rust#102211).
pub(super) async fn at_most<J, F: Future>(
    bound: usize,
    jobs: Vec<J>,
    mut work: impl FnMut(J) -> F,
) -> Vec<F::Output> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    let mut under_way: FuturesUnordered<F> = jobs.by_ref().take(bound).map(&mut work).collect();
    while let Some(result) = under_way.next().await {
        results.push(result);
        under_way.extend(jobs.next().map(&mut work));
    }
    results
}

/// The pauses before asking again for what a call left unprocessed, doubling, with full jitter.
#[derive(Default)]
pub(super) struct Backoff {
    pauses: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    /// Pauses without progress before giving up: about three seconds on average.
    const MOST: u32 = 8;

    /// Pauses, or says why there is no point in it: after enough pauses without `progress`, or when
    /// the time for calls would be over.
    pub(super) async fn pause(&mut self, progress: bool, deadline: Deadline) -> Result<(), Outage> {
        if progress {
            self.pauses = 0;
        }
        if self.pauses == Self::MOST {
            return Err(Outage::StoreError);
        }
        let bound = (Self::FIRST * 2u32.pow(self.pauses)).min(Self::LONGEST);
        let pause = bound.mul_f64(fastrand::f64());
        self.pauses += 1;
        if !deadline.allows_calls_in(pause) {
            return Err(Outage::Timeout);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
