//! The state machine of bulk imports (`bulk/template.yaml`): its batches, its retries, and what the function makes of a
//! batch.

use serde_json::{Value, json};
use testing::function::direct_event;
use testing::shorthand::exact;
use testing::stage::{Stage, TOKEN};

/// The maximum duration of an Express execution.
const EXPRESS_SECONDS: u64 = 300;

/// The maps, each with what its item reader reads.
const MAPS: [(&str, &str); 2] = [("Csv", "CSV"), ("JsonLines", "JSONL")];

fn definition() -> Value {
    let template = include_str!("../../bulk/template.yaml");
    let mut template: Value = serde_saphyr::from_str(template).expect("the template is YAML");
    template["Resources"]["BulkImport"]["Properties"]["Definition"].take()
}

/// A map by its name.
fn map(name: &str) -> Value {
    definition()["States"][name].take()
}

/// The task of a map.
fn task(name: &str) -> Value {
    map(name)["ItemProcessor"]["States"][format!("Import{name}")].take()
}

fn number(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_else(|| panic!("{name} of {of}"))
}

#[test]
fn maps_differ_only_in_their_reader() {
    let [csv, json_lines] = MAPS.map(|(name, input_type)| {
        let mut map = map(name);
        let config = &mut map["ItemReader"]["ReaderConfig"];
        assert_eq!(config["InputType"].take(), input_type);
        assert_eq!(config["CSVHeaderLocation"].take() == "FIRST_ROW", input_type == "CSV");
        // State names are unique within a definition.
        map.to_string().replace(&format!("{name}\""), "\"")
    });
    assert_eq!(csv, json_lines);
    let states = definition();
    let states = states["States"].as_object().expect("states");
    assert_eq!(states.values().filter(|state| state["Type"] == "Map").count(), MAPS.len());
}

/// A run dies where batches wait longer and longer, as others take each free slot; so throttled ones wait evenly.
#[test]
fn throttled_batches_wait_evenly_for_as_long_as_they_may() {
    let retrier = task("Csv")["Retry"][0].take();
    assert_eq!(retrier["ErrorEquals"], json!(["Lambda.TooManyRequestsException"]));
    assert_eq!(retrier["BackoffRate"], 1);
    assert_eq!(retrier["JitterStrategy"], "FULL");
    let seconds = number(&retrier, "IntervalSeconds") * number(&retrier, "MaxAttempts");
    assert!((200..EXPRESS_SECONDS).contains(&seconds), "{seconds} s");
}

#[test]
fn all_but_final_errors_are_retried() {
    let task = task("Csv");
    let final_errors = &task["Retry"][1];
    assert_eq!(final_errors["MaxAttempts"], 0);
    let codes =
        ["TOKEN_ERROR", "FORBIDDEN", "PARAM_ERROR", "PAYLOAD_TOO_LARGE", "States.QueryEvaluationError"];
    assert_eq!(final_errors["ErrorEquals"], json!(codes));
    // It must stand last.
    assert_eq!(task["Retry"][2]["ErrorEquals"], json!(["States.ALL"]));
    assert_eq!(task["Retry"].as_array().expect("retriers").len(), 3);
    assert!(number(&task["Retry"][2], "MaxAttempts") >= 6);
}

#[test]
fn an_invocation_ends_before_its_task_times_out() {
    let timeout = number(&crate::template::at("/Resources/Function/Properties"), "Timeout");
    assert!(timeout < number(&task("Csv"), "TimeoutSeconds"));
}

#[test]
fn no_partition_is_named() {
    let files = [include_str!("../../template.yaml"), include_str!("../../bulk/template.yaml")];
    for arn in files.iter().flat_map(|file| file.split("arn:").skip(1)) {
        let partition =
            ["${AWS::Partition}:", "${Partition}:", "[^:]+:"].iter().any(|any| arn.starts_with(any));
        assert!(partition, "arn:{:.40}", arn);
    }
}

/// Step Functions passes on 256 KiB between states, and adds about 1 KiB of the call to what a function returns. The
/// form of a row in its batch is `{"index":…,"row":…}`.
#[tokio::test]
async fn the_result_of_a_full_batch_fits_a_task() {
    type Row = fn(String) -> Value;
    const LIMIT: usize = 256 * 1024 - 2 * 1024;
    let batcher = &map("Csv")["ItemBatcher"];
    let size = |name| usize::try_from(number(batcher, name)).expect("not too large");
    let (rows, bytes) = (size("MaxItemsPerBatch"), size("MaxInputBytesPerBatch"));
    let stage = Stage::new().await;
    let function = stage.function().await;
    let row_bytes = bytes / rows - r#"{"index":0,"row":},"#.len();
    let failing: [(&str, Row); 4] = [
        ("INVALID_FIELD", |fill: String| json!({"audienceUserId": "c", "groups": [fill]})),
        ("INVALID_FIELD", |fill: String| json!({"audienceUserId": format!("c\u{1}{fill}")})),
        ("MISSING_IDENTIFIER", |fill: String| json!({"groups": fill})),
        ("NOT_MATCHED", |fill: String| json!({"openid": fill, "groups": "g"})),
    ];
    for (code, row) in failing {
        let fill = row_bytes - row(String::new()).to_string().len();
        let data = json!(vec![row("x".repeat(fill)); rows]);
        let event = direct_event(TOKEN, exact("add"), data);
        let result = function.invoke_direct(&event).await.expect("a result");
        assert_eq!(result["data"]["importFailNum"], rows);
        assert_eq!(result["data"]["errorData"][0]["errorCode"], code);
        // In the file of failed rows the indexes are of up to eight digits.
        let length = result.to_string().len() + rows * "00000".len();
        assert!(length <= LIMIT, "{code}: {length} bytes");
    }
}
