//! The summary line that each request logs, and the metrics that CloudWatch extracts from it.

use std::iter;

use group_import::telemetry::summary::{BY_SOURCE, METRICS, NAMESPACE};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;

use testing::dynamodb::{Action, Rule, Share};
use testing::function::{direct_event, import_event, post_event, with_key};
use testing::runtime_api::Process;
use testing::shorthand::{customers, exact, fuzzy, numbered, numbered_pairs, off, records};
use testing::stage::{Stage, TENANT, TOKEN};
use testing::trial::fault::OPERATIONS;

/// A process and its log.
struct Logged {
    process: Process,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Logged {
    async fn start(stage: &Stage, more: &[(&str, &str)]) -> Self {
        let environment =
            [&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_FUNCTION_NAME", "f")], more].concat();
        let mut process = crate::start(stage, &environment).await;
        let stdout = process.child.stdout.take().expect("piped");
        Self { process, lines: BufReader::new(stdout).lines() }
    }

    /// The lines up to and including the summary of a request.
    async fn summary(&mut self, event: Value) -> (Vec<String>, Value) {
        self.summary_of(event, "response").await
    }

    /// The same for an invocation that ends with this kind of outcome.
    async fn summary_of(&mut self, event: Value, outcome: &str) -> (Vec<String>, Value) {
        assert_eq!(self.process.invoke(event).await.kind, outcome);
        let mut before = Vec::new();
        loop {
            let line = self.lines.next_line().await.expect("text").expect("a summary");
            match serde_json::from_str::<Value>(&line).expect("every line is JSON") {
                summary if summary["message"] == "request" => return (before, summary),
                _ => before.push(line),
            }
        }
    }
}

fn assert_part(whole: &Value, part: Value) {
    for (name, expected) in part.as_object().expect("an object") {
        assert_eq!(&whole[name], expected, "{name} in {whole}");
    }
}

#[tokio::test]
async fn a_summary_counts_the_calls_of_the_database() {
    let stage = Stage::new().await;
    stage.put_customers(customers(200)).await;
    let openids = records("openid", "o", 200);
    let keyed = with_key(import_event(fuzzy(1, "add"), numbered(130)), "k");
    let events = [
        import_event(off("add"), numbered(60)),
        import_event(exact("add"), openids.clone()),
        import_event(fuzzy(2, "delete"), openids),
        keyed.clone(),
        keyed,
        import_event(json!({"isMatching": false}), numbered(1)),
    ];
    let faults = [
        vec![],
        vec![Rule::on_any(Action::THROTTLED).after(1).times(3)],
        vec![Rule::on_any(Action::rejected("ThrottlingException:http://x/")).after(1).times(3)],
        vec![Rule::on_any(Action::status(429)).after(1).times(3)],
        vec![Rule::on("BatchWriteItem", Action::Unprocessed { processed: Share::Count(7) }).times(2)],
        vec![
            Rule::on("BatchWriteItem", Action::Reset).times(1),
            Rule::on("ExecuteStatement", Action::Garble).times(2),
        ],
    ];
    for faults in faults {
        let mut logged = Logged::start(&stage, &[("TOKEN_CACHE_SECONDS", "0")]).await;
        for event in events.clone() {
            stage.database.reset();
            stage.database.clear_rules();
            faults.iter().for_each(|rule| stage.database.rule(rule.clone()));
            let (_, summary) = logged.summary(event).await;
            let counted = OPERATIONS.map(|operation| (operation, stage.database.count(operation)));
            let counted: Value = counted.into_iter().filter(|(_, calls)| *calls > 0).collect();
            assert_eq!(summary["calls"], counted, "{summary}");
            assert_eq!(summary["databaseCalls"], stage.database.calls().len());
            let is_throttled =
                |action: &Action| matches!(action, Action::Error { .. } | Action::Unprocessed { .. });
            let throttles = stage.database.faults().iter().filter(|(_, action)| is_throttled(action)).count();
            assert_eq!(summary["throttles"], throttles);
            assert!(throttles == 0 || summary["databaseFailures"] == 0, "{summary}");
        }
    }
}

#[tokio::test]
async fn a_summary_counts_the_results_of_records() {
    let stage = Stage::new().await;
    stage.put_customers(customers(1)).await;
    let mut logged = Logged::start(&stage, &[("SKIP_UNCHANGED", "always")]).await;
    let mut data = records("openid", "o", 4);
    data[3]["groups"].take();
    let event = with_key(import_event(fuzzy(1, "add"), data), "k");
    let (_, ran) = logged.summary(event.clone()).await;
    let expected = json!({
        "tenant": TENANT, "status": 200, "errorCode": "SUCCESS", "coldStart": true, "matching": "fuzzy1",
        "optType": "add", "dryRun": false, "replayed": false, "records": 4, "matched": 1, "succeeded": 1, "failed": 3,
        "retryable": 0, "NOT_MATCHED": 2, "MISSING_GROUPS": 1, "STORE_ERROR": 0, "TIMEOUT": 0, "throttles": 0,
        "databaseFailures": 0, "requests": 1, "rejected": 0, "errors": 0, "FunctionName": "f", "level": "INFO",
    });
    assert_part(&ran, expected);
    let stages: Vec<_> = ran["stagesMs"].as_object().expect("stages").keys().map(String::as_str).collect();
    assert_eq!(stages, ["key", "lookUps", "token", "unchanged", "writes"]);
    let time = |name: &str| ran[name].as_f64().expect("milliseconds");
    assert!(0.0 < time("databaseMs") && time("databaseMs") <= time("durationMs"), "{ran}");

    let (_, again) = logged.summary(event).await;
    assert_part(&again, json!({"coldStart": false, "replayed": true, "databaseCalls": 1}));
    let counts = (again.get("records"), again.get("succeeded"));
    assert_eq!(counts, (None, None), "they were counted when they ran: {again}");
    assert_ne!(again["requestId"], ran["requestId"]);
}

#[tokio::test]
async fn a_summary_says_where_a_request_came_from_and_what_it_changed() {
    let stage = Stage::new().await;
    stage.put_customers(customers(60)).await;
    stage.put_memberships(&numbered_pairs(1)).await;
    let mut logged = Logged::start(&stage, &[("SKIP_UNCHANGED", "always")]).await;
    let mut of_gateway = import_event(off("add"), numbered(3));
    of_gateway["requestContext"]["requestId"] = "JKJaXmPLvHcESHA=".into();
    for (event, expected) in [
        (
            of_gateway,
            json!({"source": "api", "gatewayRequestId": "JKJaXmPLvHcESHA=", "unchanged": 1, "written": 2, "removed": 0}),
        ),
        (import_event(off("delete"), numbered(5)), json!({"unchanged": 2, "written": 0, "removed": 3})),
        (
            direct_event(TOKEN, off("add"), numbered(2)),
            json!({"source": "direct", "gatewayRequestId": null, "tenant": TENANT, "succeeded": 2}),
        ),
        // The share without a match is that of large imports with matching.
        (import_event(fuzzy(1, "add"), records("openid", "o", 240)), json!({"unmatchedPercent": 75})),
        (import_event(exact("add"), records("openid", "o", 99)), json!({"unmatchedPercent": null})),
        (import_event(off("add"), numbered(240)), json!({"unmatchedPercent": null})),
    ] {
        let (_, summary) = logged.summary(event).await;
        assert_part(&summary, expected);
    }
}

#[tokio::test]
async fn a_rejected_request_without_a_tenant_has_a_short_summary() {
    let stage = Stage::new().await;
    let mut logged = Logged::start(&stage, &[]).await;
    for (event, outcome, status, code) in [
        (post_event("unknown", "{}"), "response", 401, "TOKEN_ERROR"),
        (direct_event("unknown", off("add"), numbered(1)), "error", 401, "TOKEN_ERROR"),
        (json!({"Records": [{"body": "{}"}]}), "error", 400, "PARAM_ERROR"),
    ] {
        let (_, summary) = logged.summary_of(event, outcome).await;
        let source = if outcome == "error" { "direct" } else { "api" };
        assert_part(&summary, json!({"source": source, "status": status, "errorCode": code, "rejected": 1}));
        let metrics = json!([{"Name": "requests", "Unit": "Count"}, {"Name": "rejected", "Unit": "Count"}]);
        let directive = directive(&[json!(["FunctionName", "source"])], metrics);
        assert_eq!(summary["_aws"]["CloudWatchMetrics"], json!([directive]));
        let line = summary.to_string();
        assert!(line.len() < 500, "{} bytes: {line}", line.len());
    }
    // An outage is no rejection: its cause is needed.
    stage.database.rule(Rule::on("GetItem", Action::Reset));
    let (_, failed) = logged.summary(post_event("another", "{}")).await;
    assert_part(&failed, json!({"status": 503, "errors": 1, "databaseFailures": 1}));
}

#[tokio::test]
async fn an_outage_is_logged_once_and_counted() {
    let stage = Stage::new().await;
    let mut logged = Logged::start(&stage, &[]).await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::rejected("ResourceNotFoundException")));
    stage.database.rule(Rule::on("ExecuteStatement", Action::rejected("AccessDeniedException")));
    let by_openid = import_event(fuzzy(1, "add"), records("openid", "o", 300));
    let denied = json!({"causes": {"ExecuteStatement: AccessDeniedException": 1}, "NOT_MATCHED": 300});
    for (event, line, expected) in [
        (
            import_event(off("add"), numbered(500)),
            Some("database call failed"),
            json!({
                "STORE_ERROR": 500, "retryable": 500, "succeeded": 0, "databaseFailures": 120,
                "causes": {"BatchWriteItem: ResourceNotFoundException": 120},
            }),
        ),
        (by_openid.clone(), Some("AccessDeniedException"), denied),
        // The process sends no further statement.
        (by_openid, None, json!({"causes": {}, "NOT_MATCHED": 300})),
    ] {
        let (before, summary) = logged.summary(event).await;
        assert_eq!(before.len(), usize::from(line.is_some()), "{before:?}");
        assert!(line.is_none_or(|line| before[0].contains(line)), "{before:?}");
        assert_part(&summary, expected);
    }
}

