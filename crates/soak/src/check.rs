//! Answers, held against the model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use reference::draw::Import;
use reference::world::{self, Ending};
use testing::function::Response;

/// The answer to an import all of whose calls were answered.
pub fn is_right(response: &Response, import: &Import, endings: &[Ending]) {
    let mut data = response.data().clone();
    for failed in data["errorData"].as_array_mut().into_iter().flatten() {
        let message = failed.as_object_mut().and_then(|failed| failed.remove("errorMsg"));
        assert!(message.is_some_and(|message| message != ""), "no errorMsg");
    }
    let mut expected = world::result(&import.records, endings);
    if import.params["explain"] == true {
        expected["matches"] = matches(&import.params, endings);
    }
    assert_eq!(data, expected, "{}", import.params);
}

fn matches(params: &Value, endings: &[Ending]) -> Value {
    (0..).zip(endings).filter_map(|(index, ending)| ending.explained(index, params)).collect()
}

/// The answer to an import some of whose calls failed: what must hold all the same. Gives the endings of the records
/// that succeeded, and the records that are to be sent again.
pub fn is_right_after_faults<'e>(
    response: &Response,
    import: &Import,
    endings: &'e [Ending],
) -> (Vec<&'e Ending>, Vec<Value>) {
    let data = response.data();
    let failed = data["errorData"].as_array().map_or(&[][..], Vec::as_slice);
    let (succeeded, records) = (&data["importSuccessNum"], import.records.len());
    assert_eq!(data["importFailNum"], failed.len());
    assert_eq!(*succeeded, records - failed.len());

    // A failed record is told from its equals by its place: of those, each ends as the others do.
    let mut open: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for failed in failed {
        open.entry(sent(failed)).or_default().push(failed);
    }
    let (mut done, mut again) = (Vec::new(), Vec::new());
    for (record, ending) in import.records.iter().zip(endings) {
        let failed = open.get_mut(&sent(record)).and_then(Vec::pop);
        let code = failed.map(|failed| failed["errorCode"].as_str().expect("a code"));
        match (code, failed) {
            (Some("STORE_ERROR" | "TIMEOUT"), Some(failed)) => {
                let unsound = ["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS"];
                assert!(!ending.code.is_some_and(|code| unsound.contains(&code)), "{failed}");
                assert_eq!(failed["retryable"], true);
                again.push(failed.clone());
            }
            (Some(code), Some(failed)) => {
                assert_eq!((ending.code, &failed["retryable"]), (Some(code), &json!(false)), "{record}");
            }
            _ => {
                assert_eq!(ending.code, None, "{record}");
                done.push(ending);
            }
        }
    }
    assert!(open.values().all(Vec::is_empty), "errorData holds what was not sent");
    (done, again)
}

/// The fields of a record.
fn sent(record: &Value) -> String {
    json!(["audienceUserId", "openid", "unionid", "phone", "groups"].map(|field| record.get(field)))
        .to_string()
}
