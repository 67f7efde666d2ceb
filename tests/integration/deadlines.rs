//! An invocation with little time: no call starts too late, and the answer still comes (contract,
//! section 4: `TIMEOUT`).
//!
//! The times leave three quarters of a second or more for a busy machine: a call must come in before the answer has
//! to be out, an answer before the invocation is cut off.

mod keys;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use group_import::config::{Config, IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};
use testing::function::{Function, Response};
use testing::proxy::{Action, Rule, Share};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, pairs, repost, resend};
use testing::stage::{Stage, TOKEN};

/// The time of an invocation, of which the margin leaves one second for calls.
const SECONDS: f64 = 4.0;
const MARGIN: Duration = Duration::from_secs(3);

async fn hurried(stage: &Stage, set: impl FnOnce(&mut Config)) -> Function {
    let mut function = stage
        .function_with(|config| {
            config.deadline_margin = MARGIN;
            config.token_cache = Duration::from_secs(3_600);
            set(config);
        })
        .await;
    // The token is remembered from here on.
    function.import(off("delete"), numbered(1)).await.data();
    stage.proxy.reset();
    function.seconds = SECONDS;
    function
}

/// An import that ends before its time does, and starts no call in its last part.
async fn import(stage: &Stage, function: &Function, params: Value, data: Value) -> Response {
    let (start, start_of_calls) = (Instant::now(), stage.proxy.now());
    let response = function.import(params, data).await;
    assert!(start.elapsed().as_secs_f64() < SECONDS, "answered after {:?}", start.elapsed());
    let end_of_calls = start_of_calls + Duration::from_secs_f64(SECONDS) - MARGIN;
    for call in stage.proxy.calls() {
        // What starts in time can come in a little later.
        assert!(call.at < end_of_calls + MARGIN / 2, "{} at {:?}", call.operation, call.at);
    }
    response
}

