//! `docs/openapi.yaml`, and a stricter form of it that every response of a test is held against.
//!
//! The document is plain, for generators of clients, and lets callers expect more than the function returns: fields,
//! codes and statuses that may be added, and responses of API Gateway.

use std::collections::HashMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../docs/openapi.yaml")).expect("docs/openapi.yaml is YAML")
});

/// The only operation.
const OPERATION: &str = "/paths/~1api~1integrate~1audience~1info~1batchAdd/post";

/// A validator of a schema of the document.
pub fn validator(schema: &Value, document: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).expect("the document has valid schemas")
}

/// Why a value does not fit.
pub fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The operation's request body, and each documented response by its status.
pub fn bodies(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let operation = document.pointer(OPERATION).expect("the operation is documented");
    let responses = operation["responses"].as_object().expect("statuses").iter();
    let responses = responses.map(|(status, response)| (status.clone(), referred(document, response)));
    [("request".to_owned(), &operation["requestBody"])].into_iter().chain(responses)
}

/// The examples of a request's or a response's body.
pub fn examples(body: &Value) -> impl Iterator<Item = &Value> {
    let content = &body["content"]["application/json"];
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    named.chain(content.get("example"))
}

fn referred<'a>(document: &'a Value, referring: &Value) -> &'a Value {
    let reference = referring["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    document.pointer(reference.expect("a reference")).expect("what is referred to")
}

/// What is documented of the responses that the function itself returns with a status.
struct Documented {
    body: Validator,
    /// Each with its name, and whether it must be there.
    headers: Vec<(String, Validator, bool)>,
}

/// Checks a response: nothing undocumented, and nothing documented is missing.
///
/// # Panics
///
/// It does not conform to the document.
pub fn check(status: u64, headers: &Value, envelope: &Value) {
    static STATUSES: LazyLock<HashMap<String, Documented>> = LazyLock::new(strict);
    let documented = STATUSES.get(&status.to_string()).expect("a documented status");
    let found = errors(&documented.body, envelope);
    assert!(found.is_empty(), "a response with {status} is not documented: {found:?}");
    for (name, validator, is_required) in &documented.headers {
        let is_documented = headers.get(name).map_or(!is_required, |value| validator.is_valid(value));
        assert!(is_documented, "{name} of a response with {status}: {:?}", headers.get(name));
    }
}

fn strict() -> HashMap<String, Documented> {
    let mut document = DOCUMENT.clone();
    close(&mut document["components"]["schemas"]);
    let by_gateway = ["request", "429", "502", "504", "default"];
    let statuses = bodies(&document).filter(|(status, _)| !by_gateway.contains(&&**status));
    let documented = statuses.map(|(status, response)| {
        let codes: Vec<_> = examples(response).filter_map(|example| example.get("errorCode")).collect();
        let fields = json!({"errorCode": {"enum": codes}});
        let body = json!({"allOf": [{"$ref": "#/components/schemas/Envelope"}, {"properties": fields}]});
        let headers = response["headers"].as_object().into_iter().flatten().map(|(name, referring)| {
            let header = referred(&document, referring);
            // Those that API Gateway's responses lack.
            let is_required = name != "Idempotent-Replayed";
            (name.clone(), validator(&header["schema"], &document), is_required)
        });
        (status.clone(), Documented { body: validator(&body, &document), headers: headers.collect() })
    });
    documented.collect()
}

/// Allows no field and no code that is not documented.
fn close(schemas: &mut Value) {
    for name in ["Envelope", "ImportResult", "FailedRecord", "Match"] {
        schemas[name]["additionalProperties"] = false.into();
        for field in schemas[name]["properties"].as_object_mut().expect("fields").values_mut() {
            if let Some(known) = field.get("x-extensible-enum").cloned() {
                field["enum"] = known;
            }
        }
    }
    schemas["ImportResult"]["properties"]["dryRun"]["const"] = true.into();
    // The variants of a field's name.
    schemas["FailedRecord"]["patternProperties"] = json!({"^[A-Za-z_-]+$": {}});
}
