//! Values that many customers share: what they cost, and what they leave to the other records (contract, section 5).

use group_import::config::IdentityLookup::{Query, Statement};
use group_import::config::SkipUnchanged;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule, Share};
use testing::shorthand::{exact, fuzzy, pairs, records};
use testing::stage::Stage;

const PHONE: &str = "13800138000";

/// Customers `s0`, `s1`, ... with one phone, each with an openid of its own.
fn sharers(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|n| json!({"audienceUserId": format!("s{n}"), "openid": format!("so{n}"), "phone": PHONE}))
}

/// Customers `c0`, `c1`, ... with a phone of their own.
fn others(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|n| json!({"audienceUserId": format!("c{n}"), "phone": format!("139{n:08}")}))
}

#[tokio::test]
async fn a_shared_value_costs_a_few_calls() {
    let stage = Stage::new().await;
    stage.put_customers(sharers(2_000).chain(others(8))).await;
    let good: Vec<_> = (0..8).map(|n| json!({"phone": format!("139{n:08}"), "groups": "g"})).collect();
    for params in [fuzzy(1, "add"), fuzzy(2, "add"), exact("add")] {
        for lookup in [Statement, Query] {
            let function = stage.function_with(|config| config.identity_lookup = lookup).await;
            let import = async |data: Vec<Value>| {
                stage.database.reset();
                let response = function.import(params.clone(), data.into()).await;
                (response.failures().join(" "), stage.database.calls().len())
            };
            let (failures, without) = import(good.clone()).await;
            assert_eq!(failures, "");
            let shared = json!({"phone": PHONE, "groups": "g"});
            let (failures, with) = import([&[shared], &good[..]].concat()).await;
            assert_eq!(failures, "AMBIGUOUS", "{params}");
            assert!(with <= without + 3, "{params}: {with} calls instead of {without}");
        }
    }
    assert_eq!(stage.memberships().await, pairs((0..8).map(|n| (format!("t1#c{n}"), "g"))));
}

#[tokio::test]
async fn shared_values_cost_their_pages_or_a_few_calls_each() {
    for (values, sharing, most) in [(36, 1, 4), (36, 2, 8), (36, 3, 12), (9, 130, 27)] {
        let stage = Stage::new().await;
        let customer =
            |n: usize| json!({"audienceUserId": format!("c{n}"), "openid": format!("o{}", n % values)});
        stage.put_customers((0..values * sharing).map(customer)).await;
        let function = stage.function().await;
        for params in [fuzzy(1, "add"), exact("add")] {
            stage.database.reset();
            let response = function.import(params, records("openid", "o", values)).await;
            assert_eq!(response.failures(), vec!["AMBIGUOUS"; if sharing == 1 { 0 } else { values }]);
            let calls = stage.database.count("ExecuteStatement") + stage.database.count("Query");
            assert!(calls <= most, "{calls} look-ups of {values} values of {sharing} customers");
        }
    }
}

#[tokio::test]
async fn a_customer_seen_on_an_unfinished_page_may_not_be_the_only_one() {
    let stage = Stage::new().await;
    stage.put_customers(sharers(9).chain(others(2))).await;
    stage.put_customers([json!({"audienceUserId": "twin", "phone": "13900000001"})]).await;
    // The first page has nine customers of the first value, and one of the second, whatever follows.
    for (phone, failures) in
        [("13900000000", vec!["AMBIGUOUS"]), ("13900000001", vec!["AMBIGUOUS", "AMBIGUOUS"])]
    {
        let data = json!([{"phone": PHONE, "groups": "g"}, {"phone": phone, "groups": "g"}]);
        let response = stage.function().await.import(fuzzy(1, "add"), data).await;
        assert_eq!(response.failures(), failures, "{phone}");
    }
}

#[tokio::test]
async fn exact_candidates_are_compared_with_a_value_of_more_than_100_customers() {
    for sharing in [99, 100, 101, 250] {
        let stage = Stage::new().await;
        stage.put_customers(sharers(sharing)).await;
        stage.put_customers([json!({"audienceUserId": "d", "openid": "od", "phone": "13800138001"})]).await;
        let data = json!([
            {"phone": PHONE, "openid": "so3", "groups": "a"},
            {"phone": PHONE, "openid": "od", "groups": "b"},
            {"phone": PHONE, "openid": "nobody", "groups": "c"},
            {"phone": PHONE, "groups": "d"},
            {"phone": PHONE, "audienceUserId": "s4", "groups": "e"},
            {"phone": PHONE, "audienceUserId": "d", "groups": "f"},
        ]);
        for lookup in [Statement, Query] {
            let function = stage.function_with(|config| config.identity_lookup = lookup).await;
            stage.database.reset();
            let response = function.import(exact("add"), data.clone()).await;
            assert_eq!(
                response.failures(),
                ["CONFLICT", "NOT_MATCHED", "AMBIGUOUS", "CONFLICT"],
                "{sharing}"
            );
            // `s4` and `d` are read for their IDs; only `s3` is left to compare.
            let compared = usize::from(sharing > 100);
            assert_eq!(stage.database.count("BatchGetItem"), 1 + compared, "{sharing} customers");
        }
        assert_eq!(stage.memberships().await, pairs([("t1#s3", "a"), ("t1#s4", "e")]));
    }
}

#[tokio::test]
async fn each_candidate_is_read_once_in_batches_of_100() {
    let stage = Stage::new().await;
    stage.put_customers(sharers(250)).await;
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Never).await;
    let data: Value = (0..500)
        .map(|n| json!({"phone": PHONE, "openid": format!("so{}", n / 2), "groups": format!("g{}", n % 2)}))
        .collect();
    stage
        .database
        .rule(Rule::on("BatchGetItem", Action::Unprocessed { processed: Share::Fraction(1, 2) }).times(1));
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.data()["importSuccessNum"], 500);
    assert_eq!(stage.database.count("BatchGetItem"), 4, "three batches, and the rest of one");
}

#[tokio::test(start_paused = true)]
async fn two_matches_are_ambiguous_whatever_is_left_to_compare() {
    for (compared, code) in [(1, "TIMEOUT"), (2, "AMBIGUOUS")] {
        let stage = Stage::new().await;
        let pair = |n| json!({"audienceUserId": format!("p{n}"), "openid": "op", "phone": PHONE});
        stage.put_customers(sharers(101).chain((0..3).map(pair))).await;
        let part = |processed| Rule::on("BatchGetItem", Action::Unprocessed { processed });
        stage.database.rule(part(Share::Count(compared)).times(1));
        stage.database.rule(part(Share::Count(0)));
        let data = json!([{"phone": PHONE, "openid": "op", "groups": "g"}]);
        let response = stage.function().await.import(exact("add"), data).await;
        assert_eq!(response.failures(), [code]);
    }
}
