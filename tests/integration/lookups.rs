//! Look-ups of customers: how many calls they take, and what follows a call that fails (contract, section 5). Which values
//! are looked up, each once, is a property of the resolution.

use std::time::Duration;

use group_import::config::IdentityLookup::{Query, Statement};
use serde_json::json;
use testing::dynamodb::{Action, Rule};
use testing::shorthand::{customers, exact, fuzzy, numbered, numbered_pairs, pairs, records};
use testing::stage::Stage;

/// Puts customers `d00`, `d01` and so on, who share an openid.
async fn put_sharers(stage: &Stage, count: usize) {
    let customer = |n| json!({"audienceUserId": format!("d{n:02}"), "openid": "shared"});
    stage.put_customers((0..count).map(customer)).await;
}

#[tokio::test]
async fn nine_values_share_a_statement_and_a_hundred_keys_a_batch() {
    let stage = Stage::new().await;
    for (field, operation, lookup, share, values) in [
        ("unionid", "ExecuteStatement", Statement, 9, &[1, 9, 10, 18, 91][..]),
        ("unionid", "Query", Query, 1, &[1, 15]),
        ("audienceUserId", "BatchGetItem", Statement, 100, &[1, 99, 100, 101, 201]),
    ] {
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for &n in values {
            stage.database.reset();
            let response = function.import(exact("add"), records(field, "x", n)).await;
            assert_eq!(response.failures(), vec!["NOT_MATCHED"; n]);
            assert_eq!(stage.database.count(operation), n.div_ceil(share), "{n} values");
            assert_eq!(stage.database.calls().len(), 1 + n.div_ceil(share), "{n} values");
        }
    }
}

