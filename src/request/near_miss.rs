//! Misspelt and misplaced parameters: a mistyped `dryRun` must not become an import (contract, section 3).

use crate::rejection::Rejection;
use crate::request::fields::{Fields, last_of_repeated};
use crate::request::name::{fold, is_alike, shown};

/// The names of the parameters.
pub const NAMES: [&str; 6] = ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];

/// Their paths in the body.
const PATHS: [&str; NAMES.len()] = [
    "publicParams.isMatching",
    "publicParams.matchingType",
    "publicParams.identifyWay",
    "publicParams.optType",
    "publicParams.dryRun",
    "publicParams.explain",
];

/// The switches, folded; a name need not equal one to be taken for it.
const SWITCHES: [&str; 2] = ["dryrun", "explain"];

/// The most edits between a switch and a name that is taken for it.
const MAX_EDITS: usize = 2;

/// Where a member is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In `publicParams`.
    Inside,
    /// Beside it.
    Beside,
}

/// Reads members of the object at `place`, and the first other member that is a near miss of a parameter. A null is the
/// same as absent, under any name.
///
/// # Errors
/// As [`Fields::parse`].
pub fn parse_fields<'a, const N: usize>(
    names: &'static [&'static str; N],
    json: &'a str,
    place: Place,
) -> serde_json::Result<(Fields<'a, N>, Option<Rejection>)> {
    let mut near_misses = Vec::new();
    let fields = Fields::parse(names, json, |name, value| {
        if let Some(position) = parameter_meant(name, place) {
            near_misses.push((name.to_owned(), position, value));
        }
    })?;
    let near_misses = last_of_repeated(near_misses, |(name, ..)| name);
    let first = near_misses.into_iter().find(|(.., value)| value.get() != "null");
    let first = first.map(|(name, position, _)| {
        let path = if place == Place::Inside { "publicParams." } else { "" };
        Rejection::near_miss(format!("{path}{}", shown(&name)), PATHS[position])
    });
    Ok((fields, first))
}

/// The position in [`NAMES`] of the parameter that a member of this name is taken for.
fn parameter_meant(name: &str, place: Place) -> Option<usize> {
    let alike = |name: &str| NAMES.iter().position(|parameter| is_alike(name, parameter));
    let position = alike(name);
    if position.is_some() || place == Place::Beside {
        return position;
    }
    let folded: String = fold(name).collect();
    let is_meant = |switch: &&str| folded.contains(switch) || is_within_edits(&folded, switch);
    SWITCHES.into_iter().find(is_meant).and_then(alike)
}

/// Whether the Levenshtein distance of a name to a switch is at most [`MAX_EDITS`].
fn is_within_edits(name: &str, switch: &str) -> bool {
    // The distances of the name so far to each beginning of the switch.
    let mut distances: Vec<usize> = (0..=switch.len()).collect();
    for char in name.chars() {
        let mut replaced = distances[0];
        distances[0] += 1;
        for (position, other) in switch.chars().enumerate() {
            let edits = replaced + usize::from(char != other);
            replaced = distances[position + 1];
            distances[position + 1] = edits.min(replaced + 1).min(distances[position] + 1);
        }
    }
    distances[switch.len()] <= MAX_EDITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::vectors;

    #[test]
    fn names_are_taken_for_the_parameters_of_the_vectors() {
        for vector in vectors("parameters") {
            let name = vector["name"].as_str().expect("a text");
            for (place, meant) in [(Place::Inside, "inside"), (Place::Beside, "beside")] {
                let position = parameter_meant(name, place);
                assert_eq!(position.map(|position| NAMES[position]), vector[meant].as_str(), "{vector}");
            }
        }
        for (position, path) in PATHS.iter().enumerate() {
            assert_eq!(*path, format!("publicParams.{}", NAMES[position]));
        }
    }

    #[test]
    fn the_first_near_miss_is_named_as_sent() {
        let near_miss = |json: &str, place| {
            let (_, first) = parse_fields(&["isMatching"], json, place).expect("an object");
            first.map(|rejection| match rejection {
                Rejection::Parameter(error) => (error.field, error.expected),
                other => panic!("{other:?}"),
            })
        };
        let json = r#"{"isMatching":1,"x":1,"dryrun":null,"Opt_Type":0,"explian":1}"#;
        let opt_type = Some(("publicParams.Opt_Type".to_owned(), "publicParams.optType"));
        assert_eq!(near_miss(json, Place::Inside), opt_type);
        let opt_type = Some(("Opt_Type".to_owned(), "publicParams.optType"));
        assert_eq!(near_miss(json, Place::Beside), opt_type);
        assert_eq!(near_miss(r#"{"explian":null}"#, Place::Inside), None);
        // Of a repeated one the last value counts.
        let json = r#"{"dryrun":1,"Opt_Type":0,"dry\u0072un":null,"Opt_Type":1}"#;
        for (place, path) in [(Place::Inside, "publicParams.Opt_Type"), (Place::Beside, "Opt_Type")] {
            assert_eq!(near_miss(json, place), Some((path.to_owned(), "publicParams.optType")));
        }
        let dryrun = Some(("publicParams.dryrun".to_owned(), "publicParams.dryRun"));
        assert_eq!(near_miss(r#"{"dryrun":null,"x":1,"dryrun":0}"#, Place::Inside), dryrun);

        let long = format!(r#"{{"dryRun\n{}":[1e999]}}"#, "名".repeat(40));
        let shown = format!("publicParams.dryRun?{}", "名".repeat(25));
        assert_eq!(near_miss(&long, Place::Inside), Some((shown, "publicParams.dryRun")));
        // Half of a surrogate pair is a character of the name.
        let halved = Some(("publicParams.dryRu\u{fffd}".to_owned(), "publicParams.dryRun"));
        assert_eq!(near_miss(r#"{"dryRu\ud800":0}"#, Place::Inside), halved);
    }
}
