//! Safe retries: `Idempotency-Key` (contract, section 8).

mod outcomes;

use std::pin::pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::{join_all, select};
use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response, post_event, with_key};
use testing::stage::{Stage, TOKEN};
use tokio::task::yield_now;
use tokio::time::Instant;

/// Some records succeed; the others fail with different codes.
fn mixed() -> Value {
    json!({
        "publicParams": {"isMatching": true, "matchingType": 1, "optType": "add", "explain": true},
        "data": [
            {"openid": "o1", "groups": "vip"},
            {"openid": 7, "groups": "vip"},
            {"openid": "nobody", "groups": "vip"},
            {"openid": "o2", "groups": "vip,new"},
            {"openid": "o1", "unionid": "u2", "groups": "vip"},
            {"openid": "o3"},
            {"groups": "vip"},
            {"openid": "o1", "phone": "x".repeat(1025), "groups": "g"},
        ],
    })
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    let customers = [
        json!({"audienceUserId": "c1", "openid": "o1"}),
        json!({"audienceUserId": "c2", "openid": "o2", "unionid": "u2"}),
    ];
    stage.put_customers(customers).await;
    stage
}

async fn post(function: &Function, key: &str, body: &Value) -> Response {
    function.invoke(with_key(post_event(TOKEN, body.to_string()), key)).await
}

/// Posts the import with the same key from several threads.
async fn post_at_once(function: &Arc<Function>, callers: usize) -> Vec<Response> {
    let requests = (0..callers).map(|_| {
        let function = Arc::clone(function);
        tokio::spawn(async move { post(&function, "k1", &mixed()).await })
    });
    join_all(requests).await.into_iter().map(|ended| ended.expect("no panic")).collect()
}

fn is_replay(response: &Response) -> bool {
    response.data();
    response.headers.get("Idempotent-Replayed").is_some_and(|replayed| replayed == "true")
}

#[tokio::test]
async fn the_table_is_needed_for_keys_only() {
    let stage = stage().await;
    let function = stage.function_with(|config| config.tables.imports = None).await;
    function.post(TOKEN, mixed().to_string()).await.data();
    assert_eq!((stage.database.count("GetItem"), stage.database.count("PutItem")), (1, 0));
    assert_eq!(post(&function, "k1", &mixed()).await.code(), "PARAM_ERROR");
    // A dry run ignores its key.
    let mut dry_run = mixed();
    dry_run["publicParams"]["dryRun"] = true.into();
    post(&function, "k1", &dry_run).await.data();
}