#[tokio::test]
async fn all_pages_are_read() {
    for (page, sharing) in [(10, 9), (10, 10), (10, 11), (10, 20), (1, 2)] {
        let stage = Stage::new().await;
        stage.database.page_size(page);
        put_sharers(&stage, sharing).await;
        stage.put_customers([json!({"audienceUserId": "last", "openid": "zz"})]).await;
        let last = format!("d{:02}", sharing - 1);
        let data = json!([
            {"openid": "shared", "audienceUserId": last, "groups": "g"},
            {"openid": "shared", "groups": "g"},
            {"openid": "zz", "groups": "g"},
        ]);
        for lookup in [Statement, Query] {
            let function = stage.function_with(|config| config.identity_lookup = lookup).await;
            for (params, ambiguous) in [(fuzzy(1, "add"), 2), (exact("add"), 1)] {
                stage.database.reset();
                let response = function.import(params, data.clone()).await;
                assert_eq!(response.failures(), vec!["AMBIGUOUS"; ambiguous], "{sharing} with one openid");
            }
        }
        assert_eq!(
            stage.memberships().await,
            pairs([(format!("t1#{last}"), "g"), ("t1#last".to_owned(), "g")])
        );
        // The last import was an exact one by Query; after a full page, another one is read.
        assert_eq!(stage.database.count("Query"), (1 / page + 1) + (sharing / page + 1), "{sharing}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_statements_are_replaced_by_queries() {
    let lacking = Action::Error { status: 501, code: "InternalFailure", message: "not implemented" };
    // All but the first two are those of implementations without PartiQL, or without it on indexes.
    for rejected in [
        Action::rejected("ValidationException"),
        Action::rejected("AccessDeniedException"),
        Action::rejected("UnknownOperationException"),
        Action::rejected("ResourceNotFoundException"),
        lacking,
        Action::status(405),
    ] {
        let stage = Stage::new().await;
        stage.put_customers(customers(20)).await;
        stage.put_customers([json!({"audienceUserId": "twin", "openid": "o3"})]).await;
        let function = stage.function_with(|config| config.lookup_concurrency = 1).await;
        stage.database.rule(Rule::on("ExecuteStatement", rejected.clone()));
        let import = async || {
            let response = function.import(fuzzy(1, "add"), records("openid", "o", 21)).await;
            assert_eq!(response.failures(), ["AMBIGUOUS", "NOT_MATCHED"], "{rejected:?}");
            (stage.database.count("ExecuteStatement"), stage.database.count("Query"))
        };
        // The process sends no more of them; after some minutes, one is tried again.
        assert_eq!(import().await, (1, 21));
        tokio::time::advance(Duration::from_secs(4 * 60)).await;
        assert_eq!(import().await, (1, 42));
        tokio::time::advance(Duration::from_secs(4 * 60)).await;
        assert_eq!(import().await, (2, 63));
        tokio::time::advance(Duration::from_secs(5 * 60)).await;
        stage.database.clear_rules();
        stage.database.reset();
        assert_eq!(import().await, (4, 0));
        let expected = (0..20).filter(|n| *n != 3).map(|n| (format!("t1#c{n}"), "g"));
        assert_eq!(stage.memberships().await, pairs(expected), "{rejected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn values_of_a_rejected_statement_are_queried_at_the_same_time() {
    let stage = Stage::new().await;
    stage.put_customers(customers(9)).await;
    let function = stage.function().await;
    stage.database.rule(Rule::on("ExecuteStatement", Action::rejected("AccessDeniedException")));
    stage.database.rule(Rule::on("Query", Action::Delay(Duration::from_secs(3))));
    let data = (0..9).map(|n| json!({"unionid": format!("x{n}"), "openid": format!("o{n}"), "groups": "g"}));
    assert_eq!(function.import(fuzzy(1, "add"), data.collect()).await.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, numbered_pairs(9));
}

#[tokio::test]
async fn a_statement_rejected_midway_is_read_again() {
    let stage = Stage::new().await;
    put_sharers(&stage, 12).await;
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
    let function = stage.function().await;
    let rejected = Action::rejected("ValidationException");
    stage.database.rule(Rule::on("ExecuteStatement", rejected).when(|body| body["NextToken"].is_string()));
    let data = json!([
        {"openid": "o1", "groups": "g"},
        {"openid": "shared", "audienceUserId": "d11", "groups": "g"},
        {"openid": "shared", "groups": "g"},
    ]);
    let response = function.import(exact("add"), data).await;
    assert_eq!(response.failures(), ["AMBIGUOUS"]);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#d11", "g")]));
}

#[tokio::test]
async fn a_customer_on_two_pages_is_one_match() {
    // An index that changes between two pages may return an item on both. An empty place for a next page is none.
    const ITEM: &str = r#"{"audienceUserId": {"S": "c1"}, "openid": {"S": "o1"}, "tenantId": {"S": "t1"}}"#;
    for (operation, lookup, place, next, last) in [
        ("ExecuteStatement", Statement, "NextToken", r#""next""#, r#""""#),
        ("Query", Query, "LastEvaluatedKey", r#"{"openid": {"S": "o1"}}"#, "{}"),
    ] {
        let stage = Stage::new().await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for next in [next, last] {
            let page = format!(r#"{{"Items": [{ITEM}], "{place}": {next}}}"#).leak();
            stage.database.rule(Rule::on(operation, Action::Respond(page)).times(1));
        }
        let data = json!([{"openid": "o1", "groups": "g"}]);
        assert_eq!(function.import(fuzzy(1, "add"), data).await.failures(), [""; 0]);
        assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
        assert_eq!(stage.database.count(operation), 2);
    }
}

#[tokio::test]
async fn a_key_that_is_unprocessed_twice_is_requested_once() {
    const KEY: &str = r#"{"audienceUserId": {"S": "c0"}, "tenantId": {"S": "t1"}}"#;
    let stage = Stage::new().await;
    stage.put_customers(customers(1)).await;
    let page = format!(r#"{{"Responses": {{}}, "UnprocessedKeys": {{"c": {{"Keys": [{KEY}, {KEY}]}}}}}}"#);
    stage.database.rule(Rule::on("BatchGetItem", Action::Respond(page.leak())).times(1));
    assert_eq!(stage.function().await.import(exact("add"), numbered(1)).await.failures(), [""; 0]);
}
