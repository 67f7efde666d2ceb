//! One call to DynamoDB: in time or not at all, and its failure in the log.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::warn;

use super::Session;
use crate::deadline::Deadline;
use crate::failure::Outage;

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

tokio::task_local! {
    /// The deadline of the call that the SDK is working on, for [`Gate`].
    static DEADLINE: Deadline;
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
        let request = DEADLINE.scope(self.deadline, request);
        match tokio::time::timeout_at(self.deadline.no_more_waiting(), request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.judge(operation, &error)),
            Err(_) => Err(CallError::Outage(Outage::Timeout)),
        }
    }

    fn judge<E>(&self, operation: &'static str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // A service's message can quote what was sent, a raw answer holds customers: neither is logged.
        let cause = match error {
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) | SdkError::TimeoutError(_) => {
                Some(chain(error))
            }
            _ => None,
        };
        let code = error.code();
        warn!(operation, code, cause, aws_request_id = error.request_id(), "database call failed");
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

/// Stops the SDK from making a further attempt at a call when the time for calls is over.
#[derive(Debug)]
pub(super) struct Gate;

#[derive(Debug, thiserror::Error)]
#[error("no time left for an attempt")]
struct Closed;

impl Intercept for Gate {
    fn name(&self) -> &'static str {
        "Gate"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match DEADLINE.try_with(Deadline::allows_calls) {
            Ok(false) => Err(Closed.into()),
            Ok(true) | Err(_) => Ok(()),
        }
    }
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
