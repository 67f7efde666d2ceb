//! One batch on its way: sent until its outcome is known, and what may succeed later sent again.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::backoff::{Backoff, retry_after};
use crate::batch::{self, Batch};
use crate::options::Options;
use crate::pace::{Pace, TIMEOUT};
use crate::progress::Progress;
use crate::response::{Reason, Response};

/// How often in succession records that failed for now are sent again without a success among them.
const RESENDS: u32 = 5;

/// How long a running import is left alone before its response is requested again.
const IN_PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// The code of a row that is no record.
const BAD_ROW: &str = "BAD_ROW";

/// Why the run cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error("the import was rejected: {0}")]
    Rejected(String),
    #[error("no result within {} s (--patience); last: {why}", .patience.as_secs())]
    GaveUp { patience: Duration, why: String },
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
}

/// Sends batches.
pub struct Sender {
    agent: Agent,
    url: String,
    token: String,
    run: String,
    params: String,
    patience: Duration,
    pace: Pace,
    progress: Progress,
}

impl Sender {
    pub fn new(options: &Options, token: String, run: &str, progress: Progress) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            // The token goes to the address given, and to no other.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("import_file/", env!("CARGO_PKG_VERSION")));
        if options.url.starts_with("https:") {
            config = config.tls_config(tls());
        }
        Self {
            agent: config.build().into(),
            url: options.url.clone(),
            token,
            run: run.to_owned(),
            params: options.params.clone(),
            patience: options.patience,
            pace: Pace::new(options.concurrency, options.batch),
            progress,
        }
    }

    /// Imports a batch: every row that failed, by position, with its reason.
    pub fn import(&self, batch: &Batch) -> Result<Vec<(usize, Reason)>, Stop> {
        let bad = |(position, row): (usize, &crate::rows::Row)| {
            let message = row.record.as_ref().err()?.clone();
            Some((position, Reason { code: BAD_ROW.to_owned(), message, retryable: false }))
        };
        let mut failed: Vec<_> = batch.rows.iter().enumerate().filter_map(bad).collect();
        let mut positions = batch.records();
        let mut backoff = Backoff::default();
        let mut fruitless = 0;
        for round in 0.. {
            if positions.is_empty() {
                break;
            }
            let ended = self.round(batch, round, &positions)?;
            fruitless = if ended.len() < positions.len() { 0 } else { fruitless + 1 };
            let (again, for_good): (Vec<_>, Vec<_>) =
                ended.into_iter().partition(|(_, reason)| reason.retryable && fruitless <= RESENDS);
            failed.extend(for_good);
            positions = again.into_iter().map(|(position, _)| position).collect();
            if !positions.is_empty() {
                let pause = backoff.next(None);
                self.report(batch.number, &format!("{} records failed for now", positions.len()), pause);
                sleep(pause);
            }
        }
        failed.sort_unstable_by_key(|(position, _)| *position);
        Ok(failed)
    }

    /// Sends the records at these positions in requests as large as the pace allows: every one that failed, with its
    /// reason.
    fn round(&self, batch: &Batch, round: u32, positions: &[usize]) -> Result<Vec<(usize, Reason)>, Stop> {
        let mut failed = Vec::new();
        let mut left = positions;
        while !left.is_empty() {
            let (part, rest) = left.split_at(self.pace.records().min(left.len()));
            left = rest;
            let records: Vec<_> = batch.at(part).collect();
            let under_way = self.pace.start();
            let ended = self.request(batch.number, round, &records)?;
            drop(under_way);
            self.pace.adapt(ended.iter().any(|(_, reason)| reason.code == TIMEOUT));
            failed.extend(ended.into_iter().map(|(record, reason)| (part[record], reason)));
        }
        Ok(failed)
    }

    /// Sends a request, always with the same key, until its outcome is known.
    fn request(&self, number: u64, round: u32, records: &[&str]) -> Result<Vec<(usize, Reason)>, Stop> {
        let body = batch::body(&self.params, records.iter().copied());
        let key = batch::key(&self.run, number, round, &body);
        let give_up = Instant::now() + self.patience;
        let mut backoff = Backoff::default();
        loop {
            let (why, pause) = match self.post(&key, &body) {
                Ok(reply) => match Response::read(reply.status, &reply.body, records) {
                    Response::Ended(failed) => return Ok(failed),
                    Response::Rejected(why) => return Err(Stop::Rejected(why)),
                    Response::InProgress => ("still running".to_owned(), IN_PROGRESS_PAUSE),
                    Response::Again(why) => (why, backoff.next(reply.retry_after)),
                },
                Err(error) if is_hopeless(&error) => return Err(Stop::Unsendable(chain(&error))),
                Err(error) => (chain(&error), backoff.next(None)),
            };
            if Instant::now() + pause > give_up {
                return Err(Stop::GaveUp { patience: self.patience, why });
            }
            self.report(number, &why, pause);
            sleep(pause);
        }
    }

    fn post(&self, key: &str, body: &str) -> Result<Reply, ureq::Error> {
        let mut response = self
            .agent
            .post(&self.url)
            .header("X-Token", &self.token)
            .header("Idempotency-Key", key)
            .content_type("application/json")
            .send(body)?;
        let value = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = value.and_then(|value| retry_after(value, SystemTime::now()));
        let body = response.body_mut().read_to_vec()?;
        Ok(Reply { status: response.status().as_u16(), retry_after, body })
    }

    fn report(&self, number: u64, why: &str, pause: Duration) {
        self.progress.report(&format!("batch {number}: {why}; again in {:.1} s", pause.as_secs_f64()));
    }
}

struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// The provider of the SDK, and the certificates of this machine.
fn tls() -> TlsConfig {
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> =
        certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build()
}

/// Whether the same request can only fail in the same way. Certificates that do not fit show as invalid data.
fn is_hopeless(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::TlsRequired
        | ureq::Error::InvalidProxyUrl => true,
        _ => false,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("BUG: text takes text");
        cause = error.source();
    }
    text
}
