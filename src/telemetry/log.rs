//! Log lines: this crate's own, and warnings of others.

use std::panic;

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LOG_FORMAT, is_json};

/// Starts logging to standard output.
///
/// `AWS_LAMBDA_LOG_LEVEL` sets the level of this crate's lines (`info` unless set) and
/// `AWS_LAMBDA_LOG_FORMAT=JSON` their form, as Lambda sets both.
pub fn init() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    let registry = tracing_subscriber::registry().with(targets(level.unwrap_or(LevelFilter::INFO)));
    // CloudWatch keeps the time of each line.
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false).without_time();
    if std::env::var(LOG_FORMAT).is_ok_and(|format| is_json(&format)) {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines).init();
    }
    panic::set_hook(Box::new(|info| {
        // Only the place: a panic's message can quote the data that it stumbled over.
        let location = info.location().map(ToString::to_string);
        error!(location, "panic");
    }));
}

/// What is logged where this crate's lines have this level. Other crates only get to warn: at finer
/// levels the Lambda runtime and the SDK write events and bodies, which hold tokens and identifiers.
pub fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::WARN).with_target(env!("CARGO_CRATE_NAME"), level)
}
