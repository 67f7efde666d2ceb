//! How a request is processed: the checks in the contract's order (section 2), then the import.

use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lambda_http::Context;
use tracing::{error, warn};

use crate::config::{Config, MAX_PAYLOAD_BYTES};
use crate::database::{Claim, Database, Key, Session, Tally, TenantError};
use crate::deadline::Deadline;
use crate::http::envelope::{self, Data, MOST_RECORDS, Response};
use crate::http::event::{Event, Header};
use crate::http::incoming::{DirectEvent, Incoming};
use crate::http::preconditions::{idempotency_key, once, require_json, route};
use crate::http::reply::{FailedInvocation, Reply};
use crate::import::{Ended, Import, Run};
use crate::rejection::Rejection;
use crate::request::Request;
use crate::telemetry::summary::{Figures, Source, Summary};
use crate::tenant::{TenantCache, TenantId, TokenHash};

/// The function's state across requests.
pub struct Handler {
    config: Config,
    database: Database,
    tenants: TenantCache,
    /// Whether a request was processed before.
    warm: AtomicBool,
}

/// One request: its place in time and in the log.
struct Invocation<'i> {
    session: Session<'i>,
    summary: &'i mut Summary,
}

impl Handler {
    /// A handler with these settings on this database. More records than [`MOST_RECORDS`] are never accepted.
    pub fn new(mut config: Config, database: Database) -> Self {
        if config.max_records > MOST_RECORDS {
            warn!(limit = MOST_RECORDS, "MAX_RECORDS is lowered to what a response can hold");
            config.max_records = MOST_RECORDS;
        }
        let tenants = TenantCache::new(config.token_cache);
        Self { config, database, tenants, warm: AtomicBool::new(false) }
    }

    /// Responds to any payload, also after a panic.
    ///
    /// # Errors
    /// The response to a direct event is not a 200.
    pub async fn handle(&self, incoming: Incoming, context: &Context) -> Result<Reply, FailedInvocation> {
        let started = Instant::now();
        let tally = Tally::default();
        let request_id = context.request_id.clone();
        let cold_start = !self.warm.swap(true, Ordering::Relaxed);
        let source = if matches!(incoming, Incoming::Api(_)) { Source::Api } else { Source::Direct };
        let mut summary = Summary { request_id, source, cold_start, ..Summary::default() };
        let deadline = Deadline::new(context.deadline, self.config.deadline_margin);
        let session = self.database.session(deadline, &tally);
        let invocation = Invocation { session, summary: &mut summary };
        let response = match &incoming {
            Incoming::Api(event) => guard(self.api_response(event, invocation).boxed()),
            Incoming::Direct(event) => guard(self.direct_response(event, invocation).boxed()),
            Incoming::Unknown => guard(ready(Err(Rejection::UnknownEvent)).boxed()),
        };
        let response = response.await.unwrap_or_else(|rejection| Response::rejection(&rejection));
        let (status, metrics) = (response.status.as_u16(), self.config.metrics.as_ref());
        summary.write(status, response.code, started.elapsed(), &tally.usage(), metrics);
        match incoming {
            Incoming::Api(event) => Ok(Reply::to_api(response, event.format, &context.request_id)),
            Incoming::Direct(_) | Incoming::Unknown => Reply::to_direct(response),
        }
    }

    async fn api_response(&self, event: &Event, invocation: Invocation<'_>) -> Result<Response, Rejection> {
        invocation.summary.gateway_request_id.clone_from(&event.gateway_request_id);
        route(&event.path, &event.method)?;
        let Header::Value(token) = once(event.header("x-token")) else { return Err(Rejection::Token) };
        if token.trim().is_empty() {
            return Err(Rejection::Token);
        }
        let tenant = self.authenticate(TokenHash::of(token), &invocation).await?;
        invocation.summary.tenant = Some(tenant.clone());
        require_json(event.header("content-type"))?;
        let body = event.body.as_deref().ok_or(Rejection::NotUtf8)?;
        self.import(&tenant, body, event.header("idempotency-key"), invocation).await
    }

