//! Searches every log line of every test for values that no log may contain.
//!
//! The function's inputs (tokens, items of its tables, bodies) are recorded here before the function gets them, and
//! each line is searched for them when it is written, at the finest level. A line that contains any of them aborts the
//! whole run: no test can ignore it.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use group_import::hash::sha256_hex;
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use crate::model::request::IDENTIFIERS;
use crate::model::text;

/// The function's own words in its log lines. A value that is a part of them cannot be distinguished.
const VOCABULARY: &str = "\
    the token and the name of a table, an import and its records: new, null, true, none, other, open, error";

/// The values that no line may contain, by their first [`PREFIX`] bytes.
#[derive(Default)]
pub struct Secrets(HashMap<[u8; PREFIX], HashSet<Vec<u8>>>);

/// Shorter values occur in any text by chance.
const PREFIX: usize = 4;

impl Secrets {
    /// Records a value, unless it is so short or so common that a line may contain it by chance.
    pub fn keep(&mut self, value: &str) {
        // A part of a request's ID or of a time could be the same.
        let of_an_id = value.len() < 9 && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let common = VOCABULARY.contains(value) || of_an_id;
        if let Some(prefix) = value.as_bytes().first_chunk()
            && !common
        {
            self.0.entry(*prefix).or_default().insert(value.as_bytes().to_owned());
        }
    }

    /// A recorded value that a line contains.
    pub fn shown_by(&self, line: &[u8]) -> Option<&[u8]> {
        let starts = (0..line.len()).map(|start| &line[start..]);
        let kept = starts.filter_map(|rest| Some((rest, self.0.get(rest.first_chunk()?)?)));
        kept.flat_map(|(rest, values)| values.iter().filter(move |value| rest.starts_with(value)))
            .next()
            .map(Vec::as_slice)
    }
}

#[derive(Default)]
struct Watch {
    secrets: Secrets,
    lines: Vec<String>,
}

static WATCH: LazyLock<Mutex<Watch>> = LazyLock::new(Mutex::default);

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts searching the log lines of this process, unless already started.
pub fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        // Lines of the embedded database are not the function's.
        let targets = group_import::telemetry::log::targets(LevelFilter::TRACE)
            .with_target("dynoxide", LevelFilter::OFF);
        let text = fmt::layer().with_ansi(false).without_time().with_writer(|| Line);
        let json = fmt::layer().json().without_time().with_writer(|| Line);
        let lines = tracing_subscriber::registry().with(targets).with(text).with(json);
        tracing::subscriber::set_global_default(lines).expect("no other subscriber is set");
        keep("publicParams");
    });
}

/// Records a value that no later line may contain.
pub fn keep(value: &str) {
    watch().secrets.keep(value);
}

/// Records the identifiers of a customer, or of a record as it was sent.
pub fn keep_identifiers(record: &Value) {
    let mut watch = watch();
    for field in IDENTIFIERS {
        if let Value::String(sent) = &record[field] {
            watch.secrets.keep(sent);
            watch.secrets.keep(&text::value(record, field).unwrap_or_default());
        }
    }
}

/// Records the caller's data in an event: token and its hash, `Idempotency-Key`, identifiers and group names.
pub fn keep_event(event: &Value) {
    let headers = event["headers"].as_object().into_iter().flatten();
    for (name, value) in headers {
        let value = value.as_str().unwrap_or_default();
        match &*name.to_ascii_lowercase() {
            "x-token" => [value, &sha256_hex(value.as_bytes())].into_iter().for_each(keep),
            "idempotency-key" => keep(value),
            _ => {}
        }
    }
    keep(event["tokenHash"].as_str().unwrap_or_default());
    let body = event["body"].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).unwrap_or_default();
    // Those of a direct event are in the event itself.
    for record in [&body, event].into_iter().filter_map(|body| body["data"].as_array()).flatten() {
        keep_identifiers(record);
        let groups = record["groups"].as_str().unwrap_or_default();
        let mut watch = watch();
        text::split(groups).iter().for_each(|name| watch.secrets.keep(name));
    }
}

/// Every line so far, in each of the two forms.
pub fn lines() -> Vec<String> {
    watch().lines.clone()
}

/// The writer of the log: it searches and stores each line.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut watch = watch();
        if let Some(secret) = watch.secrets.shown_by(line) {
            // Directly to standard error: the test harness captures what is printed.
            let [secret, line] = [secret, line].map(String::from_utf8_lossy);
            io::stderr().write_all(format!("a log line shows {secret:?}: {line}").as_bytes())?;
            std::process::abort();
        }
        watch.lines.push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
