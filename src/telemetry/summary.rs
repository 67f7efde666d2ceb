//! The summary line that every request writes to the log, and its CloudWatch metrics.
//!
//! If logs are JSON, the line is in the embedded metric format (Amazon CloudWatch user guide,
//! "Embedded metric format specification"): CloudWatch turns the members named in `_aws` into
//! metrics, without a call and without a library. It contains counts, times, codes, the tenant's ID
//! and the Lambda request ID, but no token, identifier, group name or body.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};
use tracing::info;

use crate::config::Metrics;
use crate::database::Usage;
use crate::deadline::since_1970;
use crate::request::failure::{Failure, Outage};
use crate::request::params::{Matching, Params};
use crate::resolution::report::Report;
use crate::tenant::TenantId;

/// The namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "CustomerGroupImport";

/// The members of the line that are metrics if present, each with its unit. The dimension is the
/// function's name, for some with the [`Source`]; each failure code is a metric.
pub const METRICS: [(&str, &str); 25] = [
    ("requests", "Count"),
    ("rejected", "Count"),
    ("errors", "Count"),
    ("records", "Count"),
    ("matched", "Count"),
    ("succeeded", "Count"),
    ("failed", "Count"),
    ("retryable", "Count"),
    ("INVALID_FIELD", "Count"),
    ("MISSING_IDENTIFIER", "Count"),
    ("MISSING_GROUPS", "Count"),
    ("NOT_MATCHED", "Count"),
    ("CONFLICT", "Count"),
    ("AMBIGUOUS", "Count"),
    ("STORE_ERROR", "Count"),
    ("TIMEOUT", "Count"),
    ("unchanged", "Count"),
    ("written", "Count"),
    ("removed", "Count"),
    ("databaseCalls", "Count"),
    ("databaseFailures", "Count"),
    ("throttles", "Count"),
    ("unmatchedPercent", "Percent"),
    ("durationMs", "Milliseconds"),
    ("databaseMs", "Milliseconds"),
];

/// The metrics that CloudWatch keeps by [`Source`], so that a bulk import raises no alarm of the API.
pub const BY_SOURCE: [&str; 6] = ["requests", "rejected", "errors", "STORE_ERROR", "TIMEOUT", "durationMs"];

/// The records from which on the share of those that matched nobody says something.
const TELLING_RECORDS: usize = 100;

/// Where a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// API Gateway.
    #[default]
    Api,
    /// An invocation of the function itself (contract, section 11).
    Direct,
}

/// The results of a request, as far as it was processed.
#[derive(Default)]
pub struct Summary {
    /// The Lambda request ID.
    pub request_id: String,
    /// Where the request came from.
    pub source: Source,
    /// API Gateway's ID of the request.
    pub gateway_request_id: Option<String>,
    /// Whether it was the first request of its process.
    pub cold_start: bool,
    /// The calling tenant.
    pub tenant: Option<TenantId>,
    /// The settings, and the number of records.
    pub request: Option<(Params, usize)>,
    /// The results of the records, unless the import was replayed or is running elsewhere.
    pub figures: Option<Figures>,
    /// Whether the response is that of an earlier run with the same `Idempotency-Key`.
    pub replayed: bool,
}

/// The results of the records of an import, as counts.
pub struct Figures {
    matched: usize,
    retryable: usize,
    failures: BTreeMap<&'static str, usize>,
}

impl Figures {
    /// The figures of an import in which `matched` records matched a customer.
    pub fn new(matched: usize, report: &Report) -> Self {
        // Also where there are none: of a metric without a value, an alarm looks at older values.
        let outages = [Outage::StoreError, Outage::Timeout];
        let mut failures = BTreeMap::from(outages.map(|outage| (Failure::Outage(outage).code(), 0)));
        for (_, failure) in &report.failures {
            *failures.entry(failure.code()).or_default() += 1;
        }
        let retryable = report.failures.iter().filter(|(_, failure)| failure.retryable()).count();
        Self { matched, retryable, failures }
    }
}

impl Summary {
    /// Writes the line of a request that ended with this HTTP status and `errorCode`: JSON with metrics if `metrics` is
    /// given, otherwise readable text.
    pub fn write(
        &self,
        status: u16,
        error_code: &str,
        duration: Duration,
        usage: &Usage,
        metrics: Option<&Metrics>,
    ) {
        let mut members = self.cause(status, error_code);
        // Anybody can send any number of requests that are rejected without a tenant: their lines are short.
        if self.tenant.is_some() || status >= 500 {
            members.push(("coldStart", self.cold_start.into()));
            members.push(("errors", u8::from((500..600).contains(&status)).into()));
            members.extend(self.tenant.as_ref().map(|tenant| ("tenant", tenant.as_str().into())));
            members.extend(self.results(usage));
            members.extend(costs(duration, usage));
        }
        match metrics {
            Some(metrics) => {
                // A failure to write the log must not fail the request.
                let _ = writeln!(io::stdout(), "{}", with_metrics(members, metrics));
            }
            None => info!("request {}", readable(&members)),
        }
    }

