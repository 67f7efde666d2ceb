//! One record of an import: as sent, and validated (contract, section 4).

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::request::failure::{Failure, FieldFault};
use crate::request::group::GroupNames;
use crate::request::identifier::{Identifier, Identifiers};
use crate::request::params::Matching;
use raw_fields::Fields;

/// The fields of a record in the order in which a failed record returns them: the identifiers, then
/// [`GROUPS`].
const FIELDS: [&str; Identifier::COUNT + 1] = {
    let mut fields = ["groups"; Identifier::COUNT + 1];
    let mut position = 0;
    while position < Identifier::COUNT {
        fields[position] = Identifier::ALL[position].field();
        position += 1;
    }
    fields
};
const GROUPS: usize = Identifier::COUNT;

/// A record as it was sent.
#[derive(Debug)]
pub struct SentRecord<'a>(Fields<'a, { FIELDS.len() }>);

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
        Fields::parse(&FIELDS, element.get()).ok().map(Self)
    }

    /// Validates the record for an import of this mode.
    ///
    /// # Errors
    /// The first of `INVALID_FIELD`, `MISSING_IDENTIFIER` and `MISSING_GROUPS` that applies. Fields
    /// that the mode does not use must be valid, too.
    pub fn check(&self, matching: Matching) -> Result<Record<'a>, Failure> {
        let mut identifiers = Identifiers::default();
        for (position, identifier) in Identifier::ALL.into_iter().enumerate() {
            let value = self.text(position)?.unwrap_or_default();
            let value = identifier.normalise(value).map_err(|fault| invalid(position, fault))?;
            identifiers.set(identifier, value);
        }
        let groups = GroupNames::parse(self.text(GROUPS)?.unwrap_or_default())
            .map_err(|fault| invalid(GROUPS, fault))?;

        let unidentified = match matching {
            Matching::Off => identifiers.get(Identifier::AudienceUserId).is_none(),
            Matching::Exact | Matching::Fuzzy(_) => identifiers.is_empty(),
        };
        if unidentified {
            return Err(Failure::MissingIdentifier);
        }
        if groups.is_empty() {
            return Err(Failure::MissingGroups);
        }
        Ok(Record { identifiers, groups })
    }

    /// The fields sent, each with its name and its JSON text.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'a RawValue)> {
        FIELDS.into_iter().enumerate().filter_map(|(position, name)| Some((name, self.0.get(position)?)))
    }

    fn text(&self, position: usize) -> Result<Option<Cow<'a, str>>, Failure> {
        match self.0.get(position) {
            None => Ok(None),
            Some(raw) if raw.get() == "null" => Ok(None),
            Some(raw) => match raw_fields::text(raw) {
                Some(text) => Ok(Some(text)),
                None if raw.get().starts_with('"') => Err(invalid(position, FieldFault::NotText)),
                None => Err(invalid(position, FieldFault::NotString)),
            },
        }
    }
}

fn invalid(position: usize, fault: FieldFault) -> Failure {
    Failure::InvalidField { field: FIELDS[position], fault }
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

impl Serialize for FailedRecord<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, raw) in self.sent.fields() {
            map.serialize_entry(name, raw)?;
        }
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("errorCode", self.failure.code())?;
        map.serialize_entry("errorMsg", &self.failure.message())?;
        map.serialize_entry("retryable", &self.failure.retryable())?;
        map.end()
    }
}

/// Does not show the content, which is the caller's data.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}
