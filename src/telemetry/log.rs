//! Log lines: those of this crate, and the warnings of others.

use std::panic;

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LOG_FORMAT, is_json};

/// Starts logging to standard output.
///
/// Lambda sets `AWS_LAMBDA_LOG_LEVEL`, the level of this crate's lines (`info` by default), and
/// `AWS_LAMBDA_LOG_FORMAT`, their format.
pub fn init() {
    let level = level(std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref());
    let registry = tracing_subscriber::registry().with(targets(level));
    // CloudWatch records the time of each line.
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false).without_time();
    if std::env::var(LOG_FORMAT).is_ok_and(|format| is_json(&format)) {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines).init();
    }
    panic::set_hook(Box::new(|info| {
        // Only the location: a panic's message can quote request data.
        let location = info.location().map(ToString::to_string);
        error!(location, "panic");
    }));
}

/// The level of this name. Lambda's `FATAL` is the crate's `ERROR`, which has nothing above it.
fn level(set: Option<&str>) -> LevelFilter {
    match set {
        Some("FATAL") => LevelFilter::ERROR,
        Some(level) if !level.is_empty() => level.parse().unwrap_or(LevelFilter::INFO),
        _ => LevelFilter::INFO,
    }
}

/// Quotes what a direct caller sent as `ClientContext`, if that is invalid; and a Runtime API that is gone is polled, and
/// logged, without a pause.
const QUOTING: &str = "lambda_runtime::runtime";

/// The log filter: this level for this crate, WARN for others. At more verbose levels the Lambda
/// runtime and the SDK log events and bodies, which contain tokens and identifiers.
pub fn targets(level: LevelFilter) -> Targets {
    let others = Targets::new().with_default(LevelFilter::WARN).with_target(QUOTING, LevelFilter::OFF);
    others.with_target(env!("CARGO_CRATE_NAME"), level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn level_defaults_to_info() {
        for (set, expected) in [
            (Some("TRACE"), LevelFilter::TRACE),
            (Some("DEBUG"), LevelFilter::DEBUG),
            (Some("INFO"), LevelFilter::INFO),
            (Some("warn"), LevelFilter::WARN),
            (Some("ERROR"), LevelFilter::ERROR),
            (Some("FATAL"), LevelFilter::ERROR),
            (Some("loud"), LevelFilter::INFO),
            (Some(""), LevelFilter::INFO),
            (None, LevelFilter::INFO),
        ] {
            assert_eq!(level(set), expected, "{set:?}");
        }
    }

    #[test]
    fn other_crates_only_log_warnings() {
        let most_verbose = |target, level| {
            let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
            levels.into_iter().find(|at| targets(level).would_enable(target, at))
        };
        for level in [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR] {
            assert_eq!(most_verbose(module_path!(), level.into()), Some(level));
            assert_eq!(most_verbose("lambda_runtime::runtime", level.into()), None);
            for other in ["lambda_runtime::layers", "aws_smithy_runtime", "hyper"] {
                assert_eq!(most_verbose(other, level.into()), Some(Level::WARN), "{other} at {level}");
            }
        }
    }
}
