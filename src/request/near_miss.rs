//! Misspelt and misplaced parameters: a mistyped `dryRun` must not become an import (contract, section 3).

use serde_json::value::RawValue;

use crate::request::params::NAMES;
use raw_fields::Fields;

/// The paths of the parameters in the body, in the order of [`NAMES`].
const PATHS: [&str; NAMES.len()] = [
    "publicParams.isMatching",
    "publicParams.matchingType",
    "publicParams.identifyWay",
    "publicParams.optType",
    "publicParams.dryRun",
    "publicParams.explain",
];

/// A near miss: its name as sent, and the path of the parameter that is meant.
pub type NearMiss = (String, &'static str);

/// Reads members of an object, and the first other member that is a near miss of a parameter.
///
/// # Errors
/// As [`Fields::parse`].
pub fn parse_fields<'a, const N: usize>(
    names: &'static [&'static str; N],
    json: &'a str,
) -> serde_json::Result<(Fields<'a, N>, Option<NearMiss>)> {
    let mut first = None;
    let fields = Fields::parse_with(names, json, |name, value| {
        if first.is_none() {
            first = near_miss(name, value).map(|parameter| (name.to_owned(), parameter));
        }
    })?;
    Ok((fields, first))
}

/// The path of the parameter that a member is a near miss of: its name is the parameter's but for case, `_` and `-`
/// (contract, section 3). A null is the same as absent, under any name.
fn near_miss(name: &str, value: &RawValue) -> Option<&'static str> {
    let letters =
        name.chars().filter(|char| !matches!(char, '_' | '-')).map(|char| char.to_ascii_lowercase());
    let is_meant =
        |parameter: &str| letters.clone().eq(parameter.chars().map(|char| char.to_ascii_lowercase()));
    let position = NAMES.iter().position(|parameter| is_meant(parameter))?;
    (value.get() != "null").then_some(PATHS[position])
}

#[cfg(test)]
mod tests {
    use crate::request::params::Params;

    #[test]
    fn near_misses_are_reported_as_sent() {
        for (name, sent) in [
            ("isMatching", "ismatching"),
            ("matchingType", "matching_type"),
            ("identifyWay", "identify-way"),
            ("optType", "OptType"),
            ("dryRun", "dryrun"),
            ("dryRun", "_DRY_run--"),
            ("explain", "Explain"),
        ] {
            for value in ["true", "false", "\"add\"", "[1e999]"] {
                let json =
                    format!(r#"{{"isMatching":false,"optType":"add","{name}":null,"{sent}":{value}}}"#);
                let error = Params::parse(Some(serde_json::from_str(&json).expect("JSON"))).expect_err(&json);
                assert_eq!(error.field, format!("publicParams.{sent}"));
                assert_eq!(error.expected, format!("publicParams.{name}"));
            }
        }
        for (name, value) in
            [("dry run", "true"), ("dryRuns", "true"), ("dr\u{fc}run", "true"), ("dryrun", "null")]
        {
            let json = format!(r#"{{"isMatching":false,"optType":"add","{name}":{value}}}"#);
            let params = Params::parse(Some(serde_json::from_str(&json).expect("JSON")));
            assert!(params.is_ok_and(|params| !params.dry_run), "{json}");
        }
    }
}
