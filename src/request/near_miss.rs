//! Misspelt and misplaced parameters: a mistyped `dryRun` must not become an import (contract, section 3).

use crate::rejection::Rejection;
use crate::request::fields::Object;
use crate::request::name::{fold, is_alike, shown};

/// The names of the parameters.
const NAMES: [&str; 6] = ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];

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

/// Accepts the object at `place` if it has no near miss of a parameter. A null is the same as absent, under any name.
///
/// # Errors
/// The first near miss.
pub fn check(object: &Object<'_>, place: Place) -> Result<(), Rejection> {
    let near_misses = object.select(|name| parameter_meant(name, place));
    let Some(first) = near_misses.iter().find(|member| member.value.get() != "null") else { return Ok(()) };
    let path = if place == Place::Inside { "publicParams." } else { "" };
    Err(Rejection::near_miss(format!("{path}{}", shown(&first.name)), first.meant))
}

/// The parameter that a member of this name is taken for.
fn parameter_meant(name: &str, place: Place) -> Option<&'static str> {
    if place == Place::Inside && NAMES.contains(&name) {
        return None;
    }
    let alike = |name: &str| NAMES.into_iter().find(|parameter| is_alike(name, parameter));
    let meant = alike(name);
    if meant.is_some() || place == Place::Beside {
        return meant;
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
                assert_eq!(parameter_meant(name, place), vector[meant].as_str(), "{vector}");
            }
        }
    }

    #[test]
    fn the_first_near_miss_is_named_as_sent() {
        let near_miss = |json: &str, place| {
            let object = Object::parse(json).expect("an object");
            check(&object, place).err().map(|rejection| match rejection {
                Rejection::Parameter(error) => (error.field, error.expected),
                other => panic!("{other:?}"),
            })
        };
        let json = r#"{"isMatching":1,"x":1,"dryrun":null,"Opt_Type":0,"explian":1}"#;
        let opt_type = Some(("publicParams.Opt_Type".to_owned(), "optType"));
        assert_eq!(near_miss(json, Place::Inside), opt_type);
        let is_matching = Some(("isMatching".to_owned(), "isMatching"));
        assert_eq!(near_miss(json, Place::Beside), is_matching);
        assert_eq!(near_miss(r#"{"explian":null}"#, Place::Inside), None);
        // Of a repeated one the last value counts.
        let json = r#"{"dryrun":1,"Opt_Type":0,"dry\u0072un":null,"Opt_Type":1}"#;
        for (place, path) in [(Place::Inside, "publicParams.Opt_Type"), (Place::Beside, "Opt_Type")] {
            assert_eq!(near_miss(json, place), Some((path.to_owned(), "optType")));
        }
        let dryrun = Some(("publicParams.dryrun".to_owned(), "dryRun"));
        assert_eq!(near_miss(r#"{"dryrun":null,"x":1,"dryrun":0}"#, Place::Inside), dryrun);

        let long = format!(r#"{{"dryRun\n{}":[1e999]}}"#, "名".repeat(40));
        let shown = format!("publicParams.dryRun?{}", "名".repeat(25));
        assert_eq!(near_miss(&long, Place::Inside), Some((shown, "dryRun")));
        // Half of a surrogate pair is a character of the name.
        let halved = Some(("publicParams.dryRu\u{fffd}".to_owned(), "dryRun"));
        assert_eq!(near_miss(r#"{"dryRu\ud800":0}"#, Place::Inside), halved);
    }
}
