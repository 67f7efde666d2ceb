//! Which alarms of `template.yaml` go off when.
//!
//! Metrics are named with the last of their dimensions: `requests api` is that of requests by the source `api`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Value, json};

use crate::dashboard::{assert_exists, metric_filters};
use crate::template::{at, text};

const WRITES: &str = "ConsumedWriteCapacityUnits MembershipsTable";
const KEYS: &str = "ConsumedWriteCapacityUnits ImportsTable";

/// What a request adds to metrics.
type Request = Vec<(String, f64)>;

/// Minutes, and the requests of each.
type Story<'a> = [(Range<u64>, u64, &'a Request)];

/// The properties of each alarm, with the defaults of parameters; the heartbeat is one of three hours.
fn alarms() -> BTreeMap<String, Value> {
    let Value::Object(resources) = at("/Resources") else { panic!("no resources") };
    let alarms = resources.into_iter().filter(|(_, it)| it["Type"] == "AWS::CloudWatch::Alarm");
    alarms
        .map(|(name, mut alarm)| {
            for member in ["Threshold", "EvaluationPeriods"] {
                let member = &mut alarm["Properties"][member];
                *member = match member.as_str().and_then(|value| value.strip_prefix("Ref ")) {
                    None => continue,
                    Some("HeartbeatHours") => 3.into(),
                    Some(parameter) => at(&format!("/Parameters/{parameter}/Default")),
                };
            }
            (name, alarm["Properties"].take())
        })
        .collect()
}

/// The name of the alarm's metric.
fn metric(alarm: &Value) -> String {
    let dimension = &alarm["Dimensions"].as_array().and_then(|all| all.last()).expect("dimensions")["Value"];
    // Another table may stand in for that of the stack.
    let value = text(dimension.get(2).unwrap_or(dimension));
    format!("{} {}", text(&alarm["MetricName"]), value.trim_start_matches("Ref "))
}

/// Whether the alarm goes off at the end of any of its periods.
fn goes_off(alarm: &Value, story: &Story) -> bool {
    let number = |name: &str| alarm[name].as_u64();
    let metric = metric(alarm);
    let period = number("Period").expect("seconds") / 60;
    let value_of = |minutes: Range<u64>| {
        let (mut sum, mut count) = (0.0, 0);
        for (during, requests, request) in story {
            let common = during.end.min(minutes.end).saturating_sub(during.start.max(minutes.start));
            for (_, value) in request.iter().filter(|(name, _)| *name == metric) {
                count += common * requests;
                sum += value * (common * requests) as f64;
            }
        }
        let value = if alarm["Statistic"] == "Average" { sum / count as f64 } else { sum };
        (count > 0).then_some(value)
    };
    let end = story.iter().map(|(minutes, ..)| minutes.end).max().expect("a story");
    let values: Vec<_> = (0..end / period).map(|n| value_of(n * period..(n + 1) * period)).collect();
    let threshold = alarm["Threshold"].as_f64().expect("a number");
    let breaches = |value: f64| match text(&alarm["ComparisonOperator"]) {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "LessThanThreshold" => value < threshold,
        other => panic!("no comparison {other}"),
    };
    let periods = number("EvaluationPeriods").expect("a number") as usize;
    let wanted = number("DatapointsToAlarm").map_or(periods, |number| number as usize);
    (periods..=values.len()).any(|end| {
        // CloudWatch looks back further than the periods, and takes the newest values that it finds.
        let found = values[end.saturating_sub(periods + 2)..end].iter().rev().flatten().take(periods);
        let missing =
            if alarm["TreatMissingData"] == "breaching" { periods - found.clone().count() } else { 0 };
        found.filter(|value| breaches(**value)).count() + missing >= wanted
    })
}

/// A line of the access log, and what filters make of it.
fn accessed(status: &str) -> Request {
    let filters = metric_filters().into_iter().filter(|it| selects(text(&it["FilterPattern"]), status));
    let made = filters.map(|filter| {
        let made = &filter["MetricTransformations"][0];
        (format!("{} Api", text(&made["MetricName"])), text(&made["MetricValue"]).parse().expect("a number"))
    });
    made.chain([("IncomingBytes ApiLogs".to_owned(), 450.0)]).collect()
}

/// A request of the API that reaches the function, with these metrics in its summary or of its tables.
fn request(status: &str, metrics: &[(&str, f64)]) -> Request {
    let mut request = accessed(status);
    request.extend(
        metrics.iter().chain(&[("requests api", 1.0)]).map(|(name, value)| (name.to_string(), *value)),
    );
    request
}

/// An import with this many failed records and write units.
fn import(store_errors: f64, timeouts: f64, written: f64) -> Request {
    request("200", &[("STORE_ERROR api", store_errors), ("TIMEOUT api", timeouts), (WRITES, written)])
}

