//! Which alarms of `template.yaml` go off when: of the metrics that real summary lines hold, and of the access log.

use std::collections::{BTreeMap, BTreeSet};

use group_import::telemetry::summary::NAMESPACE;
use serde_json::{Value, json};

use testing::dynamodb::{Action, Rule};
use testing::function::{direct_event, post_event};
use testing::shorthand::{fuzzy, numbered, off};
use testing::stage::{Stage, TOKEN};

use crate::dashboard::{assert_exists, resources};
use crate::summary::{Logged, import};

/// The bytes of a line of the access log, about.
const ACCESS_BYTES: u64 = 450;

/// Values of a metric in a minute: how many of which.
struct Sample {
    minute: u64,
    metric: (String, String),
    dimensions: BTreeMap<String, String>,
    value: f64,
    count: u64,
}

/// What happens in some hours.
#[derive(Default)]
struct Story {
    samples: Vec<Sample>,
}

impl Story {
    /// So many requests in each of these minutes leave this summary; those of the API a line of the access log, too.
    fn requests(mut self, minutes: impl Iterator<Item = u64> + Clone, count: u64, line: &Value) -> Self {
        for minute in minutes.clone() {
            for directive in line["_aws"]["CloudWatchMetrics"].as_array().expect("directives") {
                for (set, metric) in pairs(&directive["Dimensions"], &directive["Metrics"]) {
                    let dimensions =
                        texts(set).map(|name| (name.to_owned(), text(&line[name]).to_owned())).collect();
                    let metric = text(&metric["Name"]);
                    let value = line[metric].as_f64().expect("a number");
                    self.add(minute, (NAMESPACE, metric), dimensions, value, count);
                }
            }
            let written = line["written"].as_f64().unwrap_or_default();
            self.write("MembershipsTable", minute, written, count);
        }
        if line["source"] == "api" {
            self.accessed(minutes, count, &line["status"].to_string())
        } else {
            self
        }
    }

    /// So many requests in each of these minutes get this status.
    fn accessed(mut self, minutes: impl Iterator<Item = u64>, count: u64, status: &str) -> Self {
        let resources = resources();
        for minute in minutes {
            for filter in resources.as_object().expect("resources").values() {
                if filter["Type"] == "AWS::Logs::MetricFilter"
                    && selects(text(&filter["Properties"]["FilterPattern"]), status)
                {
                    let made = &filter["Properties"]["MetricTransformations"][0];
                    let value = text(&made["MetricValue"]).parse().expect("a number");
                    self.add(
                        minute,
                        (NAMESPACE, text(&made["MetricName"])),
                        of("ApiId", "Api"),
                        value,
                        count,
                    );
                }
            }
            self.add(
                minute,
                ("AWS/Logs", "IncomingBytes"),
                of("LogGroupName", "ApiLogs"),
                ACCESS_BYTES as f64,
                count,
            );
        }
        self
    }

    /// Outcomes of keys that use so many write units in each of these minutes.
    fn keys(mut self, minutes: impl Iterator<Item = u64>, units: f64) -> Self {
        for minute in minutes {
            self.write("ImportsTable", minute, units, 1);
        }
        self
    }

    fn write(&mut self, table: &str, minute: u64, units: f64, count: u64) {
        self.add(
            minute,
            ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"),
            of("TableName", table),
            units,
            count,
        );
    }

    fn add(
        &mut self,
        minute: u64,
        (namespace, name): (&str, &str),
        dimensions: BTreeMap<String, String>,
        value: f64,
        count: u64,
    ) {
        let metric = (namespace.to_owned(), name.to_owned());
        self.samples.push(Sample { minute, metric, dimensions, value, count });
    }

    /// The alarms that go off at any time from the start to the end of the last hour.
    fn alarms(&self) -> Vec<String> {
        alarms().into_iter().filter(|(_, alarm)| self.raises(alarm)).map(|(name, _)| name).collect()
    }

    fn raises(&self, alarm: &Value) -> bool {
        let period = number(&alarm["Period"]) / 60;
        let last = self.samples.iter().map(|sample| sample.minute).max().unwrap_or(0);
        let values: Vec<_> = (0..=last / period)
            .map(|index| self.value(alarm, index * period..(index + 1) * period))
            .collect();
        let periods = number(&alarm["EvaluationPeriods"]) as usize;
        let wanted = alarm.get("DatapointsToAlarm").map_or(periods, |value| number(value) as usize);
        (0..values.len()).any(|end| {
            // CloudWatch looks back further than the periods, and takes the newest values that it finds.
            let range = &values[(end + 1).saturating_sub(periods + 2)..=end];
            let found: Vec<_> = range.iter().rev().flatten().take(periods).collect();
            let breaching = found.iter().filter(|value| breaches(alarm, ***value)).count();
            let missing = if alarm["TreatMissingData"] == "breaching" { periods - found.len() } else { 0 };
            end + 1 >= periods && breaching + missing >= wanted
        })
    }

