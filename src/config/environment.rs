//! Reading the settings from environment variables.

use std::ffi::OsString;
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

impl Config {
    /// Reads the variables that `environment` returns by name.
    pub(super) fn read(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let is_missing = |name: &&str| environment(name).is_none_or(|value| value.is_empty());
        let missing: Vec<_> = REQUIRED.into_iter().filter(is_missing).collect();
        if !missing.is_empty() {
            return Err(ConfigError::Missing(missing));
        }
        let value = |name: &'static str, expected| match environment(name) {
            Some(value) if !value.is_empty() => {
                value.into_string().map(Some).map_err(|_| ConfigError::Invalid { name, expected })
            }
            _ => Ok(None),
        };
        let table = |name| value(name, "a table's name")?.ok_or_else(|| ConfigError::Missing(vec![name]));
        let number =
            |name, default, range: std::ops::RangeInclusive<usize>, expected| match value(name, expected)? {
                None => Ok(default),
                Some(value) => usize::from_str(&value)
                    .ok()
                    .filter(|number| range.contains(number))
                    .ok_or(ConfigError::Invalid { name, expected }),
            };

        const CONCURRENCY: &str = "a whole number from 1 to 200";
        let concurrency = |name, default| number(name, default, 1..=MAX_CONCURRENT_CALLS, CONCURRENCY);
        const FLAG: &str = "true or false";
        let flag = |name| match value(name, FLAG)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ConfigError::Invalid { name, expected: FLAG }),
        };
        let per_tenant = flag("METRICS_PER_TENANT")?;
        let has_metrics = value(LOG_FORMAT, "text or JSON")?.is_some_and(|format| is_json(&format));
        let function = value("AWS_LAMBDA_FUNCTION_NAME", "a function's name")?.unwrap_or_default();

        const LOOKUP: &str = "statement or query";
        const SKIP: &str = "auto, always or never";
        let default = Self::new(Tables {
            tenants: table("TENANTS_TABLE")?,
            customers: table("CUSTOMERS_TABLE")?,
            memberships: table("MEMBERSHIPS_TABLE")?,
            imports: value("IMPORTS_TABLE", "a table's name")?,
        });
        Ok(Self {
            max_records: number(
                "MAX_RECORDS",
                default.max_records,
                1..=1_000_000,
                "a whole number from 1 to 1000000",
            )?,
            max_body_bytes: number(
                "MAX_BODY_BYTES",
                default.max_body_bytes,
                1..=MAX_PAYLOAD_BYTES,
                "a whole number from 1 to 6291456, the most that Lambda takes",
            )?,
            token_cache: Duration::from_secs(number(
                "TOKEN_CACHE_SECONDS",
                default.token_cache.as_secs() as usize,
                0..=86_400,
                "a whole number from 0 to 86400",
            )? as u64),
            deadline_margin: Duration::from_millis(number(
                "DEADLINE_MARGIN_MS",
                default.deadline_margin.as_millis() as usize,
                0..=900_000,
                "a whole number from 0 to 900000",
            )? as u64),
            identity_lookup: match value("IDENTITY_LOOKUP", LOOKUP)?.as_deref() {
                None => default.identity_lookup,
                Some("statement") => IdentityLookup::Statement,
                Some("query") => IdentityLookup::Query,
                Some(_) => return Err(ConfigError::Invalid { name: "IDENTITY_LOOKUP", expected: LOOKUP }),
            },
            skip_unchanged: match value("SKIP_UNCHANGED", SKIP)?.as_deref() {
                None => default.skip_unchanged,
                Some("auto") => SkipUnchanged::Auto,
                Some("always") => SkipUnchanged::Always,
                Some("never") => SkipUnchanged::Never,
                Some(_) => return Err(ConfigError::Invalid { name: "SKIP_UNCHANGED", expected: SKIP }),
            },
            lookup_concurrency: concurrency("LOOKUP_CONCURRENCY", default.lookup_concurrency)?,
            write_concurrency: concurrency("WRITE_CONCURRENCY", default.write_concurrency)?,
            concurrent_requests: number(
                "AWS_LAMBDA_MAX_CONCURRENCY",
                default.concurrent_requests,
                1..=usize::MAX,
                "a whole number from 1",
            )?,
            metrics: has_metrics.then_some(Metrics { function, per_tenant }),
            tables: default.tables,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these variables; the required ones have their first letter as value.
    fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&|name| {
            let set = set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            set.or_else(|| REQUIRED.contains(&name).then(|| name[..1].into()))
        })
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
        assert_eq!(Config::read(&|_| None), Err(ConfigError::Missing(REQUIRED.to_vec())));
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
