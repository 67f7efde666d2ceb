//! The state machine of bulk imports (`bulk/import.asl.json`): its batches, its retries, and what the function makes of a
//! batch.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testing::function::direct_event;
use testing::shorthand::{exact, fuzzy};
use testing::stage::{Stage, TOKEN};

/// The maximum duration of an Express execution.
const EXPRESS_SECONDS: u64 = 300;

/// The maps, each with its item reader.
const MAPS: [(&str, &str, &str); 4] = [
    ("CsvFile", "CSV", "getObject"),
    ("CsvFiles", "CSV", "listObjectsV2"),
    ("JsonLinesFile", "JSONL", "getObject"),
    ("JsonLinesFiles", "JSONL", "listObjectsV2"),
];

fn definition() -> Value {
    serde_json::from_str(include_str!("../../bulk/import.asl.json")).expect("the definition is JSON")
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
    let mut seen = BTreeSet::new();
    for (name, input_type, operation) in MAPS {
        let mut map = map(name);
        let reader = map["ItemReader"].take();
        assert_eq!(map["Label"].take(), name);
        assert_eq!(reader["ReaderConfig"]["InputType"], input_type);
        assert_eq!(reader["Resource"], format!("arn:${{Partition}}:states:::s3:{operation}"));
        let lists = operation == "listObjectsV2";
        assert_eq!(reader["ReaderConfig"]["Transformation"] == "LOAD_AND_FLATTEN", lists);
        assert_eq!(reader["ReaderConfig"]["CSVHeaderLocation"] == "FIRST_ROW", input_type == "CSV");
        let given = if lists { "Prefix" } else { "Key" };
        assert_eq!(reader["Arguments"][given], format!("{{% $states.input.{} %}}", given.to_lowercase()));
        // State names are unique within a definition.
        for state in ["Import", "TooLarge"] {
            let states = map["ItemProcessor"]["States"].as_object_mut().expect("states");
            let inner = states.remove(&format!("{state}{name}")).expect("the state of this map");
            states.insert(state.to_owned(), inner);
        }
        let text = map.to_string().replace(&format!("\"Import{name}\""), "\"Import\"");
        seen.insert(text.replace(&format!("\"TooLarge{name}\""), "\"TooLarge\""));
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let maps = definition()["States"]
        .as_object()
        .expect("states")
        .values()
        .filter(|state| state["Type"] == "Map")
        .count();
    assert_eq!(maps, MAPS.len());
}

#[test]
fn only_what_may_succeed_is_retried() {
    let task = task("CsvFile");
    let retriers = task["Retry"].as_array().expect("retriers");
    let retried: Vec<_> =
        retriers.iter().flat_map(|retrier| retrier["ErrorEquals"].as_array().expect("errors")).collect();
    for code in ["SERVICE_UNAVAILABLE", "INTERNAL_ERROR", "Lambda.TooManyRequestsException", "States.Timeout"]
    {
        assert!(retried.iter().any(|error| *error == code), "{code}");
    }
    for code in
        ["TOKEN_ERROR", "FORBIDDEN", "PARAM_ERROR", "PAYLOAD_TOO_LARGE", "States.ALL", "States.TaskFailed"]
    {
        assert!(retried.iter().all(|error| *error != code), "{code}");
    }
    let caught: Vec<_> =
        task["Catch"].as_array().expect("catchers").iter().map(|it| &it["ErrorEquals"]).collect();
    assert_eq!(caught, [&json!(["PAYLOAD_TOO_LARGE"])]);
}

#[test]
fn all_retries_end_within_a_child_execution() {
    let task = task("CsvFile");
    let time = number(&task, "TimeoutSeconds");
    let mut seconds = time;
    for retrier in task["Retry"].as_array().expect("retriers") {
        let mut pause = number(retrier, "IntervalSeconds");
        // A throttled invocation does not begin.
        let throttled = retrier["ErrorEquals"] == json!(["Lambda.TooManyRequestsException"]);
        for _ in 0..number(retrier, "MaxAttempts") {
            seconds += pause + if throttled { 0 } else { time };
            pause = (pause * number(retrier, "BackoffRate")).min(number(retrier, "MaxDelaySeconds"));
        }
    }
    assert!(seconds <= EXPRESS_SECONDS, "{seconds} s");
}

#[test]
fn an_invocation_ends_before_its_task_times_out() {
    let template: Value = serde_saphyr::from_str(include_str!("../../template.yaml")).expect("YAML");
    let timeout = number(&template["Resources"]["Function"]["Properties"], "Timeout");
    assert!(timeout < number(&task("CsvFile"), "TimeoutSeconds"));
}

#[test]
fn no_partition_is_named() {
    let files = [include_str!("../../bulk/template.yaml"), include_str!("../../bulk/import.asl.json")];
    for arn in files.iter().flat_map(|file| file.split("arn:").skip(1)) {
        let partition =
            ["${AWS::Partition}:", "${Partition}:", "[^:]+:"].iter().any(|any| arn.starts_with(any));
        assert!(partition, "arn:{:.40}", arn);
    }
}

#[test]
fn no_row_is_logged() {
    let template: Value = serde_saphyr::from_str(include_str!("../../bulk/template.yaml")).expect("YAML");
    let logging = &template["Resources"]["BulkImport"]["Properties"]["Logging"];
    assert_eq!(logging["IncludeExecutionData"], false);
}

/// Step Functions passes on 256 KiB between states, and adds about 1 KiB of the call to what a function returns. The
/// form of a row in its batch is `{"index":…,"row":…}`.
#[tokio::test]
async fn the_result_of_a_full_batch_fits_a_task() {
    type Row = fn(String) -> Value;
    const LIMIT: usize = 256 * 1024 - 2 * 1024;
    let batcher = &map("CsvFile")["ItemBatcher"];
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

/// The calls that docs/bulk.md assumes: those of a batch of rows with two groups and one identifier each, all new.
/// The token is checked once a minute and process.
#[tokio::test]
async fn a_full_batch_makes_the_calls_of_the_estimate() {
    let estimate: Value =
        serde_json::from_str(include_str!("../../bulk/batch.json")).expect("the estimate is JSON");
    let rows = number(&estimate, "rows");
    assert_eq!(map("CsvFile")["ItemBatcher"]["MaxItemsPerBatch"], rows);
    let stage = Stage::new().await;
    let openid = |n: u64| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{n}")});
    stage.put_customers((0..rows).map(openid)).await;
    let data: Value = (0..rows).map(|n| json!({"openid": format!("o{n}"), "groups": "vip,spring"})).collect();
    let function = stage.function().await;
    let result = function.invoke_direct(&direct_event(TOKEN, fuzzy(1, "add"), data)).await.expect("a result");
    assert_eq!(result["data"]["importSuccessNum"], rows);
    let operations = ["ExecuteStatement", "BatchGetItem", "BatchWriteItem"];
    let calls: Value =
        operations.into_iter().map(|name| (name.to_owned(), json!(stage.proxy.count(name)))).collect();
    assert_eq!(calls, estimate["calls"]);
    assert_eq!(stage.proxy.calls().len(), stage.proxy.count("GetItem") + total(&calls));
}

fn total(calls: &Value) -> usize {
    let counts = calls.as_object().expect("an object").values();
    counts.map(|count| usize::try_from(count.as_u64().expect("a number")).expect("not too large")).sum()
}
