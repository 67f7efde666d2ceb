//! Identifiers and group names parsed from any text, compared with the reference model.

use std::borrow::Cow;

use group_import::request::group::GroupNames;
use group_import::request::identifier::{Identifier, Identifiers};
use group_import::request::params::OptType;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::{Coverage, check, many};
use testing::model::text;

/// Characters and pieces with a meaning to the parser, and similar ones without: U+180E and U+2016 are neither white
/// space, nor marks, nor dashes, and the full-width comma separates nothing.
const PIECES: [&str; 44] = [
    " ", " ", "-", "(", ")", "+", "0", "1", "8", "6", "86", "+86", "0086", ",", ",", ", ", "，", "（", "＋",
    "～", "．", "０", "８６", ".0", ".", "vip", "张", "\t", "\n", "\0", "\u{85}", "\u{a0}", "\u{180e}",
    "\u{2000}", "\u{200b}", "\u{2011}", "\u{2016}", "\u{2028}", "\u{202a}", "\u{2066}", "\u{2212}",
    "\u{3000}", "\u{feff}", "\u{fffd}",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => select(vec!["13800000001", "3800000001"]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Phone numbers in common notations, some of them malformed.
fn phone() -> impl Strategy<Value = String> {
    let between = || select(vec!["", "", "", " ", "-", "(", ") ", "\u{3000}", "\u{200b}", "\u{2013}", ".0"]);
    let code = select(vec!["", "86", "+86", "0086", "8 6", "+8686", "8686", "00"]);
    let number =
        select(vec!["13800000001", "138 0000 0001", "1380000000", "138000000011", "23800000001", "１３８"]);
    (between(), code, between(), number, between())
        .prop_map(|(before, code, middle, number, after)| [before, code, middle, number, after].concat())
}

/// Whether a value has a character that an identifier may not have.
fn is_damaged(sent: &str) -> bool {
    text::has_control_character(sent) || text::has_replacement_character(sent)
}

#[test]
fn identifiers_are_normalised_as_specified() {
    let coverage = Coverage::default();
    let cases = (select(Identifier::ALL.to_vec()), prop_oneof![text(), phone()], any::<bool>());
    check(many(16), &cases, |(identifier, sent, owned)| {
        let field = identifier.field();
        let given: Cow<'_, str> = if owned { sent.clone().into() } else { sent.as_str().into() };
        let Ok(value) = identifier.normalise(given) else {
            let too_long = text::value(&json!({field: sent}), field).is_some_and(|value| value.len() > 1024);
            prop_assert!(too_long || is_damaged(&sent));
            coverage.happened(format!("{field}: the value is invalid"));
            return Ok(());
        };
        prop_assert!(!is_damaged(&sent));
        let value = value.map(Cow::into_owned);
        prop_assert_eq!(&value, &text::value(&json!({field: sent}), field));
        let what = match &value {
            None => "nothing is given",
            Some(value) if *value == sent => "the value is as sent",
            Some(_) => "the value is not as sent",
        };
        coverage.happened(format!("{field}: {what}"));

        let mut identifiers = Identifiers::default();
        identifiers.set(identifier, value.as_deref().map(Cow::Borrowed));
        for other in Identifier::ALL {
            let expected = value.as_deref().filter(|_| other == identifier);
            prop_assert_eq!(identifiers.get(other), expected);
        }
        Ok(())
    });
    let outcomes =
        ["the value is invalid", "nothing is given", "the value is as sent", "the value is not as sent"];
    let expected = Identifier::ALL
        .iter()
        .flat_map(|identifier| outcomes.map(|what| format!("{}: {what}", identifier.field())));
    coverage.is(expected);
}

/// Lists of group names, some at or above the limits of length and number.
fn groups() -> impl Strategy<Value = String> {
    let long =
        (select(vec!["n", "é", "张", "😀"]), 60..260usize).prop_map(|(char, times)| char.repeat(times));
    let many = (95..105u32, text()).prop_map(|(count, text)| {
        let names: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        names.join(",") + "," + &text + ",0 , 7"
    });
    let some = vec(prop_oneof![9 => text(), 1 => long], 0..6).prop_map(|texts| texts.join(","));
    prop_oneof![8 => some, 1 => many]
}

#[test]
fn groups_are_split_as_specified() {
    let coverage = Coverage::default();
    check(many(16), &(groups(), any::<bool>()), |(sent, deletes)| {
        let expected = text::split(&sent);
        let is_valid = expected.len() <= 100
            && !expected.iter().any(|name| name.len() > 256 || text::has_control_character(name))
            && (deletes || !text::has_replacement_character(&sent));
        let opt_type = if deletes { OptType::Delete } else { OptType::Add };
        prop_assert_eq!(
            match GroupNames::parse(sent.as_str().into(), opt_type) {
                Ok(groups) => {
                    let mut names: Vec<&str> = Vec::new();
                    groups.iter().for_each(|name| {
                        if !names.contains(&name) {
                            names.push(name)
                        }
                    });
                    prop_assert_eq!(&names, &expected);
                    prop_assert_eq!(groups.is_empty(), expected.is_empty());
                    coverage.happened(if expected.is_empty() { "no name" } else { "names" });
                    true
                }
                Err(fault) => {
                    coverage.happened(format!("{fault:?}"));
                    false
                }
            },
            is_valid
        );
        Ok(())
    });
    let faults = ["GroupNameTooLong", "ControlCharacter", "ReplacementCharacter", "TooManyGroups"];
    coverage.is(["no name", "names"].into_iter().chain(faults).map(str::to_owned));
}
