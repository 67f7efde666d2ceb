//! The dashboard of `template.yaml` uses only existing metrics.

use std::collections::BTreeSet;

use group_import::telemetry::summary::{BY_SOURCE, METRICS, NAMESPACE};
use serde_json::{Value, json};

use crate::template::{at, list, text};
use testing::model::world::CODES;

/// The AWS metrics in use, by namespace, with the resource type of each (Amazon CloudWatch user guide,
/// "AWS services that publish CloudWatch metrics").
const OF_AWS: [(&str, &[&str], &[&str]); 4] = [
    ("AWS/DynamoDB", &["TableName"], &["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"]),
    ("AWS/DynamoDB", &["TableName", "GlobalSecondaryIndexName"], &["ConsumedReadCapacityUnits"]),
    ("AWS/Lambda", &["FunctionName"], &["Errors", "Throttles"]),
    ("AWS/Logs", &["LogGroupName"], &["IncomingBytes"]),
];

/// The metrics that the template's filters make of the access log.
const OF_ACCESS_LOG: [&str; 3] = ["failedRequests", "throttledRequests", "rejectedRequests"];

/// Panics unless the metric exists with these dimensions.
pub fn assert_exists<'v>(namespace: &Value, metric: &Value, dimensions: impl Iterator<Item = &'v Value>) {
    let own = METRICS.map(|(name, _)| name);
    let (by_source, others): (Vec<_>, Vec<_>) = own.into_iter().partition(|name| BY_SOURCE.contains(name));
    let of_own: [(&str, &[&str], &[&str]); 3] = [
        (NAMESPACE, &["FunctionName"], &others),
        (NAMESPACE, &["FunctionName", "source"], &by_source),
        (NAMESPACE, &["ApiId"], &OF_ACCESS_LOG),
    ];
    let dimensions: Vec<_> = dimensions.collect();
    let exists = OF_AWS.into_iter().chain(of_own).any(|(known, of, metrics)| {
        namespace == known && dimensions == of && metrics.iter().any(|known| metric == known)
    });
    assert!(exists, "{namespace} has no metric {metric} by {dimensions:?}");
}

/// The properties of each filter that makes a metric of a log.
pub fn metric_filters() -> Vec<Value> {
    let resources = at("/Resources");
    let all = resources.as_object().expect("resources").values();
    all.filter(|it| it["Type"] == "AWS::Logs::MetricFilter").map(|it| it["Properties"].clone()).collect()
}

/// The dashboard's widgets; references are as in the template.
fn widgets() -> Vec<Value> {
    let body = at("/Resources/Dashboard/Properties/DashboardBody/0");
    let mut body: Value = serde_json::from_str(text(&body)).expect("the dashboard is JSON");
    let Value::Array(widgets) = body["widgets"].take() else { panic!("no widgets") };
    widgets
}

/// The metric rows of each widget that has some.
fn rows() -> Vec<Vec<Value>> {
    let widgets = widgets().into_iter().filter(|widget| widget["type"] == "metric");
    widgets.map(|widget| list(&widget["properties"]["metrics"]).to_vec()).collect()
}

#[test]
fn the_dashboard_shows_existing_metrics_and_every_code_and_index() {
    let (mut shown, mut indexes) = (BTreeSet::new(), Vec::new());
    let rows = rows().concat();
    for row in rows.iter().map(list).filter(|row| !row[0].is_object()) {
        let dimensions = row[2..].iter().take_while(|it| it.is_string()).step_by(2);
        assert_exists(&row[0], &row[1], dimensions.clone());
        if dimensions.clone().any(|name| name == "source") {
            assert!(row[5] == "api" || row[5] == "direct", "{}", row[5]);
        }
        if row[0] == NAMESPACE {
            assert_eq!(row[3], if row[2] == "ApiId" { "${Api}" } else { "${Function}" }, "{row:?}");
            shown.insert(text(&row[1]).to_owned());
        }
        if row.get(4).is_some_and(|name| name == "GlobalSecondaryIndexName") {
            indexes.push(&row[5]);
        }
    }
    for code in CODES {
        assert!(shown.contains(code), "every code of a failed record is shown: {shown:?}");
    }
    let of_table = at("/Resources/CustomersTable/Properties/GlobalSecondaryIndexes");
    assert_eq!(indexes, list(&of_table).iter().map(|index| &index["IndexName"]).collect::<Vec<_>>());
}

#[test]
fn metrics_of_the_access_log_use_fields_of_its_lines() {
    let format = at("/Resources/ApiStage/Properties/AccessLogSettings/Format");
    let line: Value = serde_json::from_str(text(&format)).expect("a line is JSON");
    // The log of the function names API Gateway's ID of a request, and its own: either leads to the other line.
    assert_eq!(line["requestId"], "$context.requestId");
    assert_eq!(line["functionRequestId"], "$context.integration.requestId");
    let mut made = BTreeSet::new();
    for filter in metric_filters() {
        assert_eq!(filter["LogGroupName"], "Ref ApiLogs");
        let [transformation] = list(&filter["MetricTransformations"]) else { panic!("{filter}") };
        assert_eq!(transformation["MetricNamespace"], NAMESPACE);
        assert_eq!(transformation["Dimensions"], json!([{"Key": "ApiId", "Value": "$.apiId"}]));
        made.insert(text(&transformation["MetricName"]).to_owned());
        let pattern = text(&filter["FilterPattern"]);
        for field in pattern.split("$.").skip(1).chain(["apiId"]) {
            let field = field.split(' ').next().expect("a field");
            assert!(line[field].is_string(), "{pattern} needs {field}");
        }
    }
    assert_eq!(made, OF_ACCESS_LOG.map(String::from).into());
}

#[test]
fn widgets_fit_the_grid_without_overlap() {
    let mut taken = BTreeSet::new();
    for widget in widgets() {
        let [x, y, width, height] =
            ["x", "y", "width", "height"].map(|name| widget[name].as_u64().expect("a whole number"));
        assert!(x + width <= 24, "{widget}");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{cell:?} is taken twice");
        }
    }
}

#[test]
fn expressions_use_the_hidden_metrics_of_their_widgets() {
    for rows in rows() {
        let options = rows.iter().filter_map(|row| list(row).last());
        let hidden: BTreeSet<_> =
            options.filter(|it| it["visible"] == false).map(|it| text(&it["id"])).collect();
        let expressions = rows.iter().filter_map(|row| row[0].get("expression")?.as_str());
        let words = expressions.flat_map(|it| it.split(|c: char| !c.is_ascii_alphanumeric()));
        let used = words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
        assert_eq!(hidden, used);
    }
}