    async fn direct_response(
        &self,
        event: &DirectEvent,
        invocation: Invocation<'_>,
    ) -> Result<Response, Rejection> {
        let token = event.token.clone().ok_or(Rejection::Token)?;
        let tenant = self.authenticate(token, &invocation).await?;
        invocation.summary.tenant = Some(tenant.clone());
        let response = self.import(&tenant, event.body.get().as_bytes(), Header::Absent, invocation).await;
        response.map_err(Rejection::anonymous)
    }

    async fn authenticate(
        &self,
        token: TokenHash,
        invocation: &Invocation<'_>,
    ) -> Result<TenantId, Rejection> {
        if let Some(tenant) = self.tenants.get(&token, SystemTime::now()) {
            return Ok(tenant);
        }
        let requested_at = SystemTime::now();
        let tenant = invocation.session.tenant(&token).await.map_err(|error| match error {
            TenantError::Outage(_) => Rejection::Unavailable,
            TenantError::Malformed(_) => {
                error!(%error, "tenant cannot be let in");
                Rejection::Internal
            }
        })?;
        let tenant = tenant.ok_or(Rejection::Token)?;
        let admission = tenant.admit(SystemTime::now())?;
        let tenant = admission.tenant.clone();
        self.tenants.insert(token, admission, requested_at);
        Ok(tenant)
    }

    /// Parses a body; returns the request, and how many bytes its response has left for `matches`.
    fn parse<'b>(&self, body: &'b [u8]) -> Result<(Request<'b>, usize), Rejection> {
        let Config { max_body_bytes, max_records, .. } = self.config;
        let request = Request::parse(body, max_records);
        // What was sent within the limit, and returned, can be sent back.
        let returned = || request.as_ref().map_or(0, Request::returned_bytes);
        if body.len() > max_body_bytes && body.len().saturating_sub(returned()) > max_body_bytes {
            return Err(Rejection::BodyTooLarge(max_body_bytes));
        }
        let request = request?;
        let room = envelope::room_for_matches(body.len(), &request)
            .ok_or(Rejection::ResponseTooLarge(MAX_PAYLOAD_BYTES))?;
        Ok((request, room))
    }

    async fn import(
        &self,
        tenant: &TenantId,
        body: &[u8],
        key: Header<'_>,
        Invocation { session, summary }: Invocation<'_>,
    ) -> Result<Response, Rejection> {
        let (request, room_for_matches) = &self.parse(body)?;
        summary.request = Some((request.params, request.records.len()));
        // A dry run changes nothing and may be repeated, so its key is ignored.
        let key = idempotency_key(key)?.filter(|_| !request.params.dry_run);

        let (id, room_for_matches) = (&*summary.request_id, *room_for_matches);
        let import = Import { session, tenant, id, request, room_for_matches };
        let ended = match &key {
            Some(key) => {
                let table = self.config.tables.imports.as_deref().ok_or(Rejection::KeysNotSupported)?;
                let key = Key { table, tenant, key };
                import.run_once(&Claim::new(key, body, session.deadline())).await
            }
            None => import.run().await.map(Ended::Ran),
        };
        Ok(match &ended? {
            Ended::Ran(Run { report, matched }) => {
                summary.figures = Some(Figures::new(*matched, report));
                Response::result(&Data::new(request, report))
            }
            Ended::Replayed(report) => {
                summary.replayed = true;
                Response::replay(&Data::new(request, report))
            }
            Ended::InProgress => Response::in_progress(),
        })
    }
}

/// Turns a panic into an internal error. The future is boxed because it is large, and its type too
/// deeply nested for the compiler.
async fn guard(response: BoxFuture<'_, Result<Response, Rejection>>) -> Result<Response, Rejection> {
    AssertUnwindSafe(response).catch_unwind().await.unwrap_or(Err(Rejection::Internal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_are_internal_errors() {
        let response = guard(async { panic!("test panic") }.boxed()).await;
        assert_eq!(response, Err(Rejection::Internal));
    }
}