    fn cause(&self, status: u16, error_code: &str) -> Vec<(&'static str, Value)> {
        let mut members = vec![
            ("requestId", self.request_id.as_str().into()),
            ("source", json!(self.source)),
            ("status", status.into()),
            ("errorCode", error_code.into()),
            ("requests", 1.into()),
            ("rejected", u8::from((400..500).contains(&status)).into()),
        ];
        members.extend(self.gateway_request_id.as_ref().map(|id| ("gatewayRequestId", id.as_str().into())));
        members
    }

    /// What was asked for, and what became of it.
    fn results(&self, usage: &Usage) -> Vec<(&'static str, Value)> {
        let Some((params, records)) = self.request else { return Vec::new() };
        let mut members = vec![
            ("matching", params.matching.name().into()),
            ("optType", params.opt_type.name().into()),
            ("dryRun", params.dry_run.into()),
            ("replayed", self.replayed.into()),
        ];
        let Some(Figures { matched, retryable, failures }) = &self.figures else { return members };
        let failed: usize = failures.values().sum();
        members.extend([
            ("records", records.into()),
            ("matched", (*matched).into()),
            ("succeeded", (records - failed).into()),
            ("failed", failed.into()),
            ("retryable", (*retryable).into()),
            ("unchanged", usage.unchanged.into()),
            ("written", usage.written.into()),
            ("removed", usage.removed.into()),
        ]);
        members.extend(failures.iter().map(|(code, count)| (*code, (*count).into())));
        if params.matching != Matching::Off && records >= TELLING_RECORDS {
            let unmatched = failures.get(Failure::NotMatched.code()).copied().unwrap_or_default();
            members.push(("unmatchedPercent", (100 * unmatched / records).into()));
        }
        members
    }
}

/// What the request took.
fn costs(duration: Duration, usage: &Usage) -> [(&'static str, Value); 8] {
    let stages = usage.waited.iter().map(|(stage, time)| (stage, milliseconds(*time)));
    [
        ("databaseCalls", usage.calls.values().sum::<usize>().into()),
        ("databaseFailures", usage.failures.values().sum::<usize>().into()),
        ("throttles", usage.throttles.into()),
        ("calls", json!(usage.calls)),
        ("causes", json!(usage.failures)),
        ("durationMs", milliseconds(duration)),
        ("databaseMs", milliseconds(usage.waited.values().sum())),
        ("stagesMs", json!(stages.collect::<BTreeMap<_, _>>())),
    ]
}

/// In milliseconds, with a precision of a microsecond.
fn milliseconds(time: Duration) -> Value {
    (time.as_micros() as f64 / 1e3).into()
}

fn with_metrics(members: Vec<(&'static str, Value)>, metrics: &Metrics) -> Value {
    const DIMENSION: &str = "FunctionName";
    let is_present = |metric: &str| members.iter().any(|(name, _)| *name == metric);
    let per_tenant = metrics.per_tenant && is_present("tenant");
    let directive = |dimensions: &[&str], kept: Vec<&(&str, &str)>| {
        let kept: Vec<_> = kept.iter().map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
        let mut dimensions = vec![dimensions];
        dimensions.extend(per_tenant.then_some(&[DIMENSION, "tenant"][..]));
        json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": kept})
    };
    let present = METRICS.iter().filter(|(metric, _)| is_present(metric));
    let (by_source, others): (Vec<_>, Vec<_>) = present.partition(|(metric, _)| BY_SOURCE.contains(metric));
    let mut directives = vec![directive(&[DIMENSION, "source"], by_source)];
    // A request without a tenant has no others.
    if !others.is_empty() {
        directives.push(directive(&[DIMENSION], others));
    }
    let metadata = json!({
        "Timestamp": since_1970(SystemTime::now()).as_millis() as u64,
        "CloudWatchMetrics": directives,
    });
    let frame = [
        ("_aws", metadata),
        (DIMENSION, metrics.function.as_str().into()),
        ("level", "INFO".into()),
        ("message", "request".into()),
    ];
    let members = frame.into_iter().chain(members);
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn readable(members: &[(&'static str, Value)]) -> String {
    let member = |(name, value): &(&str, Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    };
    members.iter().map(member).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_with_three_decimals() {
        assert_eq!(milliseconds(Duration::from_nanos(1_234_567_890)), json!(1234.567));
    }
}