#[tokio::test]
async fn a_key_is_bound_to_the_body_of_its_tenant() {
    let stage = stage().await;
    stage.put_tenant("token-of-t2", json!({"tenantId": "t2"})).await;
    let function = stage.function().await;
    post(&function, "k1", &mixed()).await.data();
    // A byte order mark is no part of the JSON, but of the body that the key is bound to.
    let marked = post_event(TOKEN, format!("\u{feff}{}", mixed()));
    assert_eq!(function.invoke(with_key(marked, "k1")).await.status, 422);
    let mut other = mixed();
    other["publicParams"]["optType"] = "delete".into();
    assert_eq!(post(&function, "k1", &other).await.code(), "IDEMPOTENCY_KEY_REUSED");
    // An HTTP API joins the values of a repeated header.
    let joined = post_event(&format!("{TOKEN},{TOKEN}"), mixed().to_string());
    assert!(is_replay(&function.invoke(with_key(joined, "k1, k1")).await));
    let elsewhere = function.invoke(with_key(post_event("token-of-t2", other.to_string()), "k1")).await;
    assert!(!is_replay(&elsewhere));
    assert_eq!(stage.memberships().await.len(), 3, "nothing was deleted");
    assert!(!is_replay(&post(&function, "k2", &other).await));
    assert!(stage.memberships().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_concurrent_request_runs_also_after_a_run_that_died() {
    for (callers, one_died) in [(2, false), (10, true), (50, false)] {
        let stage = stage().await;
        let function = Arc::new(stage.function().await);
        if one_died {
            stage.database.rule(Rule::on("BatchWriteItem", Action::Hang).times(1));
            let is_writing = async || {
                while stage.database.faults().is_empty() {
                    yield_now().await
                }
            };
            select(pin!(post(&function, "k1", &mixed())), pin!(is_writing())).await;
            assert_eq!(post(&function, "k1", &mixed()).await.code(), "IN_PROGRESS");
            stage.end_lease("t1#k1").await;
            stage.database.reset();
        }
        let responses = post_at_once(&function, callers).await;
        let (imported, others): (Vec<_>, Vec<_>) =
            responses.iter().partition(|response| response.status == 200);
        let ran: Vec<_> = imported.iter().filter(|response| !is_replay(response)).collect();
        assert_eq!((ran.len(), stage.database.count("BatchWriteItem")), (1, 1), "of {callers}");
        assert!(imported.iter().all(|response| response.body == ran[0].body));
        assert!(others.iter().all(|response| response.code() == "IN_PROGRESS"), "{others:?}");
        assert_eq!(post(&function, "k1", &mixed()).await.body, ran[0].body);
        assert_eq!(stage.memberships().await.len(), 3);
    }
}

/// Ways in which a call fails permanently.
const OUTAGES: [Action; 5] = [
    Action::THROTTLED,
    Action::rejected("AccessDeniedException"),
    Action::BROKEN,
    Action::Reset,
    Action::Garble,
];

#[tokio::test(start_paused = true)]
async fn a_failed_claim_stops_the_import_and_holds_no_key() {
    for then in OUTAGES {
        // The claim may be stored, but no response says so.
        for first in [Action::Truncate, then.clone()] {
            let stage = stage().await;
            let function = stage.function().await;
            stage.database.rule(Rule::on("PutItem", first).times(1));
            stage.database.rule(Rule::on("PutItem", then.clone()));
            assert_eq!(post(&function, "k1", &mixed()).await.code(), "SERVICE_UNAVAILABLE", "{then:?}");
            assert!(stage.memberships().await.is_empty());
            stage.database.clear_rules();
            assert!(!is_replay(&post(&function, "k1", &mixed()).await), "{then:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_not_stored_holds_the_key_unless_the_lease_can_be_ended() {
    for outage in OUTAGES {
        for is_released in [false, true] {
            let stage = stage().await;
            let function = stage.function().await;
            let is_affected =
                move |body: &Value| !is_released || body["UpdateExpression"].to_string().contains("failures");
            stage.database.rule(Rule::on("UpdateItem", outage.clone()).when(is_affected));
            let first = post(&function, "k1", &mixed()).await;
            assert_eq!(first.data()["importSuccessNum"], 2, "{outage:?}");
            assert_eq!(stage.memberships().await.len(), 3, "{outage:?}");
            stage.database.clear_rules();
            let again = post(&function, "k1", &mixed()).await;
            if is_released {
                assert_eq!((is_replay(&again), &again.body), (false, &first.body), "{outage:?}");
            } else {
                assert_eq!(again.code(), "IN_PROGRESS", "{outage:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_claim_survives_a_lost_response() {
    let stage = stage().await;
    stage.database.rule(Rule::on("PutItem", Action::Truncate).times(1));
    assert!(!is_replay(&post(&stage.function().await, "k1", &mixed()).await));
}

#[tokio::test]
async fn a_key_lives_for_a_day_and_is_ignored_after_it() {
    let stage = stage().await;
    let function = stage.function().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    post(&function, "k1", &mixed()).await.data();
    let items = stage.items(&stage.names.imports).await;
    let expires_at: u64 = items[0]["expiresAt"].as_str().expect("a number").parse().expect("seconds");
    assert!((86_400..86_460).contains(&(expires_at - now)), "{expires_at}");
    // It may be deleted days later.
    stage.expire_key("t1#k1").await;
    assert!(!is_replay(&post(&function, "k1", &mixed()).await));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_leaves_time_to_store_the_outcome_and_to_respond() {
    for (operation, is_stored) in [("BatchWriteItem", true), ("UpdateItem", false)] {
        let stage = stage().await;
        let mut function = stage.function().await;
        function.seconds = 10.0;
        stage.database.rule(Rule::on(operation, Action::Hang));
        let started = Instant::now();
        let first = post(&function, "k1", &mixed()).await;
        assert!(started.elapsed().as_secs_f64() < function.seconds, "{:?}", started.elapsed());
        assert_eq!(first.failures().contains(&"TIMEOUT"), is_stored, "{first:?}");
        stage.database.clear_rules();
        let again = post(&function, "k1", &mixed()).await;
        if is_stored {
            assert_eq!((is_replay(&again), &again.body), (true, &first.body));
        } else {
            assert_eq!(again.code(), "IN_PROGRESS");
        }
    }
}
