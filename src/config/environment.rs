//! Reading the settings from environment variables.

use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::{
    Config, ConfigError, IdentityLookup, LOG_FORMAT, MAX_CONCURRENT_CALLS, MAX_PAYLOAD_BYTES, Metrics,
    SkipUnchanged, Tables, is_json,
};

/// The variables without which the process cannot run: the tables' names, and those that Lambda itself sets and its
/// runtime library needs.
const REQUIRED: [&str; 7] = [
    "TENANTS_TABLE",
    "CUSTOMERS_TABLE",
    "MEMBERSHIPS_TABLE",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

/// The variables by name.
pub(super) struct Environment<'e>(pub &'e dyn Fn(&str) -> Option<OsString>);

impl Config {
    /// Reads the settings.
    pub(super) fn read(env: &Environment<'_>) -> Result<Self, ConfigError> {
        let is_missing = |name: &&str| env.0(name).is_none_or(|value| value.is_empty());
        let missing: Vec<_> = REQUIRED.into_iter().filter(is_missing).collect();
        if !missing.is_empty() {
            return Err(ConfigError::Missing(missing));
        }
        let required = |name| Ok(env.text(name)?.unwrap_or_default());
        let default = Self::new(Tables {
            tenants: required("TENANTS_TABLE")?,
            customers: required("CUSTOMERS_TABLE")?,
            memberships: required("MEMBERSHIPS_TABLE")?,
            imports: env.text("IMPORTS_TABLE")?,
        });
        let lookups = [("statement", IdentityLookup::Statement), ("query", IdentityLookup::Query)];
        let skips = [
            ("auto", SkipUnchanged::Auto),
            ("always", SkipUnchanged::Always),
            ("never", SkipUnchanged::Never),
        ];
        let metrics = Metrics {
            function: required("AWS_LAMBDA_FUNCTION_NAME")?,
            per_tenant: env.choice("METRICS_PER_TENANT", false, &[("true", true), ("false", false)])?,
        };
        let has_metrics = env.text(LOG_FORMAT)?.is_some_and(|format| is_json(&format));
        let calls = 1..=MAX_CONCURRENT_CALLS;
        let requests = default.concurrent_requests;
        let seconds = default.token_cache.as_secs();
        let milliseconds = default.deadline_margin.as_millis() as u64;
        Ok(Self {
            max_records: env.number("MAX_RECORDS", default.max_records, 1..=1_000_000)?,
            max_body_bytes: env.number("MAX_BODY_BYTES", default.max_body_bytes, 1..=MAX_PAYLOAD_BYTES)?,
            token_cache: Duration::from_secs(env.number("TOKEN_CACHE_SECONDS", seconds, 0..=86_400)?),
            deadline_margin: Duration::from_millis(env.number(
                "DEADLINE_MARGIN_MS",
                milliseconds,
                0..=900_000,
            )?),
            identity_lookup: env.choice("IDENTITY_LOOKUP", default.identity_lookup, &lookups)?,
            skip_unchanged: env.choice("SKIP_UNCHANGED", default.skip_unchanged, &skips)?,
            lookup_concurrency: env.number(
                "LOOKUP_CONCURRENCY",
                default.lookup_concurrency,
                calls.clone(),
            )?,
            write_concurrency: env.number("WRITE_CONCURRENCY", default.write_concurrency, calls)?,
            concurrent_requests: env.number("AWS_LAMBDA_MAX_CONCURRENCY", requests, 1..=1_000_000)?,
            metrics: has_metrics.then_some(metrics),
            tables: default.tables,
        })
    }
}

