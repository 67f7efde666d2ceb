//! Admission: tokens, tenants and permissions (contract, sections 2 and 10).

use std::time::Duration;

use serde_json::json;
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response};
use testing::shorthand::{numbered, off, pairs};
use testing::stage::{Stage, TOKEN};

async fn import_as(function: &Function, token: &str) -> Response {
    function.import_as(token, off("add"), numbered(1)).await
}

/// The function, caching tokens for this long.
async fn remembering(stage: &Stage, seconds: u64) -> Function {
    stage.function_with(|config| config.token_cache = Duration::from_secs(seconds)).await
}

#[tokio::test]
async fn a_token_is_read_by_its_hash_alone_and_as_it_is_now() {
    let stage = Stage::new().await;
    import_as(&stage.function().await, TOKEN).await.data();
    let calls = stage.database.calls();
    assert_eq!(calls[0].body["ConsistentRead"], true);
    let hash = calls[0].body["Key"]["tokenHash"]["S"].as_str().expect("a hash");
    assert!(hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
    for call in calls {
        assert!(!call.body.to_string().contains(TOKEN), "{}", call.operation);
    }
}

#[tokio::test]
async fn a_cached_token_is_read_once_and_needs_no_database() {
    let stage = Stage::new().await;
    stage.put_tenant("second", json!({"tenantId": "t2"})).await;
    let function = remembering(&stage, 3_600).await;
    for _ in 0..2 {
        import_as(&function, TOKEN).await.data();
        import_as(&function, "second").await.data();
        stage.database.rule(Rule::on("GetItem", Action::Reset));
    }
    assert_eq!(import_as(&function, "unknown").await.code(), "SERVICE_UNAVAILABLE");
    assert_eq!(stage.memberships().await, pairs([("t1#c0", "g"), ("t2#c0", "g")]));
}

#[tokio::test]
async fn only_valid_tokens_are_cached() {
    let stage = Stage::new().await;
    let function = remembering(&stage, 3_600).await;
    let code = async || import_as(&function, "new").await.code().to_owned();
    assert_eq!(code().await, "TOKEN_ERROR");
    for (item, expected) in [
        (json!({"tenantId": "t2", "enabled": false}), "FORBIDDEN"),
        (json!({"tenantId": "t2", "permissions": ["x"]}), "FORBIDDEN"),
        (json!({"tenantId": "#"}), "INTERNAL_ERROR"),
        (json!({"tenantId": "t2"}), "SUCCESS"),
    ] {
        stage.database.rule(Rule::on("GetItem", Action::Garble).times(1));
        assert_eq!(code().await, "SERVICE_UNAVAILABLE");
        stage.put_tenant("new", item).await;
        assert_eq!(code().await, expected);
    }
}
