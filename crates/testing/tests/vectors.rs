//! The model reads what people send as the vectors say, which the function's tests read, too.

use serde_json::{Value, json};
use testing::model::request::{IDENTIFIERS, near_miss, variant_of};
use testing::model::text::{has_control_character, has_replacement_character, split, value};
use testing::model::world::World;

/// An identifier without a list of its own is compared as it is.
fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../tests/vectors/sent.json")).expect("JSON");
    all[kind].as_array().or(all["identifiers"].as_array()).expect("a list").clone()
}

/// The code of a record without matching, or `None` for a success.
fn code(opt_type: &str, record: &Value) -> Option<&'static str> {
    let params = json!({"isMatching": false, "optType": opt_type});
    World::default().import("t1", &params, std::slice::from_ref(record))[0].code
}

#[test]
fn identifiers() {
    for field in IDENTIFIERS {
        for vector in vectors(&format!("{field}s")) {
            let mut record = json!({"audienceUserId": "c", "groups": "g"});
            record[field] = vector["sent"].clone();
            let is_invalid = code("add", &record) == Some("INVALID_FIELD");
            assert_eq!(is_invalid, vector["invalid"] == true, "{vector}");
            let compared = value(&record, field);
            assert!(is_invalid || compared.as_deref() == vector["compared"].as_str(), "{vector}");
        }
    }
}

#[test]
fn groups() {
    for vector in vectors("groups") {
        let record = json!({"audienceUserId": "c", "groups": vector["sent"]});
        let names = split(vector["sent"].as_str().expect("a text"));
        for opt_type in ["add", "delete"] {
            let is_invalid = code(opt_type, &record) == Some("INVALID_FIELD");
            assert_eq!(is_invalid, !vector[opt_type].is_array(), "{vector}");
            assert!(is_invalid || vector[opt_type] == json!(names), "{vector}");
        }
        let is_damaged = |name: &String| has_control_character(name) || has_replacement_character(name);
        assert_eq!(names.iter().any(is_damaged), !vector["add"].is_array(), "{vector}");
    }
}

#[test]
fn names() {
    for vector in vectors("parameters") {
        let name = vector["name"].as_str().expect("a text");
        assert_eq!(near_miss(name, false), vector["inside"].as_str(), "{vector}");
        assert_eq!(near_miss(name, true), vector["beside"].as_str(), "{vector}");
    }
    for vector in vectors("variants") {
        assert_eq!(variant_of(vector["name"].as_str().expect("a text")), vector["of"].as_str(), "{vector}");
    }
}