/// The failed records are all `TIMEOUT`, and a later call with time enough brings the full state.
async fn assert_timeouts(stage: &Stage, function: &mut Function, params: &Value, response: &Response) {
    for record in response.data()["errorData"].as_array().expect("failures") {
        assert_eq!((&record["errorCode"], &record["retryable"]), (&json!("TIMEOUT"), &json!(true)));
    }
    function.seconds = 30.0;
    resend(stage, function, params, response).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_do_not_fit_in_the_time_are_timeouts_and_the_others_are_done() {
    let stage = Stage::new().await;
    let mut function = hurried(&stage, |config| config.write_concurrency = 1).await;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Delay(Duration::from_millis(300))));
    let response = import(&stage, &function, off("add"), numbered(250)).await;
    assert!(!response.failures().is_empty(), "ten calls take three seconds, and there is one");
    let failed = response.data()["errorData"].as_array().expect("failures");
    let state = stage.memberships().await;
    for (pair, n) in (0..250).map(|n| ((format!("t1#c{n}"), "g".to_owned()), n)) {
        let is_failed = failed.iter().any(|record| record["audienceUserId"] == format!("c{n}"));
        assert!(is_failed || state.contains(&pair), "{pair:?} is a success and not written");
    }
    assert_timeouts(&stage, &mut function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, numbered_pairs(250));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_is_given_up_in_time_to_answer() {
    type Case = (&'static str, Value, &'static str, fn(&mut Config));
    let cases: [Case; 4] = [
        ("ExecuteStatement", fuzzy(1, "add"), "openid", |_| {}),
        ("Query", exact("add"), "openid", |config| config.identity_lookup = IdentityLookup::Query),
        ("BatchGetItem", fuzzy(2, "add"), "audienceUserId", |_| {}),
        ("BatchWriteItem", off("add"), "audienceUserId", |_| {}),
    ];
    let run = async |(operation, params, field, set): Case| {
        let stage = Stage::new().await;
        stage.put_customers([json!({"audienceUserId": "c1", "openid": "c1"})]).await;
        let mut function = hurried(&stage, set).await;
        stage.proxy.rule(Rule::on(operation, Action::Hang));
        let data = json!([{field: "c1", "groups": "g"}, {"groups": "g"}]);
        let response = import(&stage, &function, params.clone(), data).await;
        assert_eq!(response.failures(), ["TIMEOUT", "MISSING_IDENTIFIER"], "{operation}");
        assert_eq!(response.data()["errorData"][0]["retryable"], true);
        function.seconds = 30.0;
        stage.proxy.clear_rules();
        let again = function.import(params, json!([{field: "c1", "groups": "g"}])).await;
        assert_eq!(again.failures(), [""; 0], "{operation}");
        assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
    };
    join_all(cases.map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_check_hangs_is_503_in_time() {
    let stage = Stage::new().await;
    let mut function = stage.function_with(|config| config.deadline_margin = MARGIN).await;
    function.seconds = SECONDS;
    stage.proxy.rule(Rule::on("GetItem", Action::Hang));
    let start = Instant::now();
    let response = function.import(off("add"), numbered(1)).await;
    assert!(start.elapsed().as_secs_f64() < SECONDS, "answered after {:?}", start.elapsed());
    assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(response.headers["Retry-After"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_unprocessed_is_a_timeout_when_the_time_ends_first() {
    let run = async |operation: &'static str| {
        let stage = Stage::new().await;
        stage.put_customers((0..5).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
        // A quarter of a second for calls: the pauses between them are random, and longer together.
        let set = |config: &mut Config| config.deadline_margin = MARGIN + Duration::from_millis(750);
        let mut function = hurried(&stage, set).await;
        stage.proxy.rule(Rule::on(operation, Action::Unprocessed { processed: Share::Count(0) }));
        let response = import(&stage, &function, exact("add"), numbered(5)).await;
        assert_eq!(response.failures(), ["TIMEOUT"; 5], "{operation}");
        assert_timeouts(&stage, &mut function, &exact("add"), &response).await;
        assert_eq!(stage.memberships().await, numbered_pairs(5));
    };
    join_all(["BatchWriteItem", "BatchGetItem"].map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzy_record_whose_turn_never_came_is_a_timeout_and_not_unmatched() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1"}),
            json!({"audienceUserId": "c2", "openid": "o2"}),
        ])
        .await;
    let mut function = hurried(&stage, |_| {}).await;
    stage.proxy.rule(Rule::on("ExecuteStatement", Action::Delay(Duration::from_millis(1_100))));
    let data = json!([
        {"unionid": "nobody", "openid": "o2", "groups": "g"},
        {"unionid": "u1", "groups": "g"},
        {"unionid": "nobody", "groups": "g"},
    ]);
    let response = import(&stage, &function, fuzzy(1, "add"), data).await;
    assert_eq!(response.failures(), ["TIMEOUT", "TIMEOUT", "NOT_MATCHED"]);
    assert_eq!(stage.proxy.count("BatchWriteItem") + stage.proxy.count("BatchGetItem"), 0);
    function.seconds = 30.0;
    stage.proxy.clear_rules();
    let data = json!([{"openid": "o2", "groups": "g"}, {"unionid": "u1", "groups": "g"}]);
    function.import(fuzzy(1, "add"), data).await.data();
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c2", "g")]));
}

#[tokio::test]
async fn past_the_deadline_no_call_is_made_and_a_token_cannot_be_checked() {
    let stage = Stage::new().await;
    let mut function = stage.function().await;
    for seconds in [0.0, 1.0] {
        function.seconds = seconds;
        let response = function.import(off("add"), numbered(1)).await;
        assert_eq!((response.status, response.code()), (503, "SERVICE_UNAVAILABLE"));
        assert_eq!(response.headers["Retry-After"], "1");
    }
    assert_eq!(stage.proxy.calls().len(), 0, "the margin is a second and a half");
    let response = function.post("", "{").await;
    assert_eq!(response.code(), "TOKEN_ERROR", "no database is needed to tell");
}

#[tokio::test]
async fn past_the_deadline_the_records_of_a_remembered_token_are_timeouts() {
    let stage = Stage::new().await;
    stage.put_customers((0..3).map(|n| json!({"audienceUserId": format!("c{n}")}))).await;
    let mut function = hurried(&stage, |_| {}).await;
    for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "delete")] {
        function.seconds = 0.0;
        let mut data = numbered(3);
        data.as_array_mut().expect("an array").extend([json!({"groups": "g"}), json!({"phone": 1})]);
        let response = function.import(params.clone(), data).await;
        let codes = ["TIMEOUT", "TIMEOUT", "TIMEOUT", "MISSING_IDENTIFIER", "INVALID_FIELD"];
        assert_eq!(response.failures(), codes, "{params}");
        assert_eq!(response.data()["status"], -1);
        assert_eq!(stage.proxy.calls().len(), 0, "{params}");
        // What is wrong with the request itself is told all the same.
        assert_eq!(function.post(TOKEN, "{").await.code(), "PARAM_ERROR");
        function.seconds = 30.0;
        assert_eq!(function.import(params, numbered(3)).await.data()["status"], 1);
        stage.proxy.reset();
    }
}

/// Has calls hang that look up values of this field, by whatever operation.
fn hang_on(stage: &Stage, field: &'static str) {
    if field == "audienceUserId" {
        return stage.proxy.rule(Rule::on("BatchGetItem", Action::Hang));
    }
    for operation in ["ExecuteStatement", "Query"] {
        let index = format!("{field}-index");
        let of_field = move |body: &Value| body.to_string().contains(&index);
        stage.proxy.rule(Rule::on(operation, Action::Hang).when(of_field));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_look_up_hangs_what_is_known_by_then_is_told_in_time_and_the_rest_can_be_sent_again() {
    let fields = ["unionid", "openid", "phone", "audienceUserId"];
    let orders = [
        (exact("add"), fields.to_vec(), true),
        (fuzzy(1, "add"), fields.to_vec(), false),
        (fuzzy(2, "add"), vec!["phone", "unionid", "openid", "audienceUserId"], false),
    ];
    let mut runs = Vec::new();
    for (params, order, at_once) in orders {
        for (wave, hanging) in order.clone().into_iter().enumerate() {
            for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
                runs.push((params.clone(), order.clone(), at_once, wave, hanging, lookup));
            }
        }
    }
    let run = async |(params, order, at_once, wave, hanging, lookup): (
        Value,
        Vec<&str>,
        bool,
        usize,
        &'static str,
        _,
    )| {
        let stage = Stage::new().await;
        let customer = json!({"audienceUserId": "c1", "unionid": "c1", "openid": "c1", "phone": "c1"});
        stage.put_customers([customer]).await;
        let mut function = hurried(&stage, |config| config.identity_lookup = lookup).await;
        hang_on(&stage, hanging);
        // For each identifier a record that is matched by it, and one that nobody matches.
        let mut data = vec![json!({"phone": 7, "groups": "g"})];
        for field in &order {
            data.push(json!({*field: "c1", "groups": format!("g {field}")}));
            data.push(json!({*field: "nobody", "groups": "g"}));
        }
        let response = import(&stage, &function, params.clone(), data.into()).await;
        let mut expected = vec!["INVALID_FIELD"];
        for (turn, field) in order.iter().enumerate() {
            // Waves before the one that hangs have been read, and so has the same wave's every other call.
            let read = if at_once { *field != hanging } else { turn < wave };
            expected.extend(["TIMEOUT", if read { "NOT_MATCHED" } else { "TIMEOUT" }]);
        }
        assert_eq!(response.failures(), expected, "{params} {hanging} {lookup:?}");
        assert_eq!(stage.proxy.count("BatchWriteItem"), 0);

        function.seconds = 30.0;
        stage.proxy.clear_rules();
        let again = repost(&function, &params, &response).await;
        assert_eq!(
            again.failures(),
            ["INVALID_FIELD", "NOT_MATCHED", "NOT_MATCHED", "NOT_MATCHED", "NOT_MATCHED"]
        );
        assert_eq!(
            stage.memberships().await,
            pairs(order.iter().map(|field| ("t1#c1", format!("g {field}"))))
        );
    };
    join_all(runs.into_iter().map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_whose_queries_hang_is_a_timeout_in_time() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c0", "openid": "o"})]).await;
    let mut function = hurried(&stage, |_| {}).await;
    let refused = Action::Error { status: 400, code: "ValidationException", message: "refused" };
    stage.proxy.rule(Rule::on("ExecuteStatement", refused));
    stage.proxy.rule(Rule::on("Query", Action::Hang));
    let data = json!([{"openid": "o", "groups": "g"}, {"openid": "nobody", "groups": "g"}]);
    let response = import(&stage, &function, fuzzy(1, "add"), data).await;
    assert_eq!(response.failures(), ["TIMEOUT", "TIMEOUT"]);
    function.seconds = 30.0;
    stage.proxy.clear_rules();
    let again = function.import(fuzzy(1, "add"), json!([{"openid": "o", "groups": "g"}])).await;
    assert_eq!(again.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, numbered_pairs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_that_takes_all_the_time_leaves_what_was_told_by_then_a_success() {
    let stage = Stage::new().await;
    let mut function = hurried(&stage, |config| {
        config.skip_unchanged = SkipUnchanged::Always;
        config.lookup_concurrency = 1;
    })
    .await;
    stage.put_memberships(&numbered_pairs(500)).await;
    stage.proxy.rule(Rule::on("BatchGetItem", Action::Delay(Duration::from_millis(400))));
    let response = import(&stage, &function, off("add"), numbered(501)).await;
    let imported = response.data()["importSuccessNum"].as_u64().expect("a number");
    assert!((100..500).contains(&imported) && imported.is_multiple_of(100), "{imported}");
    assert_eq!(stage.proxy.count("BatchWriteItem"), 0);
    assert_timeouts(&stage, &mut function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, numbered_pairs(501));
}
