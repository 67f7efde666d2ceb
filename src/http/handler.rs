//! How a request is processed: the checks in the contract's order (section 2), then the import.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lambda_http::Context;
use tracing::error;

use crate::config::{Config, MAX_PAYLOAD_BYTES};
use crate::database::claim::Claim;
use crate::database::{Database, ImportKey, Session, Tally, TenantError};
use crate::deadline::Deadline;
use crate::http::envelope::{self, ImportResult, Response};
use crate::http::event::{Event, Header, Reply};
use crate::http::rejection::{ADDRESS, Rejection};
use crate::import::{Ended, Import, ImportError, Run};
use crate::request::idempotency_key::IdempotencyKey;
use crate::request::params::ParameterError;
use crate::request::{ImportRequest, RequestError};
use crate::telemetry::summary::{Completion, Figures, Summary};
use crate::tenant::{Denial, TenantCache, TenantId, TokenHash};

/// The address that the platform has retired (the platform's page).
const RETIRED_ADDRESS: &str = "/api/integrate/audience/group/batchAdd";

/// The function's state across requests.
pub struct Handler {
    config: Config,
    database: Database,
    tenants: TenantCache,
    /// Whether a request was processed before.
    warm: AtomicBool,
}

impl Handler {
    /// A handler with these settings on this database.
    pub fn new(config: Config, database: Database) -> Self {
        let tenants = TenantCache::new(config.token_cache);
        Self { config, database, tenants, warm: AtomicBool::new(false) }
    }

    /// Returns a response to any event, also after a panic.
    pub async fn handle(&self, event: Event, context: &Context) -> Reply {
        let started = Instant::now();
        let tally = Tally::default();
        let cold_start = !self.warm.swap(true, Ordering::Relaxed);
        let mut summary = Summary { cold_start, ..Summary::default() };
        let response = guard(self.response(&event, context, &tally, &mut summary).boxed())
            .await
            .unwrap_or_else(|rejection| Response::rejection(&rejection));
        let completion = Completion {
            request_id: &context.request_id,
            status: response.status.as_u16(),
            error_code: response.code,
            duration: started.elapsed(),
        };
        summary.write(&completion, &tally.usage(), self.config.metrics.as_ref());
        event.reply(response)
    }

    async fn response(
        &self,
        event: &Event,
        context: &Context,
        tally: &Tally,
        summary: &mut Summary,
    ) -> Result<Response, Rejection> {
        route(&event.path, &event.method)?;
        let deadline = Deadline::new(context.deadline, self.config.deadline_margin);
        let session = self.database.session(deadline, tally);
        let tenant = &self.authenticate(session, event.header("x-token")).await?;
        summary.tenant = Some(tenant.clone());
        require_json(event.header("content-type"))?;
        let body = event.body.as_deref().ok_or(Rejection::NotJson)?;
        let (request, room_for_matches) = &self.parse(body)?;
        summary.request = Some((request.params, request.records.len()));
        let key = idempotency_key(event.header("idempotency-key"))?;

        let import =
            Import { session, tenant, id: &context.request_id, request, room_for_matches: *room_for_matches };
        let ended = match &key {
            // A dry run changes nothing and may be repeated, so its key is ignored.
            Some(key) if !request.params.dry_run => {
                let table = self.config.tables.imports.as_deref().ok_or_else(keys_not_supported)?;
                import.run_once(ImportKey { table, tenant, key }, &Claim::new(body, &deadline)).await
            }
            _ => import.run().await.map(Ended::Ran),
        };
        let ended = ended.map_err(|error| match error {
            ImportError::ResponseTooLarge => Rejection::ResponseTooLarge(MAX_PAYLOAD_BYTES),
            ImportError::KeyReused => Rejection::KeyReused,
            ImportError::KeyUnchecked(_) => Rejection::Unavailable,
            ImportError::OutcomeUnreadable => {
                error!(%error, "replay failed");
                Rejection::Internal
            }
        })?;
        Ok(match &ended {
            Ended::Ran(Run { report, matched }) => {
                summary.figures = Some(Figures::new(*matched, report));
                Response::result(&ImportResult::new(request, report))
            }
            Ended::Replayed(report) => {
                summary.replayed = true;
                Response::replay(&ImportResult::new(request, report))
            }
            Ended::InProgress => Response::in_progress(),
        })
    }

    async fn authenticate(&self, session: Session<'_>, token: Header<'_>) -> Result<TenantId, Rejection> {
        let Header::Value(token) = token else { return Err(Rejection::Token) };
        if token.trim().is_empty() {
            return Err(Rejection::Token);
        }
        let token = TokenHash::of(token);
        if let Some(tenant) = self.tenants.get(&token, SystemTime::now()) {
            return Ok(tenant);
        }
        let requested_at = SystemTime::now();
        let tenant = session.tenant(&token).await.map_err(|error| match error {
            TenantError::Outage(_) => Rejection::Unavailable,
            TenantError::Malformed(_) => {
                error!(%error, "tenant cannot be let in");
                Rejection::Internal
            }
        })?;
        let tenant = tenant.ok_or(Rejection::Token)?;
        let id = tenant
            .authorise(SystemTime::now())
            .map_err(|denial| match denial {
                Denial::Expired => Rejection::Token,
                Denial::Forbidden => Rejection::Forbidden,
            })?
            .clone();
        self.tenants.insert(token, tenant, requested_at);
        Ok(id)
    }

