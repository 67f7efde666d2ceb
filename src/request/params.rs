//! The import's settings, `publicParams` (contract, section 3).

use serde_json::value::RawValue;

use crate::request::identifier::Identifier;
use crate::request::near_miss::parse_fields;

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
    /// 1: unionid, openid, phone, audienceUserId.
    UnionidFirst,
    /// 2: phone, unionid, openid, audienceUserId.
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

/// A parameter that is missing or invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct ParameterError {
    /// Its path in the body, such as `publicParams.optType` or `data[3]`.
    pub field: String,
    /// The expected value, in Chinese, for the caller.
    pub expected: &'static str,
}

impl ParameterError {
    /// An error about `field`.
    pub fn new(field: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), expected }
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

/// The names of the parameters.
pub(super) const NAMES: [&str; 6] =
    ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];

const BOOLEAN: &str = "布尔值true或false";

impl Params {
    /// Parses the `publicParams` of a body.
    ///
    /// # Errors
    /// A name is a near miss of a parameter's, or a field that the mode uses is missing or invalid. Other fields are
    /// not checked.
    pub fn parse(sent: Option<&RawValue>) -> Result<Self, ParameterError> {
        let error = |name: &str, expected| Err(ParameterError::new(format!("publicParams.{name}"), expected));
        let (fields, misspelt) = sent
            .and_then(|raw| parse_fields(&NAMES, raw.get()).ok())
            .ok_or_else(|| ParameterError::new("publicParams", "对象"))?;
        if let Some((name, parameter)) = misspelt {
            return error(&name, parameter);
        }
        let [is_matching, matching_type, identify_way, opt_type, dry_run, explain] =
            std::array::from_fn(|position| fields.get(position));

        let matching = match (literal(is_matching), literal(matching_type), literal(identify_way)) {
            ("false", ..) => Matching::Off,
            ("true", "1", _) => Matching::Exact,
            ("true", "2", "1") => Matching::Fuzzy(IdentifyWay::UnionidFirst),
            ("true", "2", "2") => Matching::Fuzzy(IdentifyWay::PhoneFirst),
            ("true", "2", _) => {
                return error(
                    "identifyWay",
                    "整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)",
                );
            }
            ("true", ..) => return error("matchingType", "整数1(精准匹配)或2(模糊匹配)"),
            _ => return error("isMatching", BOOLEAN),
        };
        let opt_type = match opt_type.and_then(raw_fields::text).as_deref() {
            Some("add") => OptType::Add,
            Some("delete") => OptType::Delete,
            _ => return error("optType", "字符串add(新增)或delete(删除)"),
        };
        let option = |name: &str, field: Option<&RawValue>| match field.map(RawValue::get) {
            None | Some("null" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ParameterError::new(format!("publicParams.{name}"), BOOLEAN)),
        };
        Ok(Self {
            matching,
            opt_type,
            dry_run: option("dryRun", dry_run)?,
            explain: option("explain", explain)?,
        })
    }
}

/// The JSON text of a field; `null` if it is missing.
fn literal(field: Option<&RawValue>) -> &str {
    field.map_or("null", RawValue::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Params, String> {
        let raw: &RawValue = serde_json::from_str(json).expect("the case is JSON");
        Params::parse(Some(raw)).map_err(|error| error.field)
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
