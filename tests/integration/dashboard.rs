//! The dashboard and the alarms of `template.yaml` show and watch what the function tells.

use std::collections::BTreeSet;

use group_import::telemetry::summary::{METRICS, NAMESPACE};
use serde_json::Value;

use reference::world::CODES;

fn resources() -> Value {
    let mut template: Value = serde_saphyr::from_str(include_str!("../../template.yaml")).expect("YAML");
    template["Resources"].take()
}

/// The dashboard's widgets; references stand as they are in the template.
fn widgets() -> Vec<Value> {
    let resources = resources();
    let body =
        resources.pointer("/Dashboard/Properties/DashboardBody/Fn::Sub/0").expect("a text with references");
    let mut body: Value =
        serde_json::from_str(body.as_str().expect("a text")).expect("the dashboard is JSON");
    let Value::Array(widgets) = body["widgets"].take() else { panic!("no widgets") };
    widgets
}

/// The rows of every widget's metrics, with the widget's title.
fn rows() -> Vec<(String, Vec<Value>)> {
    let widgets = widgets().into_iter().filter(|widget| widget["type"] == "metric");
    let rows_of = |widget: Value| {
        let properties = &widget["properties"];
        let title = properties["title"].as_str().expect("a title").to_owned();
        let rows = properties["metrics"].as_array().expect("metrics").clone();
        rows.into_iter().map(move |row| (title.clone(), row.as_array().expect("a row").clone()))
    };
    widgets.flat_map(rows_of).collect()
}

/// The function's own metrics that the dashboard shows.
fn shown() -> BTreeSet<String> {
    let own = rows().into_iter().filter(|(_, row)| row[0] == NAMESPACE);
    own.map(|(title, row)| {
        assert_eq!((&row[2], &row[3]), (&"FunctionName".into(), &"${Function}".into()), "{title}");
        row[1].as_str().expect("a metric").to_owned()
    })
    .collect()
}

fn told() -> BTreeSet<String> {
    METRICS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn the_dashboard_shows_metrics_that_the_function_tells() {
    let (shown, told) = (shown(), told());
    assert!(shown.is_subset(&told), "unknown: {:?}", shown.difference(&told));
    let codes: BTreeSet<_> = CODES.iter().map(|code| (*code).to_owned()).collect();
    assert!(codes.is_subset(&shown), "every code of a failed record is shown: {shown:?}");
}

#[test]
fn an_alarm_watches_a_metric_that_there_is_and_can_tell_the_topic() {
    let resources = resources();
    let alarms: Vec<_> = resources
        .as_object()
        .expect("resources")
        .iter()
        .filter(|(_, it)| it["Type"] == "AWS::CloudWatch::Alarm")
        .collect();
    assert_eq!(alarms.len(), 5);
    for (name, alarm) in alarms {
        let properties = &alarm["Properties"];
        if properties["Namespace"] == NAMESPACE {
            assert!(told().contains(properties["MetricName"].as_str().expect("a metric")), "{name}");
        }
        let actions = [&properties["AlarmActions"], &properties["OKActions"]];
        for action in actions {
            assert_eq!(
                action["Fn::If"],
                serde_json::json!(["TellAlarms", [{"Ref": "AlarmTopicArn"}], []]),
                "{name}"
            );
        }
    }
}

#[test]
fn widgets_keep_to_the_grid_and_leave_each_other_room() {
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
fn an_expression_uses_what_its_widget_reads() {
    let rows = rows();
    let expressions: Vec<_> =
        rows.iter().filter_map(|(title, row)| Some((title, row[0].get("expression")?.as_str()?))).collect();
    assert!(!expressions.is_empty());
    for (title, expression) in expressions {
        let of_widget = rows.iter().filter(|(other, _)| other == title);
        let ids: Vec<_> = of_widget.filter_map(|(_, row)| row.last()?.get("id")?.as_str()).collect();
        let names = expression
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        for name in names {
            assert!(ids.contains(&name), "{name} of {expression}");
        }
    }
}