/// Whether a filter of the access log selects a line with this status.
fn selects(pattern: &str, status: &str) -> bool {
    let holds = |comparison: &str| {
        let comparison = comparison.trim().strip_prefix("$.status ").expect("a comparison of the status");
        let (operator, value) = comparison.split_once(' ').expect("an operator and a value");
        let value = value.trim_matches('"');
        let equal = value.strip_suffix('*').map_or(status == value, |start| status.starts_with(start));
        equal == (operator == "=")
    };
    let condition = pattern.trim_matches(['{', '}', ' ']);
    condition.split("||").any(|alternative| alternative.split("&&").all(holds))
}

#[test]
fn alarms_use_existing_metrics_and_notify_their_topic() {
    let mut may_wake = BTreeSet::new();
    for (name, alarm) in alarms() {
        let dimensions = alarm["Dimensions"].as_array().expect("dimensions").iter().map(|it| &it["Name"]);
        assert_exists(&alarm["Namespace"], &alarm["MetricName"], dimensions);
        let mail = json!(["If", "HasAlarmTopic", ["Ref AlarmTopicArn"], []]);
        let page = json!(["If", "HasPageTopic", ["Ref PageTopicArn"], mail]);
        if alarm["AlarmActions"] == page {
            may_wake.insert(name.clone());
        } else {
            assert_eq!(alarm["AlarmActions"], mail, "{name}");
        }
        let recovered = json!(["If", "NotifyOfRecovery", ["Ref AlarmTopicArn"], []]);
        assert_eq!(alarm["OKActions"], recovered, "{name}");
    }
    assert_eq!(may_wake, ["ErrorsAlarm", "StoreErrorsAlarm"].map(String::from).into());
    // Lambda keeps the lines that metrics are made of.
    let logging = at("/Resources/Function/Properties/LoggingConfig");
    assert_eq!((&logging["LogFormat"], &logging["ApplicationLogLevel"]), (&json!("JSON"), &json!("INFO")));
}

#[test]
fn an_alarm_goes_off_when_it_should() {
    let good = import(0.0, 0.0, 3.0);
    let store_error = import(2.0, 0.0, 0.0);
    let timeout = import(0.0, 2.0, 0.0);
    let unavailable = request("503", &[]);
    let junk = request("401", &[]);
    let unmatched = request("200", &[("unmatchedPercent Function", 100.0)]);
    let found = request("200", &[("unmatchedPercent Function", 50.0)]);
    // The summaries of direct events count by another source.
    let batch = vec![(WRITES.to_owned(), 500.0), ("STORE_ERROR direct".to_owned(), 500.0)];
    let key = vec![(KEYS.to_owned(), 100_000.0)];
    let night = (0..180, 2, &good);
    for (story, expected) in [
        // Now and then, an error.
        (vec![(10..11, 1, &store_error), (30..31, 1, &store_error), (50..51, 1, &store_error)], vec![]),
        (vec![(30..31, 20, &junk), (60..62, 50, &found)], vec![]),
        (vec![(30..90, 100, &batch)], vec![]),
        (vec![(60..90, 1, &timeout)], vec!["TimeoutsAlarm"]),
        (vec![(60..90, 1, &store_error)], vec!["StoreErrorsAlarm"]),
        (vec![(60..90, 20, &unavailable)], vec!["ErrorsAlarm", "SomeErrorsAlarm"]),
        (vec![(60..90, 19, &junk), (60..90, 1, &unavailable)], vec!["SomeErrorsAlarm"]),
        (vec![(60..61, 1, &accessed("500"))], vec!["SomeErrorsAlarm"]),
        (vec![(60..120, 50, &junk)], vec!["RejectedRequestsAlarm"]),
        (vec![(60..120, 10, &accessed("429"))], vec!["ThrottledRequestsAlarm"]),
        (vec![(60..120, 60_000, &accessed("429"))], vec!["LogBytesAlarm", "ThrottledRequestsAlarm"]),
        (vec![(60..180, 200, &batch)], vec!["WriteUnitsAlarm"]),
        (vec![(60..120, 100, &import(0.0, 0.0, 1_000.0))], vec!["WriteUnitsAlarm"]),
        (vec![(60..120, 1, &key)], vec!["KeyUnitsAlarm"]),
        (vec![(60..62, 50, &unmatched)], vec!["UnmatchedAlarm"]),
        (vec![(500..520, 1, &good)], vec!["HeartbeatAlarm"]),
    ] {
        let story = [&[night.clone()][..], &story].concat();
        let alarms = alarms().into_iter().filter(|(_, alarm)| goes_off(alarm, &story));
        assert_eq!(alarms.map(|(name, _)| name).collect::<Vec<_>>(), expected);
    }
}
