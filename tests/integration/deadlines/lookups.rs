//! Lookups that take all the time (contract, section 4: `TIMEOUT`).

use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{Config, IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};

use super::{assert_timeouts, import, with_little_time};
use testing::dynamodb::{Action, Rule};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, pairs, repost};
use testing::stage::Stage;

#[tokio::test(start_paused = true)]
async fn a_fuzzy_record_not_looked_up_is_a_timeout() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1"}),
            json!({"audienceUserId": "c2", "openid": "o2"}),
        ])
        .await;
    let mut function = with_little_time(&stage, |_| {}).await;
    stage.database.rule(Rule::on("ExecuteStatement", Action::Delay(Duration::from_millis(500))));
    let data = json!([
        {"unionid": "nobody", "openid": "o2", "groups": "g"},
        {"unionid": "u1", "groups": "g"},
        {"unionid": "nobody", "groups": "g"},
    ]);
    let response = import(&stage, &function, fuzzy(1, "add"), data).await;
    assert_eq!(response.failures(), ["TIMEOUT", "NOT_MATCHED"]);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
    function.seconds = 30.0;
    stage.database.clear_rules();
    repost(&function, &fuzzy(1, "add"), &response).await.data();
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c2", "g")]));
}

/// Makes every call hang that looks up values of this field.
fn hang_on(stage: &Stage, field: &'static str) {
    if field == "audienceUserId" {
        return stage.database.rule(Rule::on("BatchGetItem", Action::Hang));
    }
    for operation in ["ExecuteStatement", "Query"] {
        let index = format!("{field}-index");
        let of_field = move |body: &Value| body.to_string().contains(&index);
        stage.database.rule(Rule::on(operation, Action::Hang).when(of_field));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_hanging_lookup_leaves_is_written() {
    let fields = ["unionid", "openid", "phone", "audienceUserId"];
    let orders = [
        (exact("add"), fields),
        (fuzzy(1, "add"), fields),
        (fuzzy(2, "add"), ["phone", "unionid", "openid", "audienceUserId"]),
    ];
    let mut runs = Vec::new();
    for (params, order) in orders {
        for hanging in order {
            for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
                runs.push((params.clone(), order, hanging, lookup));
            }
        }
    }
    let run = async |(params, order, hanging, lookup): (Value, [&'static str; 4], &'static str, _)| {
        let stage = Stage::new().await;
        let customer = json!({"audienceUserId": "c1", "unionid": "c1", "openid": "c1", "phone": "c1"});
        stage.put_customers([customer]).await;
        let mut function = with_little_time(&stage, |config| config.identity_lookup = lookup).await;
        hang_on(&stage, hanging);
        // For each identifier: a record that it matches, and one that matches nobody.
        let mut data = vec![json!({"phone": 7, "groups": "g"})];
        for field in &order {
            data.push(json!({*field: "c1", "groups": format!("g {field}")}));
            data.push(json!({*field: "nobody", "groups": "g"}));
        }
        let response = import(&stage, &function, params.clone(), data.into()).await;
        let mut expected = vec!["INVALID_FIELD"];
        for field in order {
            expected.extend(if field == hanging { vec!["TIMEOUT"; 2] } else { vec!["NOT_MATCHED"] });
        }
        assert_eq!(response.failures(), expected, "{params} {hanging} {lookup:?}");
        let is_found = |field: &&&str| **field != hanging;
        let imported = order.iter().filter(is_found).map(|field| ("t1#c1", format!("g {field}")));
        assert_eq!(stage.memberships().await, pairs(imported), "{params} {hanging} {lookup:?}");

        function.seconds = 30.0;
        stage.database.clear_rules();
        let again = repost(&function, &params, &response).await;
        let expected = ["INVALID_FIELD", "NOT_MATCHED", "NOT_MATCHED", "NOT_MATCHED", "NOT_MATCHED"];
        assert_eq!(again.failures(), expected);
        let all = order.iter().map(|field| ("t1#c1", format!("g {field}")));
        assert_eq!(stage.memberships().await, pairs(all));
    };
    join_all(runs.into_iter().map(run)).await;
}

#[tokio::test(start_paused = true)]
async fn hanging_fallback_queries_are_timeouts() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c0", "openid": "o"})]).await;
    let mut function = with_little_time(&stage, |_| {}).await;
    let rejected = Action::Error { status: 400, code: "ValidationException", message: "rejected" };
    stage.database.rule(Rule::on("ExecuteStatement", rejected));
    stage.database.rule(Rule::on("Query", Action::Hang));
    let data = json!([{"openid": "o", "groups": "g"}, {"openid": "nobody", "groups": "g"}]);
    let response = import(&stage, &function, fuzzy(1, "add"), data).await;
    assert_eq!(response.failures(), ["TIMEOUT", "TIMEOUT"]);
    function.seconds = 30.0;
    stage.database.clear_rules();
    let again = function.import(fuzzy(1, "add"), json!([{"openid": "o", "groups": "g"}])).await;
    assert_eq!(again.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, numbered_pairs(1));
}

#[tokio::test(start_paused = true)]
async fn slow_membership_checks_keep_completed_successes() {
    let stage = Stage::new().await;
    let mut function = with_little_time(&stage, |config| {
        config.skip_unchanged = SkipUnchanged::Always;
        config.lookup_concurrency = 1;
    })
    .await;
    stage.put_memberships(&numbered_pairs(500)).await;
    stage.database.rule(Rule::on("BatchGetItem", Action::Delay(Duration::from_millis(400))));
    let response = import(&stage, &function, off("add"), numbered(501)).await;
    let imported = response.data()["importSuccessNum"].as_u64().expect("a number");
    assert!((100..500).contains(&imported) && imported.is_multiple_of(100), "{imported}");
    assert_eq!(stage.database.count("BatchWriteItem"), 0);
    assert_timeouts(&stage, &mut function, &off("add"), &response).await;
    assert_eq!(stage.memberships().await, numbered_pairs(501));
}

/// Records whose look-ups need several invocations: each identifies a customer by its last identifier alone.
async fn resending_ends(params: Value, set: fn(&mut Config), records: usize) {
    let stage = Stage::new().await;
    let customer = |n: usize| json!({"audienceUserId": format!("c{n}"), "phone": format!("139{n:08}")});
    stage.put_customers((0..records).map(customer)).await;
    let mut function = stage
        .function_with(|config| {
            config.lookup_concurrency = 4;
            set(config);
        })
        .await;
    function.seconds = 7.0;
    for operation in ["ExecuteStatement", "Query", "BatchGetItem"] {
        stage.database.rule(Rule::on(operation, Action::Delay(Duration::from_millis(160))));
    }
    let is_exact = params["matchingType"] == 1;
    let mut data: Value = (0..records)
        .map(|n| {
            let phone = format!("139{n:08}");
            let mut record = json!({"audienceUserId": format!("c{n}"), "phone": phone, "groups": "g"});
            if !is_exact {
                record["unionid"] = format!("nobody {n}").into();
                record["openid"] = format!("nobody {n}").into();
            }
            record
        })
        .collect();
    let mut left = records;
    while left > 0 {
        let response = function.import(params.clone(), data).await;
        let failures = response.failures();
        assert!(failures.iter().all(|code| *code == "TIMEOUT"), "{failures:?}");
        assert!(failures.len() < left, "{params}: nothing of {left} was imported");
        left = failures.len();
        data = response.data()["errorData"].clone();
    }
    assert_eq!(stage.memberships().await, numbered_pairs(records));
}

#[tokio::test(start_paused = true)]
async fn slow_lookups_import_something_with_every_sending() {
    let by_query: fn(&mut Config) = |config| config.identity_lookup = IdentityLookup::Query;
    for params in [fuzzy(1, "add"), fuzzy(2, "add"), exact("add")] {
        resending_ends(params.clone(), |_| {}, 1_000).await;
        resending_ends(params, by_query, 200).await;
    }
}
