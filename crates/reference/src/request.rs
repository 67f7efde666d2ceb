//! The body of a request, parsed without the function (contract, sections 3, 4 and 7).

use std::collections::BTreeMap;

use raw_fields::Fields;
use serde_json::Value;
use serde_json::value::RawValue;

/// The default limit on the records of a request.
pub const MAX_RECORDS: usize = 5_000;

/// The fields of a record.
pub const FIELDS: [&str; 5] = ["audienceUserId", "openid", "unionid", "phone", "groups"];

const PARAMS: [&str; 6] = ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];

/// A body that is an import.
pub struct Request<'a> {
    pub params: Value,
    pub records: Vec<Sent<'a>>,
}

/// The [`FIELDS`] of a record, each as the JSON text that was sent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent<'a>([Option<&'a str>; FIELDS.len()]);

impl<'a> Request<'a> {
    /// # Errors
    /// The body is not an import of at most `max_records` records.
    pub fn read(body: &'a [u8], max_records: usize) -> Result<Self, String> {
        let text = str::from_utf8(body).map_err(|error| error.to_string())?;
        let [params, data] = members(&["publicParams", "data"], text)?.map(Option::unwrap_or_default);
        let near_misses = [near_misses(text, true), near_misses(params, false)].concat();
        ensure!(near_misses.is_empty(), "near misses of parameters: {near_misses:?}");
        let params = PARAMS.into_iter().zip(members(&PARAMS, params)?);
        let params = params.map(|(name, raw)| (name.to_owned(), raw.map_or(Value::Null, meaning))).collect();
        ensure!(are_valid(&params), "the parameters are not valid: {params}");
        let data: Vec<&RawValue> = serde_json::from_str(data).map_err(|error| format!("data: {error}"))?;
        ensure!((1..=max_records).contains(&data.len()), "{} records", data.len());
        let records = data.into_iter().map(|record| members(&FIELDS, record.get()).map(Sent));
        Ok(Self { params, records: records.collect::<Result<_, _>>()? })
    }

    /// The records in the form of the model.
    pub fn meanings(&self) -> Vec<Value> {
        let fields = |sent: &Sent<'_>| {
            sent.fields().map(|(name, raw)| (name.to_owned(), meaning(raw))).collect::<Value>()
        };
        self.records.iter().map(fields).collect()
    }
}

impl<'a> Sent<'a> {
    /// The fields present, each with its name.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        FIELDS.into_iter().zip(self.0).filter_map(|(name, raw)| Some((name, raw?)))
    }
}

/// Members of an object as JSON text; of a repeated one, the last counts.
fn members<'a, const N: usize>(
    names: &'static [&'static str; N],
    json: &'a str,
) -> Result<[Option<&'a str>; N], String> {
    if let Ok(all) = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(json) {
        return Ok(names.map(|name| all.get(name).map(|raw| raw.get())));
    }
    // Only names that are not Unicode text are left to the parser shared with the function.
    let fields = Fields::parse(names, json).map_err(|error| format!("{error}: {json:.100}"))?;
    Ok(std::array::from_fn(|position| fields.get(position).map(RawValue::get)))
}

/// The names that differ from a parameter's only in case, `_` and `-`, unless their value is null.
fn near_misses(object: &str, exact_counts: bool) -> Vec<String> {
    let bare = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
    let mut names = Vec::new();
    let is_object = Fields::parse_with(&[], object, |name, value| {
        let is_meant = PARAMS.iter().any(|parameter| bare(parameter) == bare(name));
        if is_meant && (exact_counts || !PARAMS.contains(&name)) && value.get() != "null" {
            names.push(name.to_owned());
        }
    });
    is_object.map_or(Vec::new(), |_| names)
}

/// The value of a JSON text. What `Value` cannot represent (half a surrogate pair, a number beyond `f64`, very deep
/// nesting) is treated like any other invalid value.
fn meaning(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::Array(Vec::new()))
}

fn are_valid(params: &Value) -> bool {
    let matching = match &params["isMatching"] {
        Value::Bool(false) => true,
        Value::Bool(true) if params["matchingType"] == 2 => {
            params["identifyWay"] == 1 || params["identifyWay"] == 2
        }
        Value::Bool(true) => params["matchingType"] == 1,
        _ => false,
    };
    let flags = ["dryRun", "explain"].map(|name| &params[name]);
    matching
        && (params["optType"] == "add" || params["optType"] == "delete")
        && flags.iter().all(|flag| flag.is_null() || flag.is_boolean())
}
