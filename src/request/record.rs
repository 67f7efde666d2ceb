//! One record of an import: as sent, and validated (contract, section 4).

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::request::failure::{FAILURE_BYTES, Failure, FieldFault};
use crate::request::fields::{self, Member, Object};
use crate::request::group::GroupNames;
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::name::{is_alike, shown};
use crate::request::params::{Matching, Params};
use crate::request::text::trim;

/// The field with the names of groups.
const GROUPS: &str = "groups";

/// The members that a response adds to a failed record (contract, section 7).
const ADDED: [&str; 4] = ["index", "errorCode", "errorMsg", "retryable"];

/// The fields of a record in the order in which a failed record returns them.
fn fields() -> impl Iterator<Item = &'static str> {
    Identifier::ALL.into_iter().map(Identifier::field).chain([GROUPS])
}

/// A record as it was sent.
#[derive(Debug)]
pub struct SentRecord<'a> {
    members: Object<'a>,
    /// The members whose names are nearly those of fields, such as `unionId` (contract, section 4). Ignoring one could
    /// mean another customer. Their names have ASCII letters, `_` and `-` only.
    variants: Vec<Member<'a, &'static str>>,
}

/// A valid record.
pub struct Record<'a> {
    /// The identifiers, normalised.
    pub identifiers: Identifiers<'a>,
    /// At least one group name.
    pub groups: GroupNames<'a>,
}

impl<'a> SentRecord<'a> {
    /// Parses one element of `data`; `None` if it is not an object.
    pub fn parse(element: &'a RawValue) -> Option<Self> {
        let members = Object::parse(element.get()).ok()?;
        let is_field = |name: &str| fields().any(|field| field == name);
        let alike = |name: &str| fields().find(|field| is_alike(name, field));
        let variants = members.select(|name| if is_field(name) { None } else { alike(name) });
        Some(Self { members, variants })
    }

    /// Validates the record for an import of this mode.
    ///
    /// # Errors
    /// The first of `INVALID_FIELD`, `MISSING_IDENTIFIER` and `MISSING_GROUPS` that applies. Fields
    /// that the mode does not use must be valid, too, but may be misnamed.
    pub fn check(&self, Params { matching, opt_type, .. }: Params) -> Result<Record<'a>, Failure> {
        let mut identifiers = Identifiers::default();
        for identifier in Identifier::ALL {
            let field = identifier.field();
            let value = self.text(field, matching.uses(identifier))?;
            let value = identifier.normalise(value).map_err(|fault| invalid(field, fault))?;
            identifiers.set(identifier, value);
        }
        let groups =
            GroupNames::parse(self.text(GROUPS, true)?, opt_type).map_err(|fault| invalid(GROUPS, fault))?;

        let mut used = Identifier::ALL.into_iter().filter(|identifier| matching.uses(*identifier));
        if used.all(|identifier| identifiers.get(identifier).is_none()) {
            let is_off = matching == Matching::Off;
            return Err(if is_off { Failure::MissingCustomerId } else { Failure::MissingIdentifier });
        }
        if groups.is_empty() {
            return Err(Failure::MissingGroups);
        }
        Ok(Record { identifiers, groups })
    }

    /// What a failed record returns, each with its name and its JSON text: the fields sent, then their variants.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        let fields = fields().filter_map(|name| Some((name, self.members.get(name)?)));
        fields.chain(self.variants.iter().map(|variant| (&*variant.name, variant.value)))
    }

    /// The bytes of what a response added to the record, if it is sent back; at least as many as any usual form takes, and
    /// at most [`FAILURE_BYTES`].
    pub(super) fn returned_bytes(&self) -> usize {
        let added = ADDED.iter().filter_map(|name| Some((name, self.members.get(name)?)));
        let bytes = added.map(|(name, raw)| name.len() + raw.get().len() + ", \"\": ".len());
        bytes.sum::<usize>().min(FAILURE_BYTES)
    }

    /// The text of a field, empty if it is null or absent. A field that `is_used` is misnamed if it is blank and a variant
    /// of it is given.
    fn text(&self, field: &'static str, is_used: bool) -> Result<Cow<'a, str>, Failure> {
        let text = match self.members.get(field) {
            None => Cow::default(),
            Some(raw) if raw.get() == "null" => Cow::default(),
            Some(raw) => match fields::text(raw) {
                Some(text) => text,
                None if raw.get().starts_with('"') => return Err(invalid(field, FieldFault::NotText)),
                None => return Err(invalid(field, FieldFault::NotString)),
            },
        };
        if is_used && self.variant(field).is_some() && trim(&text).is_empty() {
            return Err(invalid(field, FieldFault::Misnamed));
        }
        Ok(text)
    }

    /// The first variant of a field that is neither null nor blank.
    fn variant(&self, field: &str) -> Option<&Member<'a, &'static str>> {
        let is_given = |raw: &RawValue| {
            raw.get() != "null" && fields::text(raw).is_none_or(|text| !trim(&text).is_empty())
        };
        self.variants.iter().find(|variant| variant.meant == field && is_given(variant.value))
    }
}

fn invalid(field: &'static str, fault: FieldFault) -> Failure {
    Failure::InvalidField { field, fault }
}

/// A failed record as it is returned to the caller (contract, section 7).
#[derive(Debug)]
pub struct FailedRecord<'r, 'a> {
    /// Its place in the `data` sent, from 0.
    pub index: usize,
    /// The record as it was sent.
    pub sent: &'r SentRecord<'a>,
    /// Why it failed.
    pub failure: Failure,
}