    fn value(&self, alarm: &Value, minutes: std::ops::Range<u64>) -> Option<f64> {
        let dimensions = dimensions(alarm);
        let metric = (text(&alarm["Namespace"]).to_owned(), text(&alarm["MetricName"]).to_owned());
        let samples = self
            .samples
            .iter()
            .filter(|it| minutes.contains(&it.minute) && it.metric == metric && it.dimensions == dimensions);
        let (sum, count) =
            samples.fold((0.0, 0), |(sum, count), it| (sum + it.value * it.count as f64, count + it.count));
        match text(&alarm["Statistic"]) {
            _ if count == 0 => None,
            "Sum" => Some(sum),
            "Average" => Some(sum / count as f64),
            other => panic!("no statistic {other}"),
        }
    }
}

fn breaches(alarm: &Value, value: f64) -> bool {
    let threshold = alarm["Threshold"].as_f64().expect("a number");
    match text(&alarm["ComparisonOperator"]) {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "LessThanThreshold" => value < threshold,
        other => panic!("no comparison {other}"),
    }
}

/// The properties of each alarm with the defaults of parameters; the heartbeat of three hours.
fn alarms() -> BTreeMap<String, Value> {
    let parameters = crate::template::read()["Parameters"].take();
    let resources = resources();
    let alarms = resources
        .as_object()
        .expect("resources")
        .iter()
        .filter(|(_, it)| it["Type"] == "AWS::CloudWatch::Alarm");
    alarms
        .map(|(name, alarm)| {
            let mut properties = alarm["Properties"].clone();
            for member in ["Threshold", "EvaluationPeriods"] {
                if let Some(parameter) = properties[member].get("Ref") {
                    let default = &parameters[text(parameter)]["Default"];
                    properties[member] =
                        if parameter == "HeartbeatHours" { 3.into() } else { default.clone() };
                }
            }
            (name.clone(), properties)
        })
        .collect()
}

/// The alarm's dimensions, each with the resource that it names.
fn dimensions(alarm: &Value) -> BTreeMap<String, String> {
    let dimensions = alarm["Dimensions"].as_array().expect("dimensions").iter();
    let value = |value: &Value| match (value.get("Ref"), value.get("Fn::If")) {
        (Some(resource), _) if resource == "Function" => "f".to_owned(),
        (Some(resource), _) => text(resource).to_owned(),
        // A table, which another may stand in for.
        (_, Some(branches)) => text(&branches[1]["Ref"]).to_owned(),
        _ => text(value).to_owned(),
    };
    dimensions.map(|it| (text(&it["Name"]).to_owned(), value(&it["Value"]))).collect()
}

/// Whether a filter of the access log selects a line with this status.
fn selects(pattern: &str, status: &str) -> bool {
    let condition = pattern.trim_matches(['{', '}', ' ']);
    let holds = |comparison: &str| {
        let (operator, value) = comparison
            .trim()
            .strip_prefix("$.status ")
            .and_then(|it| it.split_once(' '))
            .expect("a comparison");
        let value = value.trim_matches('"');
        let equal = value.strip_suffix('*').map_or(status == value, |start| status.starts_with(start));
        equal == (operator == "=")
    };
    condition.split("||").any(|alternative| alternative.split("&&").all(holds))
}

fn of(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
}

fn pairs<'v>(ones: &'v Value, others: &'v Value) -> impl Iterator<Item = (&'v Value, &'v Value)> {
    let others = others.as_array().expect("a list");
    ones.as_array().expect("a list").iter().flat_map(move |one| others.iter().map(move |other| (one, other)))
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().expect("a list").iter().map(text)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

#[test]
fn alarms_use_existing_metrics_and_notify_their_topic() {
    let mut may_wake = BTreeSet::new();
    for (name, alarm) in alarms() {
        let dimensions = alarm["Dimensions"].as_array().expect("dimensions").iter().map(|it| &it["Name"]);
        assert_exists(&alarm["Namespace"], &alarm["MetricName"], dimensions);
        let mail = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], []]});
        let page = json!({"Fn::If": ["HasPageTopic", [{"Ref": "PageTopicArn"}], mail.clone()]});
        if alarm["AlarmActions"] == page {
            may_wake.insert(name.clone());
        } else {
            assert_eq!(alarm["AlarmActions"], mail, "{name}");
        }
        let recovered = json!({"Fn::If": ["NotifyOfRecovery", [{"Ref": "AlarmTopicArn"}], []]});
        assert_eq!(alarm["OKActions"], recovered, "{name}");
    }
    assert_eq!(may_wake, ["ErrorsAlarm", "StoreErrorsAlarm"].map(String::from).into());
}

