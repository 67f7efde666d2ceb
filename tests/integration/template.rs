//! `template.yaml` as JSON, in which intrinsic functions are texts and lists that begin with their names: `!Ref Api` is
//! `"Ref Api"`, and `!If [Trace, a, b]` is `["If", "Trace", "a", "b"]`. Those before a block are left out: without one,
//! its list would be of the wrong type, which `make validate` notices.

use std::sync::LazyLock;

use serde_json::Value;

/// The part of the template at a JSON pointer.
pub fn at(pointer: &str) -> Value {
    static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
        let mut template = include_str!("../../template.yaml").to_owned();
        for function in ["And", "Condition", "Equals", "GetAtt", "If", "Not", "Ref", "Sub"] {
            template = template.replace(&format!("!{function} ["), &format!("[{function}, "));
            template = template.replace(&format!("!{function} "), &format!("{function} "));
        }
        serde_saphyr::from_str(&template).expect("YAML")
    });
    TEMPLATE.pointer(pointer).expect(pointer).clone()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The elements of a list, or a single value.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}
