//! `docs/openapi.yaml`: its examples, its form, and what it says of requests beside what the function does with them.
//! Every response of every test is held against it as well, see [`testing::specification`].

use serde_json::{Value, json};
use testing::specification::{DOCUMENT, bodies, errors, examples, validator};
use testing::stage::{Stage, TOKEN};

#[test]
fn each_body_has_examples_that_fit_its_schema() {
    for (name, body) in bodies(&DOCUMENT) {
        assert!(examples(body).next().is_some(), "{name}");
        let validator = validator(&body["content"]["application/json"]["schema"], &DOCUMENT);
        for example in examples(body) {
            assert_eq!(errors(&validator, example), [""; 0], "{name}");
        }
    }
}

/// Generators make nameless models, or nothing, of anything else.
#[test]
fn schemas_are_plain_and_named() {
    fn look(value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            assert!(!["oneOf", "allOf", "not", "const", "additionalProperties"].contains(&&**name), "{name}");
            let is_nullable = |union: &Vec<Value>| union.contains(&json!({"type": "null"}));
            assert!(name != "anyOf" || value.as_array().is_some_and(is_nullable), "{value}");
            look(value);
        }
        value.as_array().into_iter().flatten().for_each(look);
    }
    look(&DOCUMENT["components"]["schemas"]);
}

#[tokio::test]
async fn document_and_function_judge_requests() {
    let all: Value = serde_json::from_str(include_str!("../vectors/requests.json")).expect("JSON");
    let requests = all["requests"].as_array().expect("requests");
    assert!(requests.len() > 15);
    let stage = Stage::new().await;
    let function = stage.function().await;
    let validator = validator(&json!({"$ref": "#/components/schemas/ImportRequest"}), &DOCUMENT);
    for request in requests {
        let fits = errors(&validator, &request["body"]).is_empty();
        let response = function.post(TOKEN, request["body"].to_string()).await;
        let expected = (&request["status"], &request["fits"]);
        assert_eq!((&json!(response.status), &json!(fits)), expected, "{}", request["name"]);
    }
}
