//! The import's settings, `publicParams` (contract, section 3).

use serde_json::value::RawValue;

use crate::rejection::Rejection;
use crate::request::fields::{self, Object};
use crate::request::identifier::Identifier;
use crate::request::near_miss::{self, Place};

/// What an import does with each membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptType {
    /// Adds the customer to the group.
    Add,
    /// Removes the customer from the group.
    Delete,
}

impl OptType {
    /// The value of `optType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
        }
    }
}

/// How a record is matched with a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// The record contains the customer's ID, `audienceUserId`.
    Off,
    /// Every identifier given must belong to the customer.
    Exact,
    /// The first given identifier, in this order, that matches a customer decides.
    Fuzzy(IdentifyWay),
}

impl Matching {
    /// Whether records are matched by `identifier`.
    pub fn uses(self, identifier: Identifier) -> bool {
        self != Self::Off || identifier == Identifier::AudienceUserId
    }

    /// A short name: `off`, `exact`, `fuzzy1` or `fuzzy2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Exact => "exact",
            Self::Fuzzy(IdentifyWay::UnionidFirst) => "fuzzy1",
            Self::Fuzzy(IdentifyWay::PhoneFirst) => "fuzzy2",
        }
    }
}

/// The order in which fuzzy matching tries identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyWay {
    /// `identifyWay` 1.
    UnionidFirst,
    /// `identifyWay` 2.
    PhoneFirst,
}

impl IdentifyWay {
    /// The identifiers, highest priority first.
    pub fn order(self) -> [Identifier; Identifier::COUNT] {
        use Identifier::{AudienceUserId, Openid, Phone, Unionid};
        match self {
            Self::UnionidFirst => [Unionid, Openid, Phone, AudienceUserId],
            Self::PhoneFirst => [Phone, Unionid, Openid, AudienceUserId],
        }
    }
}

/// The settings of one import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// How records are matched with customers.
    pub matching: Matching,
    /// What is done with the memberships.
    pub opt_type: OptType,
    /// Whether nothing is written (contract, section 9).
    pub dry_run: bool,
    /// Whether the response lists the customer of each record (contract, section 9).
    pub explain: bool,
}

const BOOLEAN: &str = "布尔值true或false";

