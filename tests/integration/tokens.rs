//! Admission: tokens, tenants and permissions (contract, sections 2 and 10).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use testing::dynamodb::{Action, Rule};
use testing::function::{Function, Response};
use testing::shorthand::{numbered, off, pairs};
use testing::stage::{Stage, TOKEN};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

async fn import_as(function: &Function, token: &str) -> Response {
    function.import_as(token, off("add"), numbered(1)).await
}

/// The function, caching tokens for this long.
async fn remembering(stage: &Stage, seconds: u64) -> Function {
    stage.function_with(|config| config.token_cache = Duration::from_secs(seconds)).await
}

#[tokio::test]
async fn a_tenant_is_admitted_by_its_item() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let cases = [
        (json!({}), 200),
        (json!({"enabled": false}), 403),
        (json!({"permissions": ["audience:read", "audience:group"]}), 200),
        (json!({"permissions": ["audience:groups", "audience", "AUDIENCE:GROUP"]}), 403),
        (json!({"expiresAt": now() + 3_600}), 200),
        (json!({"expiresAt": now() - 1, "permissions": ["x"]}), 401),
    ];
    for (attributes, status) in cases {
        let mut item = attributes.clone();
        item["tenantId"] = "t-2_B".into();
        stage.put_tenant("token", item).await;
        assert_eq!(import_as(&function, "token").await.status, status, "{attributes}");
    }
}

#[tokio::test]
async fn a_token_is_read_by_its_hash_alone() {
    let stage = Stage::new().await;
    import_as(&stage.function().await, TOKEN).await.data();
    let calls = stage.database.calls();
    assert_eq!(calls[0].operation, "GetItem");
    let hash = calls[0].body["Key"]["tokenHash"]["S"].as_str().expect("a hash");
    assert!(hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
    for call in calls {
        assert!(!call.body.to_string().contains(TOKEN), "{}", call.operation);
    }
}

#[tokio::test]
async fn without_a_cache_every_request_reads_its_tenant() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    import_as(&function, TOKEN).await.data();
    stage.put_tenant(TOKEN, json!({"tenantId": "t1", "enabled": false})).await;
    assert_eq!(import_as(&function, TOKEN).await.code(), "FORBIDDEN");
    assert_eq!(stage.database.count("GetItem"), 2);
}

#[tokio::test]
async fn a_cached_token_is_read_once() {
    let stage = Stage::new().await;
    stage.put_tenant("second", json!({"tenantId": "t2"})).await;
    let function = remembering(&stage, 3_600).await;
    for _ in 0..2 {
        import_as(&function, TOKEN).await.data();
        import_as(&function, "second").await.data();
    }
    assert_eq!(stage.database.count("GetItem"), 2);
    assert_eq!(stage.memberships().await, pairs([("t1#c0", "g"), ("t2#c0", "g")]));
}

#[tokio::test]
async fn a_cached_token_needs_no_database() {
    let stage = Stage::new().await;
    let function = remembering(&stage, 3_600).await;
    import_as(&function, TOKEN).await.data();
    stage.database.rule(Rule::on("GetItem", Action::Reset));
    import_as(&function, TOKEN).await.data();
    assert_eq!(import_as(&function, "unknown").await.code(), "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn only_valid_tokens_are_cached() {
    let stage = Stage::new().await;
    let function = remembering(&stage, 3_600).await;
    assert_eq!(import_as(&function, "new").await.code(), "TOKEN_ERROR");
    stage.put_tenant("new", json!({"tenantId": "t2", "enabled": false})).await;
    assert_eq!(import_as(&function, "new").await.code(), "FORBIDDEN");
    stage.put_tenant("new", json!({"tenantId": "t2", "permissions": ["x"]})).await;
    assert_eq!(import_as(&function, "new").await.code(), "FORBIDDEN");
    stage.put_tenant("new", json!({"tenantId": "#"})).await;
    assert_eq!(import_as(&function, "new").await.code(), "INTERNAL_ERROR");
    stage.database.rule(Rule::on("GetItem", Action::Garble));
    assert_eq!(import_as(&function, "new").await.code(), "SERVICE_UNAVAILABLE");
    stage.database.clear_rules();
    stage.put_tenant("new", json!({"tenantId": "t2"})).await;
    import_as(&function, "new").await.data();
    assert_eq!(stage.database.count("GetItem"), 6);
}

#[tokio::test]
async fn tenant_changes_apply_after_the_cache_expires() {
    let stage = Stage::new().await;
    let function = remembering(&stage, 2).await;
    let withdrawals = [
        (json!({"tenantId": "t2", "enabled": false}), "FORBIDDEN"),
        (json!({"tenantId": "t2", "permissions": ["audience:read"]}), "FORBIDDEN"),
        (json!({"tenantId": "t2", "expiresAt": now() - 1}), "TOKEN_ERROR"),
    ];
    let mut tokens = Vec::new();
    for (n, (item, code)) in withdrawals.into_iter().enumerate() {
        let token = format!("second token {n}");
        stage.put_tenant(&token, json!({"tenantId": "t2"})).await;
        function.import_as(&token, off("add"), numbered(1)).await.data();
        stage.put_tenant(&token, item).await;
        tokens.push((token, code));
    }
    // Requests in the meantime do not extend the caching.
    for (token, _) in &tokens {
        function.import_as(token, off("add"), numbered(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = stage.memberships().await;
    for (token, code) in tokens {
        assert_eq!(function.import_as(&token, off("delete"), numbered(1)).await.code(), code);
    }
    assert_eq!(stage.memberships().await, before);
}

#[tokio::test]
async fn a_token_is_never_cached_past_its_expiry() {
    let stage = Stage::new().await;
    let end = now() + 3;
    stage.put_tenant("short", json!({"tenantId": "t2", "expiresAt": end})).await;
    let function = remembering(&stage, 3_600).await;
    import_as(&function, "short").await.data();
    let left = (UNIX_EPOCH + Duration::from_secs(end)).duration_since(SystemTime::now()).unwrap_or_default();
    tokio::time::sleep(left + Duration::from_millis(10)).await;
    assert_eq!(import_as(&function, "short").await.code(), "TOKEN_ERROR");
}
