//! The function as Lambda runs it: its own process, fed by the Runtime API.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use testing::function::{Response, post_event};
use testing::proxy::{Action, Rule};
use testing::runtime_api::Process;
use testing::shorthand::pairs;
use testing::stage::{Stage, TOKEN};

const TIME: Duration = Duration::from_secs(30);

async fn start(stage: &Stage, more: &[(&str, &str)]) -> Process {
    stage.process(crate::FUNCTION.as_ref(), TIME, more).await
}

fn import() -> Value {
    let params = json!({"isMatching": true, "matchingType": 1, "optType": "add"});
    let data = json!([{"openid": "openid-7", "groups": "vip"}, {"openid": "nobody", "groups": "vip"}]);
    post_event(TOKEN, json!({"publicParams": params, "data": data}).to_string())
}

#[tokio::test]
async fn one_process_answers_one_event_after_the_other() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "openid-7"})]).await;
    let mut process = start(&stage, &[]).await;
    for _ in 0..2 {
        let answered = process.invoke(import()).await;
        assert_eq!(answered.kind, "response");
        let response = Response::read(&answered.body);
        assert_eq!(response.failures(), ["NOT_MATCHED"]);
    }
    assert_eq!(stage.memberships().await.len(), 1);
    assert_eq!(stage.proxy.count("GetItem"), 1, "the token is remembered");
}

#[tokio::test]
async fn what_is_no_event_of_api_gateway_is_answered_in_the_envelope() {
    let stage = Stage::new().await;
    let mut process = start(&stage, &[]).await;
    for event in
        [json!({}), json!([1]), json!("x"), json!(null), json!({"headers": {"x-a": "张\u{0}"}, "body": 1})]
    {
        let answered = process.invoke(event).await;
        assert_eq!(answered.kind, "response");
        assert_eq!(Response::read(&answered.body).code(), "NOT_FOUND");
    }
}

#[tokio::test]
async fn no_level_of_logging_shows_a_token_an_identifier_a_group_or_a_body() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "customer-7", "openid": "openid-7"})]).await;
    for form in ["Text", "JSON"] {
        let more =
            [("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_FORMAT", form)];
        let mut process = start(&stage, &more).await;
        process.invoke(import()).await;
        process.child.kill().await.expect("the process ends");
        let mut log = String::new();
        process.child.stdout.take().expect("piped").read_to_string(&mut log).await.expect("text");
        assert!(log.contains("succeeded"), "{log}");
        for secret in [TOKEN, "openid-7", "nobody", "customer-7", "vip", "publicParams"] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }
}

/// Lambda Managed Instances send several requests at a time to one process.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_several_tenants_at_a_time_are_answered_each_for_itself() {
    const REQUESTS: usize = 40;
    const AT_A_TIME: usize = 8;
    let stage = Stage::new().await;
    for tenant in ["a", "b"] {
        stage.put_tenant(tenant, json!({"tenantId": tenant})).await;
    }
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1", "tenantId": "a"})]).await;
    stage.proxy.rule(Rule::on_any(Action::Delay(Duration::from_millis(20))));
    let mut process = start(&stage, &[("AWS_LAMBDA_MAX_CONCURRENCY", &AT_A_TIME.to_string())]).await;
    for number in 0..REQUESTS {
        // Only tenant a has the customer; the other record names the request.
        let data = json!([{"openid": "o1", "groups": format!("g{number}")}, {"openid": format!("x{number}"), "groups": "g"}]);
        let params = json!({"isMatching": true, "matchingType": 1, "optType": "add"});
        let tenant = ["a", "b"][number % 2];
        process.send(post_event(tenant, json!({"publicParams": params, "data": data}).to_string()));
    }
    let mut answered = BTreeSet::new();
    for _ in 0..REQUESTS {
        let answer = process.answered().await;
        let number = answer.event;
        assert!(answered.insert(number), "two answers to event {number}");
        let response = Response::read(&answer.body);
        let failed = response.data()["errorData"].as_array().expect("failures");
        assert_eq!(failed.last().expect("the last record")["openid"], format!("x{number}"));
        assert_eq!(failed.len(), if number % 2 == 0 { 1 } else { 2 });
    }
    let expected = (0..REQUESTS).step_by(2).map(|number| ("a#c1", format!("g{number}")));
    assert_eq!(stage.memberships().await, pairs(expected));
    let peak = stage.proxy.peak("ExecuteStatement");
    assert!((2..=AT_A_TIME).contains(&peak), "{peak} requests at a time");
}

#[tokio::test]
async fn a_setting_that_does_not_fit_stops_the_start_by_name() {
    let stage = Stage::new().await;
    for (variable, value) in [("MAX_RECORDS", "many"), ("TENANTS_TABLE", "")] {
        let process = start(&stage, &[(variable, value)]).await;
        let Output { status, stdout, .. } = process.child.wait_with_output().await.expect("the process ends");
        let log = String::from_utf8(stdout).expect("text");
        assert!(!status.success() && log.contains(variable), "{status}: {log}");
    }
}