impl Params {
    /// Parses the `publicParams` of a body.
    ///
    /// # Errors
    /// A name is a near miss of a parameter's, or a field that the mode uses is missing or invalid. Other fields are
    /// not checked.
    pub fn parse(sent: Option<&RawValue>) -> Result<Self, Rejection> {
        let params = sent
            .and_then(|raw| Object::parse(raw.get()).ok())
            .ok_or_else(|| Rejection::parameter("publicParams", sent, "对象"))?;
        near_miss::check(&params, Place::Inside)?;
        let error = |name: &str, expected| {
            Rejection::parameter(format!("publicParams.{name}"), params.get(name), expected)
        };
        // The value of a number as a double counts, however it is written.
        let number = |name| params.get(name).and_then(|raw| raw.get().parse().ok());
        let is_matching = params.get("isMatching").map_or("null", RawValue::get);

        let matching = match (is_matching, number("matchingType"), number("identifyWay")) {
            ("false", ..) => Matching::Off,
            ("true", Some(1.0), _) => Matching::Exact,
            ("true", Some(2.0), Some(1.0)) => Matching::Fuzzy(IdentifyWay::UnionidFirst),
            ("true", Some(2.0), Some(2.0)) => Matching::Fuzzy(IdentifyWay::PhoneFirst),
            ("true", Some(2.0), _) => {
                let expected = "整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)";
                return Err(error("identifyWay", expected));
            }
            ("true", ..) => return Err(error("matchingType", "整数1(精准匹配)或2(模糊匹配)")),
            _ => return Err(error("isMatching", BOOLEAN)),
        };
        let opt_type = match params.get("optType").and_then(fields::text).as_deref() {
            Some("add") => OptType::Add,
            Some("delete") => OptType::Delete,
            _ => return Err(error("optType", "字符串add(新增)或delete(删除)")),
        };
        let switch = |name| match params.get(name).map(RawValue::get) {
            None | Some("null" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(error(name, BOOLEAN)),
        };
        Ok(Self { matching, opt_type, dry_run: switch("dryRun")?, explain: switch("explain")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(rejection: Rejection) -> String {
        match rejection {
            Rejection::Parameter(error) => error.field,
            other => panic!("{other:?}"),
        }
    }

    fn parse(json: &str) -> Result<Params, String> {
        let raw: &RawValue = serde_json::from_str(json).expect("the case is JSON");
        Params::parse(Some(raw)).map_err(field)
    }

    #[test]
    fn all_modes_are_parsed() {
        let cases = [
            (r#"{"isMatching":false,"optType":"add"}"#, Matching::Off, OptType::Add),
            (r#"{"isMatching":true,"matchingType":1,"optType":"delete"}"#, Matching::Exact, OptType::Delete),
            (
                r#"{"isMatching":true,"matchingType":2,"identifyWay":1,"optType":"add"}"#,
                Matching::Fuzzy(IdentifyWay::UnionidFirst),
                OptType::Add,
            ),
            (
                "{ \"optType\" : \"\\u0061dd\",\n\"identifyWay\":2 ,\"matchingType\" : 2, \"is\\u004datching\":true }",
                Matching::Fuzzy(IdentifyWay::PhoneFirst),
                OptType::Add,
            ),
        ];
        for (json, matching, opt_type) in cases {
            let expected = Params { matching, opt_type, dry_run: false, explain: false };
            assert_eq!(parse(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn dry_run_and_explain_are_optional() {
        let flags = |more: &str| {
            let params = parse(&format!(r#"{{"isMatching":false,"optType":"add"{more}}}"#));
            params.map(|params| (params.dry_run, params.explain))
        };
        assert_eq!(flags(""), Ok((false, false)));
        assert_eq!(flags(r#","dryRun":true,"explain":false"#), Ok((true, false)));
        assert_eq!(flags(r#","dryRun":false,"explain":true"#), Ok((false, true)));
        assert_eq!(flags(r#","dryRun":null,"explain":null"#), Ok((false, false)));
        for value in ["1", "0", "\"true\"", "[]"] {
            for name in ["dryRun", "explain"] {
                assert_eq!(
                    flags(&format!(r#","{name}":{value}"#)),
                    Err(format!("publicParams.{name}")),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn a_number_is_judged_by_its_value() {
        for (one, two) in [
            ("1", "2"),
            ("1.0", "2.000"),
            ("1e0", "20E-1"),
            ("10e-1", "0.2e+1"),
            ("0.99999999999999999999", "2.0000000000000000001"),
        ] {
            let exact = parse(&format!(r#"{{"isMatching":true,"matchingType":{one},"optType":"add"}}"#));
            assert_eq!(exact.map(|params| params.matching), Ok(Matching::Exact), "{one}");
            for (way, identify_way) in [(one, IdentifyWay::UnionidFirst), (two, IdentifyWay::PhoneFirst)] {
                let json = format!(
                    r#"{{"isMatching":true,"matchingType":{two},"identifyWay":{way},"optType":"add"}}"#
                );
                assert_eq!(
                    parse(&json).map(|params| params.matching),
                    Ok(Matching::Fuzzy(identify_way)),
                    "{json}"
                );
            }
        }
        for number in ["-1", "0", "1.0000000000000003", "1e1", "1e999", "\"1.0\"", "[1]", "\"inf\""] {
            let json =
                format!(r#"{{"isMatching":true,"matchingType":{number},"identifyWay":1,"optType":"add"}}"#);
            assert_eq!(parse(&json), Err("publicParams.matchingType".to_owned()), "{number}");
        }
    }

    #[test]
    fn unused_fields_are_ignored() {
        for json in [
            r#"{"isMatching":false,"matchingType":"x","identifyWay":[1e999],"optType":"add"}"#,
            r#"{"isMatching":true,"matchingType":1,"identifyWay":{"a":"\ud800"},"optType":"add"}"#,
            r#"{"isMatching":false,"optType":"add","else":9,"\ud800":1,"":null}"#,
            r#"{"isMatching":7,"isMatching":false,"optType":"add"}"#,
        ] {
            assert!(parse(json).is_ok(), "{json}");
        }
    }

    #[test]
    fn invalid_field_is_reported() {
        let cases = [
            ("[]", ""),
            ("null", ""),
            (r#""{}""#, ""),
            (r#"{"optType":"add"}"#, ".isMatching"),
            (r#"{"isMatching":null,"optType":"add"}"#, ".isMatching"),
            (r#"{"isMatching":"true","optType":"add"}"#, ".isMatching"),
            (r#"{"isMatching":1,"optType":"add"}"#, ".isMatching"),
            (r#"{"isMatching":true,"optType":"add"}"#, ".matchingType"),
            (r#"{"isMatching":true,"matchingType":"1","optType":"add"}"#, ".matchingType"),
            (r#"{"isMatching":true,"matchingType":3,"optType":"add"}"#, ".matchingType"),
            (r#"{"isMatching":true,"matchingType":true,"optType":"add"}"#, ".matchingType"),
            (r#"{"isMatching":true,"matchingType":1.5,"optType":"add"}"#, ".matchingType"),
            (r#"{"isMatching":true,"matchingType":2,"optType":"add"}"#, ".identifyWay"),
            (r#"{"isMatching":true,"matchingType":2,"identifyWay":"1","optType":"add"}"#, ".identifyWay"),
            (r#"{"isMatching":true,"matchingType":2,"identifyWay":0,"optType":"add"}"#, ".identifyWay"),
            (r#"{"isMatching":false}"#, ".optType"),
            (r#"{"isMatching":false,"optType":1}"#, ".optType"),
            (r#"{"isMatching":false,"optType":"ADD"}"#, ".optType"),
            (r#"{"isMatching":false,"optType":" add"}"#, ".optType"),
            (r#"{"isMatching":false,"optType":"\ud800"}"#, ".optType"),
        ];
        for (json, field) in cases {
            assert_eq!(parse(json), Err(format!("publicParams{field}")), "{json}");
        }
        assert!(Params::parse(None).is_err());
    }
}
