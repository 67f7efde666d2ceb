//! The way of a request: the checks in the contract's order (section 2), then the import.

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

/// The address that the platform gave up (the platform's page).
const RETIRED_ADDRESS: &str = "/api/integrate/audience/group/batchAdd";

/// The function: everything that outlives a request.
pub struct Handler {
    config: Config,
    database: Database,
    tenants: TenantCache,
    /// Whether a request came before.
    warm: AtomicBool,
}

impl Handler {
    /// A handler with these settings on this database.
    pub fn new(config: Config, database: Database) -> Self {
        let tenants = TenantCache::new(config.token_cache);
        Self { config, database, tenants, warm: AtomicBool::new(false) }
    }

    /// Answers one event, whatever it holds and whatever happens.
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
        let (request, room_for_matches) = &self.read(body)?;
        summary.asked = Some((request.params, request.records.len()));
        let key = idempotency_key(event.header("idempotency-key"))?;

        let import =
            Import { session, tenant, id: &context.request_id, request, room_for_matches: *room_for_matches };
        let ended = match &key {
            // A dry run changes nothing, so it needs no protection from being run twice.
            Some(key) if !request.params.dry_run => {
                let table = self.config.tables.imports.as_deref().ok_or_else(keys_not_taken)?;
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
                summary.ended = Some(Figures::new(*matched, report));
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
        let asked = SystemTime::now();
        let tenant = session.tenant(&token).await.map_err(|error| match error {
            TenantError::Outage(_) => Rejection::Unavailable,
            TenantError::Malformed(_) => {
                error!(%error, "tenant cannot be let in");
                Rejection::Internal
            }
        })?;
        let tenant = tenant.ok_or(Rejection::Token)?;
        let id = tenant
            .admit(SystemTime::now())
            .map_err(|denial| match denial {
                Denial::Expired => Rejection::Token,
                Denial::Forbidden => Rejection::Forbidden,
            })?
            .clone();
        self.tenants.remember(token, tenant, asked);
        Ok(id)
    }

    /// The request in a body, and how much room its response has for `matches`.
    fn read<'b>(&self, body: &'b [u8]) -> Result<(ImportRequest<'b>, usize), Rejection> {
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

/// Turns a panic into the rejection for a defect. Boxed: the future of a whole request is large, and
/// its type too deep for the compiler.
async fn guard(response: BoxFuture<'_, Result<Response, Rejection>>) -> Result<Response, Rejection> {
    AssertUnwindSafe(response).catch_unwind().await.unwrap_or(Err(Rejection::Internal))
}

/// Lets `POST` to the address through, with or without a stage in front and a slash at the end.
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

/// Whether `path` is `address`, perhaps behind a stage: one segment.
fn is_address(path: &str, address: &str) -> bool {
    match path.strip_suffix(address) {
        Some("") => true,
        Some(prefix) => {
            prefix.strip_prefix('/').is_some_and(|stage| !stage.is_empty() && !stage.contains('/'))
        }
        None => false,
    }
}

/// The key that a request carries, if any.
///
/// # Errors
/// The header is not of its form, or there are several that differ.
pub fn idempotency_key(header: Header<'_>) -> Result<Option<IdempotencyKey>, ParameterError> {
    let key = match header {
        Header::Absent => return Ok(None),
        Header::Value(text) => IdempotencyKey::parse(text),
        Header::Several => None,
    };
    key.map(Some).ok_or_else(|| ParameterError::new("Idempotency-Key", "1到255个可见ASCII字符"))
}

fn keys_not_taken() -> ParameterError {
    ParameterError::new("Idempotency-Key", "不带此请求头，本服务未启用重试保护")
}

/// Lets JSON through, and a request that does not say what its body is.
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
    fn the_address_may_stand_behind_a_stage_and_before_a_slash() {
        for path in
            [ADDRESS.to_owned(), format!("{ADDRESS}/"), format!("/prod{ADDRESS}"), format!("/v1{ADDRESS}/")]
        {
            assert_eq!(route(&path, "POST"), Ok(()), "{path}");
            assert_eq!(route(&path, "GET"), Err(Rejection::MethodNotAllowed), "{path}");
            assert_eq!(route(&path, "post"), Err(Rejection::MethodNotAllowed), "{path}");
        }
    }

    #[test]
    fn every_other_path_is_not_found() {
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
    fn the_retired_address_is_not_found_by_any_method() {
        for path in [RETIRED_ADDRESS.to_owned(), format!("/prod{RETIRED_ADDRESS}/")] {
            for method in ["POST", "GET"] {
                assert_eq!(route(&path, method), Err(Rejection::Retired), "{method} {path}");
            }
        }
        assert!(Rejection::Retired.message().contains(ADDRESS));
    }

    #[test]
    fn json_and_what_does_not_say_otherwise_passes() {
        let passes = |header| require_json(header).is_ok();
        assert!(passes(Header::Absent));
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            " application/json ;x",
        ] {
            assert!(passes(Header::Value(value)), "{value}");
        }
        for value in
            ["", "text/plain", "application/jsonp", "text/json", "application/x-www-form-urlencoded", ";"]
        {
            assert!(!passes(Header::Value(value)), "{value}");
        }
        assert!(!passes(Header::Several));
    }

    #[test]
    fn a_key_is_one_value_of_its_form() {
        let key = |header| idempotency_key(header).map(|key| key.is_some());
        assert_eq!(key(Header::Absent), Ok(false));
        assert_eq!(key(Header::Value("k")), Ok(true));
        for header in [Header::Value("not visible"), Header::Value(""), Header::Several] {
            assert_eq!(key(header).map_err(|error| error.field), Err("Idempotency-Key".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_panic_ends_as_the_answer_for_a_defect() {
        let response = guard(async { panic!("a defect, as a test makes it") }.boxed()).await;
        assert_eq!(response, Err(Rejection::Internal));
    }
}
