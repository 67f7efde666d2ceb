//! Parameters, records and checks of responses that many tests use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::function::{Function, Response};
use crate::stage::Stage;

/// `publicParams` without matching.
pub fn off(opt_type: &str) -> Value {
    json!({"isMatching": false, "optType": opt_type})
}

/// `publicParams` of exact matching.
pub fn exact(opt_type: &str) -> Value {
    json!({"isMatching": true, "matchingType": 1, "optType": opt_type})
}

/// `publicParams` of fuzzy matching.
pub fn fuzzy(identify_way: u8, opt_type: &str) -> Value {
    json!({"isMatching": true, "matchingType": 2, "identifyWay": identify_way, "optType": opt_type})
}

/// Memberships in the form of [`Stage::memberships`].
pub fn pairs<K: ToString, G: ToString>(
    expected: impl IntoIterator<Item = (K, G)>,
) -> BTreeSet<(String, String)> {
    expected.into_iter().map(|(key, group)| (key.to_string(), group.to_string())).collect()
}

/// Customers `c0`, `c1` and so on, with the openids `o0`, `o1` and so on.
pub fn customers(n: usize) -> impl Iterator<Item = Value> {
    (0..n).map(|n| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")}))
}

/// Records for group `g`, each with this identifier alone: `{prefix}0`, `{prefix}1` and so on.
pub fn records(field: &str, prefix: &str, n: usize) -> Value {
    (0..n).map(|n| json!({field: format!("{prefix}{n}"), "groups": "g"})).collect()
}

/// A record for each of [`customers`] by its ID.
pub fn numbered(n: usize) -> Value {
    records("audienceUserId", "c", n)
}

/// The memberships that [`numbered`] records name.
pub fn numbered_pairs(n: usize) -> BTreeSet<(String, String)> {
    pairs((0..n).map(|n| (format!("t1#c{n}"), "g")))
}

/// The codes of the failed records by their value of `field`.
pub fn failures_by(response: &Response, field: &str) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let failed = response.data()["errorData"].as_array();
    failed.into_iter().flatten().map(|record| (text(&record[field]), text(&record["errorCode"]))).collect()
}

/// Resends the failed records unchanged, after the faults are lifted, and expects all of them to
/// succeed.
pub async fn resend(stage: &Stage, function: &Function, params: &Value, failed: &Response) {
    stage.database.clear_rules();
    let body = format!(r#"{{"publicParams":{params},"data":{}}}"#, failed.error_data());
    let response = function.post(crate::stage::TOKEN, body).await;
    assert_eq!(response.data()["errorData"], Value::Null, "the fault is lifted");
    assert_eq!(response.data()["importSuccessNum"], failed.data()["importFailNum"]);
}

/// The records of `errorData` as text, without their indexes, which change when they are resent.
pub fn without_indexes(error_data: &str) -> Vec<String> {
    let records: Vec<&RawValue> = serde_json::from_str(error_data).expect("an array");
    let without_index = |record: &RawValue| {
        let (before, after) = record.get().rsplit_once("\"index\":").expect("a place");
        before.to_owned() + after.trim_start_matches(|char: char| char.is_ascii_digit())
    };
    records.into_iter().map(without_index).collect()
}