#[tokio::test]
async fn an_alarm_goes_off_when_it_should() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
    let mut logged = Logged::json(&stage, &[]).await;
    let strangers: Value = (0..200).map(|n| json!({"openid": format!("x{n}"), "groups": "g"})).collect();
    let rows: Value = (0..500).map(|n| json!({"audienceUserId": format!("b{n}"), "groups": "g"})).collect();
    let (_, good) = logged.summary(import(off("add"), numbered(3))).await;
    let (_, large) = logged.summary(import(off("add"), numbered(1000))).await;
    let (_, unmatched) = logged.summary(import(fuzzy(1, "add"), strangers)).await;
    let (_, batch) = logged.summary(direct_event(TOKEN, off("add"), rows)).await;
    let (_, console) = logged.summary_of(json!({"key1": "value1"}), "error").await;
    let (_, junk) = logged.summary(post_event("unknown", "{}")).await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::Reset));
    let (_, store_error) = logged.summary(import(off("add"), numbered(2))).await;
    let (_, failed_batch) = logged.summary(direct_event(TOKEN, off("delete"), numbered(500))).await;
    stage.database.rule(Rule::on("GetItem", Action::Reset));
    let (_, unavailable) = logged.summary(post_event("another", "{}")).await;
    assert_eq!(batch["written"], 500);
    assert_eq!((&store_error["STORE_ERROR"], &failed_batch["STORE_ERROR"]), (&json!(2), &json!(500)));
    assert_eq!((&console["source"], &unavailable["status"]), (&json!("direct"), &json!(503)));
    let timed_out = |mut line: Value| {
        line["TIMEOUT"] = line["STORE_ERROR"].take();
        line["STORE_ERROR"] = 0.into();
        line
    };

    let night = || Story::default().requests(0..180, 2, &good);
    let now_and_then = [10, 30, 50, 70];
    let quiet = night()
        .requests(now_and_then.into_iter(), 1, &store_error)
        .requests([20].into_iter(), 3, &console)
        .requests([30].into_iter(), 20, &junk);
    let bulk = night()
        .requests(30..90, 100, &batch)
        .requests(40..80, 20, &timed_out(failed_batch.clone()))
        .requests(50..60, 20, &failed_batch);
    let slow = night().requests(60..90, 1, &timed_out(store_error.clone()));
    let outage = night().requests(60..90, 20, &unavailable).requests(60..90, 20, &store_error);
    let single = night().requests([60].into_iter(), 1, &unavailable);
    let crash = night().accessed(60..62, 1, "500");
    let guessing = night().requests(60..120, 50, &junk);
    let flood = night().requests(60..120, 3_000, &junk).accessed(60..120, 60_000, "429");
    let large_bulk = night().requests(60..180, 200, &batch);
    let leaked = night().requests(60..120, 100, &large);
    let repeated = night().keys(60..120, 100_000.0);
    let strangers = night().requests(60..62, 50, &unmatched);
    let nothing = Story::default().requests(0..1, 1, &good).requests(400..401, 1, &good);

    for (story, expected) in [
        (quiet, vec![]),
        (bulk, vec![]),
        (slow, vec!["TimeoutsAlarm"]),
        (outage, vec!["ErrorsAlarm", "SomeErrorsAlarm", "StoreErrorsAlarm"]),
        (single, vec!["SomeErrorsAlarm"]),
        (crash, vec!["SomeErrorsAlarm"]),
        (guessing, vec!["RejectedRequestsAlarm"]),
        (flood, vec!["LogBytesAlarm", "RejectedRequestsAlarm", "ThrottledRequestsAlarm"]),
        (large_bulk, vec!["WriteUnitsAlarm"]),
        (leaked, vec!["WriteUnitsAlarm"]),
        (repeated, vec!["KeyUnitsAlarm"]),
        (strangers, vec!["UnmatchedAlarm"]),
        (nothing, vec!["HeartbeatAlarm"]),
    ] {
        assert_eq!(story.alarms(), expected);
    }
}

#[tokio::test]
async fn lambda_keeps_the_lines_that_metrics_are_made_of() {
    let stage = Stage::new().await;
    let (_, line) = Logged::json(&stage, &[]).await.summary(post_event("unknown", "{}")).await;
    let logging = &resources()["Function"]["Properties"]["LoggingConfig"];
    assert_eq!((&logging["LogFormat"], &logging["ApplicationLogLevel"]), (&json!("JSON"), &line["level"]));
}
