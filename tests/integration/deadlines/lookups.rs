//! Lookups that take all the time (contract, section 4: `TIMEOUT`).

use std::time::Duration;

use futures_util::future::join_all;
use group_import::config::{IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};

use super::{assert_timeouts, import, with_little_time};
use testing::dynamodb::{Action, Rule};
use testing::model::request::{IDENTIFIERS, ORDERS};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off, pairs, repost};
use testing::stage::Stage;

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
    let [way_1, way_2] = ORDERS;
    let mut runs = Vec::new();
    for (params, order) in [(exact("add"), way_1), (fuzzy(1, "add"), way_1), (fuzzy(2, "add"), way_2)] {
        for hanging in order {
            for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
                runs.push((params.clone(), order, hanging, lookup, false));
            }
            runs.push((params.clone(), order, hanging, IdentityLookup::Statement, true));
        }
    }
    type Run = (Value, [&'static str; IDENTIFIERS.len()], &'static str, IdentityLookup, bool);
    let run = async |(params, order, hanging, lookup, falls_back): Run| {
        let stage = Stage::new().await;
        let customer = json!({"audienceUserId": "c1", "unionid": "c1", "openid": "c1", "phone": "c1"});
        stage.put_customers([customer]).await;
        let mut function = with_little_time(&stage, |config| config.identity_lookup = lookup).await;
        if falls_back {
            stage.database.rule(Rule::on("ExecuteStatement", Action::rejected("ValidationException")));
        }
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
        assert_eq!(again.failures()[1..], ["NOT_MATCHED"; 4]);
        let all = order.iter().map(|field| ("t1#c1", format!("g {field}")));
        assert_eq!(stage.memberships().await, pairs(all));
    };
    join_all(runs.into_iter().map(run)).await;
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
