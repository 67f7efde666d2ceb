//! One call to DynamoDB: bounded by the deadline, counted, and logged if it fails.

use std::error::Error;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use tokio::time::Instant;
use tracing::warn;

use super::attempts::{CALL, Call, is_throttling_code};
use super::pace::{Pace, Started};
use super::usage::Tally;
use crate::deadline::Deadline;
use crate::request::failure::Outage;

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub enum CallError {
    /// The database rejected a statement, with this code: for its form, for lack of permission, or because it has no
    /// PartiQL. Queries may be accepted.
    NoStatement(String),
    /// The database throttled the call (contract, section 5: that is not a failure).
    Throttled,
    /// The database did not respond, or responded with another error.
    Outage(Outage),
}

/// PartiQL's operation. A statement that is rejected is replaced by queries.
pub const EXECUTE_STATEMENT: &str = "ExecuteStatement";

/// The status of throttling by something in front of DynamoDB (RFC 6585).
const TOO_MANY_REQUESTS: u16 = 429;

/// The status by which some implementations of DynamoDB say that they lack an operation.
const NOT_IMPLEMENTED: u16 = 501;

impl From<CallError> for Outage {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoStatement(_) => Outage::StoreError,
            // Such a call is repeated until the time for calls is over.
            CallError::Throttled => Outage::Timeout,
            CallError::Outage(outage) => outage,
        }
    }
}

/// The calls of one invocation: within its deadline, and counted in its tally.
#[derive(Clone, Copy)]
pub struct Calls<'i> {
    pub deadline: Deadline,
    pub tally: &'i Tally,
    /// Counts those that wait for their turn, where that matters.
    pub waiting: Option<&'i AtomicUsize>,
    /// How often [`send`](Self::send) attempts a call that is throttled. Of a single attempt the pace learns nothing.
    pub attempts: usize,
}

impl Calls<'_> {
    /// Waits until a call may start at this pace.
    ///
    /// # Errors
    /// None may start before `end`.
    pub async fn turn(&self, pace: &Pace, end: Instant) -> Result<Started, Outage> {
        self.waiting.inspect(|waiting| _ = waiting.fetch_add(1, Ordering::Relaxed));
        let started = pace.ready(end).await;
        self.waiting.inspect(|waiting| _ = waiting.fetch_sub(1, Ordering::Relaxed));
        started
    }

    /// Sends a request at this pace until it is not throttled, as often as is allowed, within the deadline.
    pub async fn send<T, E, F>(
        &self,
        pace: &Pace,
        operation: &'static str,
        mut request: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let is_recorded = self.attempts > 1;
        for _ in 0..self.attempts {
            let started = self.turn(pace, self.deadline.no_new_calls).await.map_err(CallError::Outage)?;
            match self.call(operation, request()).await {
                Err(CallError::Throttled) if is_recorded => pace.record(started, 0.0),
                Err(CallError::Throttled) => {}
                Ok(output) => {
                    if is_recorded {
                        pace.record(started, 1.0);
                    }
                    return Ok(output);
                }
                Err(error) => return Err(error),
            }
        }
        Err(CallError::Throttled)
    }

    /// Sends a request and waits for its response, both within the deadline.
    pub fn call<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> impl Future<Output = Result<T, CallError>>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // The SDK's future has kilobytes, which would be copied with each future that contains it.
        let request = Box::pin(request);
        async move {
            if !self.deadline.allows_calls() {
                return Err(CallError::Outage(Outage::Timeout));
            }
            let call = Call { operation, deadline: self.deadline, tally: self.tally.clone() };
            let request = CALL.scope(call, request);
            match tokio::time::timeout_at(self.deadline.no_more_waiting, request).await {
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
    }

    fn classify<E>(&self, operation: &'static str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (kind, cause) = kind_and_cause(error);
        let code = error.code();
        let status = error.raw_response().map(|response| response.status().as_u16());
        if code.is_some_and(is_throttling_code) || status == Some(TOO_MANY_REQUESTS) {
            self.tally.throttled();
            return CallError::Throttled;
        }
        // A rejected statement is counted and logged where it is replaced by queries.
        if operation == EXECUTE_STATEMENT && matches!(status, Some(400..=499 | NOT_IMPLEMENTED)) {
            return CallError::NoStatement(code.unwrap_or("none").to_owned());
        }
        // An outage fails hundreds of calls alike: only the first is logged, the summary counts them.
        if self.tally.failed(operation, code.unwrap_or(kind)) {
            warn!(operation, code, cause, aws_request_id = error.request_id(), "database call failed");
        }
        CallError::Outage(if self.deadline.allows_calls() { Outage::StoreError } else { Outage::Timeout })
    }
}

/// What happened to a call whose error has no code, and why, as far as it may be logged: a service's message can quote
/// the request, and a raw response contains customers.
fn kind_and_cause<E: Error + 'static>(error: &SdkError<E>) -> (&'static str, Option<String>) {
    match error {
        SdkError::TimeoutError(_) => ("timed out", Some(error_chain(error))),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ("timed out", Some(error_chain(error))),
        SdkError::DispatchFailure(_) => ("not sent", Some(error_chain(error))),
        _ => ("not understood", None),
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

#[cfg(test)]
mod tests {
    use std::io;

    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::ConnectorError;

    use super::*;

    #[test]
    fn only_causes_without_data_are_logged() {
        type Failed = SdkError<io::Error>;
        let source = || io::Error::other("the source").into();
        let response = || HttpResponse::new(500.try_into().expect("a status"), "customers".into());
        for (error, kind, is_logged) in [
            (Failed::timeout_error(source()), "timed out", true),
            (Failed::dispatch_failure(ConnectorError::timeout(source())), "timed out", true),
            (Failed::dispatch_failure(ConnectorError::io(source())), "not sent", true),
            (Failed::response_error(source(), response()), "not understood", false),
            (Failed::service_error(io::Error::other("customers"), response()), "not understood", false),
        ] {
            let (found, cause) = kind_and_cause(&error);
            assert_eq!((found, cause.is_some()), (kind, is_logged));
            assert!(cause.is_none_or(|cause| cause.ends_with(": the source")));
        }
    }
}
