//! The function as Lambda runs it: its own process, fed by the Runtime API.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use group_import::hash::sha256_hex;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::start;
use testing::dynamodb::{Action, Rule};
use testing::function::{Response, direct_event, import_event};
use testing::runtime_api::command;
use testing::shorthand::{exact, pairs};
use testing::stage::{Stage, TOKEN};

fn records() -> Value {
    json!([{"openid": "openid-7", "groups": "vip"}, {"openid": "nobody", "groups": "vip"}])
}

#[tokio::test]
async fn log_level_selects_the_lines_written() {
    let stage = stage_that_warns().await;
    for (level, informs) in [(None, true), (Some("WARN"), false)] {
        let level = level.map(|level| ("AWS_LAMBDA_LOG_LEVEL", level));
        let log = log(&stage, level.as_slice(), [import_event(exact("add"), records())]).await;
        assert!(log.contains(" WARN database call failed "), "{level:?}: {log}");
        for part in
            [" INFO request requestId=", " tenant=t1 ", " records=2 ", " matched=1 ", "\"BatchWriteItem\":1"]
        {
            assert_eq!(log.contains(part), informs, "{level:?}: {part} in {log}");
        }
    }
}

/// A customer that is found, and a table that rejects the membership.
async fn stage_that_warns() -> Stage {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "customer-7", "openid": "openid-7"})]).await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::rejected("ResourceNotFoundException")));
    stage
}

/// The log of a process for these events.
async fn log(stage: &Stage, more: &[(&str, &str)], events: impl IntoIterator<Item = Value>) -> String {
    let mut process = start(stage, more).await;
    for event in events {
        process.invoke(event).await;
    }
    process.child.kill().await.expect("the process ends");
    let mut log = String::new();
    process.child.stdout.take().expect("piped").read_to_string(&mut log).await.expect("text");
    log
}

/// The function logs nothing below INFO; that TRACE enables lower levels is tested with the setting.
#[tokio::test]
async fn trace_logs_contain_no_caller_data() {
    let stage = stage_that_warns().await;
    for form in ["Text", "JSON"] {
        let more =
            [("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_FORMAT", form)];
        // Once each: through the API, directly, and rejected.
        let direct = |token| direct_event(token, exact("add"), records());
        let events = [import_event(exact("add"), records()), direct(TOKEN), direct("unknown")];
        let log = log(&stage, &more, events).await;
        assert!(log.contains("succeeded") && log.contains("database call failed"), "{log}");
        for source in ["api", "direct"] {
            let shown = [format!("source={source} "), format!("\"source\":\"{source}\"")];
            assert!(shown.iter().any(|shown| log.contains(shown)), "{source} in {log}");
        }
        assert!(log.contains("TOKEN_ERROR"), "{log}");
        let hashes = [TOKEN, "unknown"].map(|token| sha256_hex(token.as_bytes()));
        let sent = [TOKEN, "openid-7", "nobody", "customer-7", "vip", "publicParams"];
        for secret in sent.into_iter().chain(hashes.iter().map(String::as_str)) {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }
}

/// Lambda Managed Instances send several requests at a time to one process.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_tenants_are_isolated() {
    const REQUESTS: usize = 40;
    const AT_A_TIME: usize = 8;
    let stage = Stage::new().await;
    for tenant in ["a", "b"] {
        stage.put_tenant(tenant, json!({"tenantId": tenant})).await;
    }
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1", "tenantId": "a"})]).await;
    stage.database.rule(Rule::on_any(Action::Delay(Duration::from_millis(20))));
    let mut process = start(&stage, &[("AWS_LAMBDA_MAX_CONCURRENCY", &AT_A_TIME.to_string())]).await;
    for number in 0..REQUESTS {
        // Only tenant a has the customer; the other record identifies the request.
        let data = json!([
            {"openid": "o1", "groups": format!("g{number}")},
            {"openid": format!("x{number}"), "groups": "g"},
        ]);
        let mut event = import_event(exact("add"), data);
        event["headers"]["x-token"] = ["a", "b"][number % 2].into();
        process.send(event);
    }
    let mut seen = BTreeSet::new();
    for _ in 0..REQUESTS {
        let outcome = process.outcome().await.expect("an outcome");
        let number = outcome.event;
        assert!(seen.insert(number), "two responses to event {number}");
        let response = Response::read(&outcome.body);
        let failed = response.data()["errorData"].as_array().expect("failures");
        assert_eq!(failed.last().expect("the last record")["openid"], format!("x{number}"));
        assert_eq!(failed.len(), if number % 2 == 0 { 1 } else { 2 });
    }
    let expected = (0..REQUESTS).step_by(2).map(|number| ("a#c1", format!("g{number}")));
    assert_eq!(stage.memberships().await, pairs(expected));
    let peak = stage.database.peak("ExecuteStatement");
    assert!((2..=AT_A_TIME).contains(&peak), "{peak} requests at a time");
}

#[tokio::test]
async fn one_line_says_which_variable_is_missing_or_invalid() {
    const SET: [(&str, &str); 5] = [
        ("TENANTS_TABLE", "t"),
        ("CUSTOMERS_TABLE", "t"),
        ("MEMBERSHIPS_TABLE", "t"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
        ("MAX_RECORDS", "many"),
    ];
    for (count, named, hint) in [
        (2, "MEMBERSHIPS_TABLE", "make local"),
        (3, "AWS_LAMBDA_RUNTIME_API", "make local"),
        (5, "MAX_RECORDS", "a whole number"),
    ] {
        let process = command(crate::FUNCTION).envs(SET.into_iter().take(count)).output();
        let Output { status, stdout, stderr } = process.await.expect("the process ends");
        let log = String::from_utf8([stdout, stderr].concat()).expect("text");
        assert!(!status.success() && log.lines().count() == 1, "{status}: {log}");
        assert!(log.contains(named) && log.contains(hint), "{log}");
        assert!(!log.contains("TENANTS_TABLE"), "{log}");
    }
}
