//! Lookups that take all the time (contract, section 4: `TIMEOUT`).

use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};

use super::{assert_timeouts, import, with_little_time};
use testing::proxy::{Action, Rule};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, pairs, repost};
use testing::stage::Stage;

#[tokio::test(start_paused = true)]
async fn a_fuzzy_record_not_looked_up_is_a_timeout() {
    let stage = Stage::paused().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1"}),
            json!({"audienceUserId": "c2", "openid": "o2"}),
        ])
        .await;
    let mut function = with_little_time(&stage, |_| {}).await;
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

/// Makes every call hang that looks up values of this field.
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

#[tokio::test(start_paused = true)]
async fn a_hanging_lookup_keeps_completed_results() {
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
        let stage = Stage::paused().await;
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
        for (turn, field) in order.iter().enumerate() {
            // Completed: the earlier waves, and the other calls of the wave that hangs.
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

#[tokio::test(start_paused = true)]
async fn hanging_fallback_queries_are_timeouts() {
    let stage = Stage::paused().await;
    stage.put_customers([json!({"audienceUserId": "c0", "openid": "o"})]).await;
    let mut function = with_little_time(&stage, |_| {}).await;
    let rejected = Action::Error { status: 400, code: "ValidationException", message: "rejected" };
    stage.proxy.rule(Rule::on("ExecuteStatement", rejected));
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

#[tokio::test(start_paused = true)]
async fn slow_membership_checks_keep_completed_successes() {
    let stage = Stage::paused().await;
    let mut function = with_little_time(&stage, |config| {
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