#[tokio::test]
async fn metrics_are_numbers_beside_their_dimensions() {
    let stage = Stage::new().await;
    for (per_tenant, of_tenant) in [("false", None), ("true", Some(json!(["FunctionName", "tenant"])))] {
        let mut logged = Logged::start(&stage, &[("METRICS_PER_TENANT", per_tenant)]).await;
        let (_, summary) = logged.summary(import_event(off("add"), numbered(2))).await;
        assert!(summary["_aws"]["Timestamp"].as_u64().expect("milliseconds") > 1_700_000_000_000);
        let directives = [true, false].map(|by_source| {
            let is_kept = |name: &str| BY_SOURCE.contains(&name) == by_source && summary[name].is_number();
            let kept = METRICS.iter().filter(|(name, _)| is_kept(name));
            let kept = kept.map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
            let of_all = if by_source { json!(["FunctionName", "source"]) } else { json!(["FunctionName"]) };
            directive(&iter::once(of_all).chain(of_tenant.clone()).collect::<Vec<_>>(), kept)
        });
        assert_eq!(summary["_aws"]["CloudWatchMetrics"], json!(directives));
        assert!(
            ["succeeded", "written", "durationMs"].iter().all(|name| summary[name].is_number()),
            "{summary}"
        );
        for dimension in ["FunctionName", "source", "tenant"] {
            assert!(summary[dimension].is_string(), "{summary}");
        }
        // A caller without a tenant is in no tenant metric.
        let (_, rejected) = logged.summary(post_event("unknown", "{}")).await;
        let dimensions = json!([["FunctionName", "source"]]);
        assert_eq!(rejected["_aws"]["CloudWatchMetrics"][0]["Dimensions"], dimensions);
    }
    // CloudWatch accepts up to 100 metrics per line (embedded metric format).
    const { assert!(METRICS.len() <= 100) }
}

/// What CloudWatch is told of these metrics.
fn directive(dimensions: &[Value], metrics: Value) -> Value {
    json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics})
}