impl FailedRecord<'_, '_> {
    fn message(&self) -> String {
        let misnamed = match self.failure {
            Failure::InvalidField { field, fault: FieldFault::Misnamed } => self.sent.variant(field),
            _ => None,
        };
        self.failure.message(&misnamed.map(|variant| shown(&variant.name)).unwrap_or_default())
    }
}

impl Serialize for FailedRecord<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, raw) in self.sent.members() {
            map.serialize_entry(name, raw)?;
        }
        let [index, code, message, retryable] = ADDED;
        map.serialize_entry(index, &self.index)?;
        map.serialize_entry(code, self.failure.code())?;
        map.serialize_entry(message, &self.message())?;
        map.serialize_entry(retryable, &self.failure.retryable())?;
        map.end()
    }
}

opaque_debug!(Record<'_>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::params::{IdentifyWay, Matching, OptType};
    use crate::request::vectors;

    /// The `errorMsg` of a record, or `None` if it is not `INVALID_FIELD`; and the failed record.
    fn invalid_field(json: &str, matching: Matching) -> (Option<String>, String) {
        let element = serde_json::from_str(json).expect("JSON");
        let sent = SentRecord::parse(element).expect("an object");
        let params = Params { matching, opt_type: OptType::Add, dry_run: false, explain: false };
        let failure = sent.check(params).err().unwrap_or(Failure::NotMatched);
        let failed = FailedRecord { index: 0, sent: &sent, failure };
        let failed = serde_json::to_string(&failed).expect("serialises");
        let message = failed.split('"').skip_while(|part| *part != "errorMsg").nth(2).map(str::to_owned);
        (message.filter(|_| failure.code() == "INVALID_FIELD"), failed)
    }

    const FUZZY: Matching = Matching::Fuzzy(IdentifyWay::PhoneFirst);

    #[test]
    fn variants_are_those_of_the_vectors() {
        for vector in vectors("variants") {
            let name = vector["name"].as_str().expect("a text");
            let (message, failed) = invalid_field(&format!(r#"{{"{name}":"x"}}"#), FUZZY);
            let expected = vector["of"].as_str().map(|field| format!("字段名{name}应为{field}"));
            assert_eq!(failed.starts_with(&format!(r#"{{"{name}":"x","index":0,"#)), expected.is_some());
            assert_eq!(message, expected, "{vector}");
        }
    }

    #[test]
    fn what_is_no_text_says_why() {
        let message = |json| invalid_field(json, FUZZY).0.expect("an invalid field");
        assert_ne!(message(r#"{"phone":"\ud800"}"#), message(r#"{"phone":1}"#));
    }

    #[test]
    fn a_variant_counts_only_in_place_of_a_used_field() {
        for (json, off, fuzzy) in [
            (r#""unionid":"u","unionId":"v""#, None, None),
            (r#""unionId":null,"open_id":"","Phone":" \u200b""#, None, None),
            (r#""unionid":null,"unionId":"v""#, None, Some("字段名unionId应为unionid")),
            (r#""unionid":"\ufeff \u3000","union_id":0"#, None, Some("字段名union_id应为unionid")),
            (r#""UNIONID":"\ud800""#, None, Some("字段名UNIONID应为unionid")),
            (r#""phone":"()","Phone":"1""#, None, None),
            (
                r#""audienceUserID":[]"#,
                Some("字段名audienceUserID应为audienceUserId"),
                Some("字段名audienceUserID应为audienceUserId"),
            ),
            (r#""Groups":",""#, Some("字段名Groups应为groups"), Some("字段名Groups应为groups")),
            (r#""groups":",","Groups":"g""#, None, None),
            // The first of them that is given, and of a repeated one the last value.
            (
                r#""Unionid":" ","unionID":null,"unionId":"1","union_id":"2""#,
                None,
                Some("字段名unionId应为unionid"),
            ),
            (r#""unionId":"1","union_id":"2","unionId":null"#, None, Some("字段名union_id应为unionid")),
            (r#""unionId":"1","union\u0049d":"""#, None, None),
            (r#""openid":7,"unionId":"1""#, Some("openid必须是字符串"), Some("openid必须是字符串")),
        ] {
            let json = format!("{{{json}}}");
            assert_eq!(invalid_field(&json, Matching::Off).0.as_deref(), off, "{json}");
            for matching in [Matching::Exact, FUZZY] {
                assert_eq!(invalid_field(&json, matching).0.as_deref(), fuzzy, "{json}");
            }
        }
    }

    #[test]
    fn a_long_name_of_a_variant_is_cut_in_the_message_only() {
        let name = "_".repeat(40) + "phone";
        let (message, failed) = invalid_field(&format!(r#"{{"{name}":1}}"#), FUZZY);
        assert_eq!(message, Some(format!("字段名{}应为phone", "_".repeat(32))));
        assert!(failed.starts_with(&format!(r#"{{"{name}":1,"index""#)), "{failed}");
    }

    #[test]
    fn a_failed_record_returns_its_variants_verbatim() {
        let json = r#"{"x":1,"Phone":1e999,"unionId":null,"groups":"g","open\u005fid":"a\u0062","Phone":[ 2 ],"phone\ud800":3}"#;
        let (_, failed) = invalid_field(json, FUZZY);
        let expected = r#"{"groups":"g","Phone":[ 2 ],"unionId":null,"open_id":"a\u0062","index":0,"#;
        assert!(failed.starts_with(expected), "{failed}");
        // Posted back, it fails again.
        let again = invalid_field(&failed, FUZZY);
        assert_eq!(again.1, failed);
    }
}