impl Environment<'_> {
    /// A variable that is set and not empty.
    fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let value = self.0(name).filter(|value| !value.is_empty());
        let invalid = |_| ConfigError::Invalid { name, expected: "valid Unicode".to_owned() };
        value.map(OsString::into_string).transpose().map_err(invalid)
    }

    fn number<N: FromStr + PartialOrd + Display>(
        &self,
        name: &'static str,
        default: N,
        range: RangeInclusive<N>,
    ) -> Result<N, ConfigError> {
        let Some(value) = self.text(name)? else { return Ok(default) };
        let number = value.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| ConfigError::Invalid {
            name,
            expected: format!("a whole number from {} to {}", range.start(), range.end()),
        })
    }

    fn choice<T: Copy>(
        &self,
        name: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let Some(value) = self.text(name)? else { return Ok(default) };
        let chosen = choices.iter().find(|(name, _)| *name == value).map(|(_, chosen)| *chosen);
        chosen.ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            ConfigError::Invalid { name, expected: names.join(" or ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these variables; the required ones have their first letter as value.
    fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&Environment(&|name| {
            let set = set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            set.or_else(|| REQUIRED.contains(&name).then(|| name[..1].into()))
        }))
    }

    #[test]
    fn only_tables_and_what_lambda_sets_are_required() {
        let config = read(&[]).expect("the tables are set");
        let tables =
            Tables { tenants: "T".into(), customers: "C".into(), memberships: "M".into(), imports: None };
        let expected = Config {
            tables,
            max_records: 5_000,
            max_body_bytes: 2_097_152,
            token_cache: Duration::from_secs(60),
            deadline_margin: Duration::from_millis(1_500),
            identity_lookup: IdentityLookup::Statement,
            skip_unchanged: SkipUnchanged::Auto,
            lookup_concurrency: 32,
            write_concurrency: 32,
            concurrent_requests: 1,
            metrics: None,
        };
        assert_eq!(config, expected);
        for name in REQUIRED {
            assert_eq!(read(&[(name, "")]), Err(ConfigError::Missing(vec![name])));
        }
        assert_eq!(Config::read(&Environment(&|_| None)), Err(ConfigError::Missing(REQUIRED.to_vec())));
    }

    #[test]
    fn every_value_can_be_set() {
        let set = [
            ("IMPORTS_TABLE", "i"),
            ("MAX_RECORDS", "7"),
            ("MAX_BODY_BYTES", "6291456"),
            ("TOKEN_CACHE_SECONDS", "0"),
            ("DEADLINE_MARGIN_MS", "0"),
            ("IDENTITY_LOOKUP", "query"),
            ("SKIP_UNCHANGED", "never"),
            ("LOOKUP_CONCURRENCY", "200"),
            ("WRITE_CONCURRENCY", "1"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", "1600"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("METRICS_PER_TENANT", "true"),
        ];
        let config = read(&set).expect("all values are valid");
        assert_eq!(config.tables.imports.as_deref(), Some("i"));
        assert_eq!((config.max_records, config.max_body_bytes), (7, MAX_PAYLOAD_BYTES));
        assert_eq!((config.token_cache, config.deadline_margin), (Duration::ZERO, Duration::ZERO));
        assert_eq!(config.identity_lookup, IdentityLookup::Query);
        assert_eq!(config.skip_unchanged, SkipUnchanged::Never);
        assert_eq!((config.lookup_concurrency, config.write_concurrency), (MAX_CONCURRENT_CALLS, 1));
        assert_eq!(config.concurrent_requests, 1_600);
        assert_eq!(config.metrics, Some(Metrics { function: "f".into(), per_tenant: true }));
        assert!(read(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]).is_ok_and(|config| config.metrics.is_none()));
        let optional = set.iter().map(|(name, _)| *name).filter(|name| !REQUIRED.contains(name));
        let empty: Vec<_> = optional.map(|name| (name, "")).collect();
        assert_eq!(read(&empty), read(&[]), "an empty value is none");
    }

    #[test]
    fn invalid_values_are_reported_by_name() {
        for (name, value) in [
            ("MAX_RECORDS", "0"),
            ("MAX_RECORDS", "5k"),
            ("MAX_BODY_BYTES", "-1"),
            ("MAX_BODY_BYTES", "6291457"),
            ("TOKEN_CACHE_SECONDS", "1.5"),
            ("TOKEN_CACHE_SECONDS", "86401"),
            ("DEADLINE_MARGIN_MS", " 5"),
            ("IDENTITY_LOOKUP", "Query"),
            ("SKIP_UNCHANGED", "yes"),
            ("LOOKUP_CONCURRENCY", "0"),
            ("LOOKUP_CONCURRENCY", "201"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", "0"),
            ("METRICS_PER_TENANT", "yes"),
            ("WRITE_CONCURRENCY", "99999999999999999999"),
        ] {
            let result = read(&[(name, value)]);
            let is_reported =
                matches!(result, Err(ConfigError::Invalid { name: reported, .. }) if reported == name);
            assert!(is_reported, "{name}={value}");
        }
    }
}