    /// Parses a body; returns the request, and how many bytes its response has left for `matches`.
    fn parse<'b>(&self, body: &'b [u8]) -> Result<(ImportRequest<'b>, usize), Rejection> {
        let Config { max_body_bytes, max_records, .. } = self.config;
        if body.len() > max_body_bytes {
            return Err(Rejection::BodyTooLarge(max_body_bytes));
        }
        let request = ImportRequest::parse(body, max_records).map_err(|error| match error {
            RequestError::NotJson => Rejection::NotJson,
            RequestError::TooManyRecords => Rejection::TooManyRecords(max_records),
            RequestError::Parameter(error) => Rejection::Parameter(error),
        })?;
        let room = envelope::room_for_matches(body.len(), &request)
            .ok_or(Rejection::ResponseTooLarge(MAX_PAYLOAD_BYTES))?;
        Ok((request, room))
    }
}

/// Turns a panic into an internal error. The future is boxed because it is large, and its type too
/// deeply nested for the compiler.
async fn guard(response: BoxFuture<'_, Result<Response, Rejection>>) -> Result<Response, Rejection> {
    AssertUnwindSafe(response).catch_unwind().await.unwrap_or(Err(Rejection::Internal))
}

/// Accepts `POST` to the address, with an optional stage and an optional trailing slash.
fn route(path: &str, method: &str) -> Result<(), Rejection> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if is_address(path, RETIRED_ADDRESS) {
        Err(Rejection::Retired)
    } else if !is_address(path, ADDRESS) {
        Err(Rejection::NotFound)
    } else if method != "POST" {
        Err(Rejection::MethodNotAllowed)
    } else {
        Ok(())
    }
}

/// Whether `path` is `address`, possibly after a stage of one segment.
fn is_address(path: &str, address: &str) -> bool {
    match path.strip_suffix(address) {
        Some("") => true,
        Some(prefix) => {
            prefix.strip_prefix('/').is_some_and(|stage| !stage.is_empty() && !stage.contains('/'))
        }
        None => false,
    }
}

/// The key of a request, if any.
///
/// # Errors
/// The key is invalid, or there are several different ones.
pub fn idempotency_key(header: Header<'_>) -> Result<Option<IdempotencyKey>, ParameterError> {
    let key = match header {
        Header::Absent => return Ok(None),
        Header::Value(text) => IdempotencyKey::parse(text),
        Header::Several => None,
    };
    key.map(Some).ok_or_else(|| ParameterError::new("Idempotency-Key", "1到255个可见ASCII字符"))
}

fn keys_not_supported() -> ParameterError {
    ParameterError::new("Idempotency-Key", "不带此请求头，本服务未启用重试保护")
}

/// Accepts JSON, and a request without a content type.
fn require_json(content_type: Header<'_>) -> Result<(), Rejection> {
    let media_type = match content_type {
        Header::Absent => return Ok(()),
        Header::Value(value) => value.split(';').next().unwrap_or_default().trim(),
        Header::Several => return Err(Rejection::UnsupportedMediaType),
    };
    let is_json = media_type.eq_ignore_ascii_case("application/json");
    if is_json { Ok(()) } else { Err(Rejection::UnsupportedMediaType) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_allows_a_stage_and_a_slash() {
        for path in
            [ADDRESS.to_owned(), format!("{ADDRESS}/"), format!("/prod{ADDRESS}"), format!("/v1{ADDRESS}/")]
        {
            assert_eq!(route(&path, "POST"), Ok(()), "{path}");
            assert_eq!(route(&path, "GET"), Err(Rejection::MethodNotAllowed), "{path}");
            assert_eq!(route(&path, "post"), Err(Rejection::MethodNotAllowed), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_found() {
        let paths = [
            String::new(),
            "/".to_owned(),
            ADDRESS.to_uppercase(),
            format!("{ADDRESS}//"),
            format!("{ADDRESS}/x"),
            format!("/{ADDRESS}"),
            format!("/a/b{ADDRESS}"),
            format!("x{ADDRESS}"),
            ADDRESS[1..].to_owned(),
        ];
        for path in paths {
            assert_eq!(route(&path, "POST"), Err(Rejection::NotFound), "{path}");
        }
    }

    #[test]
    fn retired_address_is_not_found() {
        for path in [RETIRED_ADDRESS.to_owned(), format!("/prod{RETIRED_ADDRESS}/")] {
            for method in ["POST", "GET"] {
                assert_eq!(route(&path, method), Err(Rejection::Retired), "{method} {path}");
            }
        }
        assert!(Rejection::Retired.message().contains(ADDRESS));
    }

    #[test]
    fn content_type_is_json_or_absent() {
        let accepted = |header| require_json(header).is_ok();
        assert!(accepted(Header::Absent));
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            " application/json ;x",
        ] {
            assert!(accepted(Header::Value(value)), "{value}");
        }
        for value in
            ["", "text/plain", "application/jsonp", "text/json", "application/x-www-form-urlencoded", ";"]
        {
            assert!(!accepted(Header::Value(value)), "{value}");
        }
        assert!(!accepted(Header::Several));
    }

    #[test]
    fn idempotency_key_is_one_valid_value() {
        let key = |header| idempotency_key(header).map(|key| key.is_some());
        assert_eq!(key(Header::Absent), Ok(false));
        assert_eq!(key(Header::Value("k")), Ok(true));
        for header in [Header::Value("not visible"), Header::Value(""), Header::Several] {
            assert_eq!(key(header).map_err(|error| error.field), Err("Idempotency-Key".to_owned()));
        }
    }

    #[tokio::test]
    async fn panics_are_internal_errors() {
        let response = guard(async { panic!("test panic") }.boxed()).await;
        assert_eq!(response, Err(Rejection::Internal));
    }
}
