//! Admission: tokens, tenants and permissions (contract, sections 2 and 10).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testing::dynamodb::{Action, Rule};
use testing::function::{ADDRESS, Function, Response, post_event};
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
async fn invalid_tokens_get_the_same_response() {
    let stage = Stage::new().await;
    stage.put_tenant("expired", json!({"tenantId": "t1", "expiresAt": 1_000_000_000})).await;
    stage.put_tenant("ends-now", json!({"tenantId": "t1", "expiresAt": now()})).await;
    stage.put_tenant("both", json!({"tenantId": "t1", "expiresAt": 1, "enabled": false})).await;
    let function = stage.function().await;
    let expected = import_as(&function, "unknown").await;
    assert_eq!((expected.status, expected.code()), (401, "TOKEN_ERROR"));
    let mut events: Vec<Value> = ["", " ", "expired", "ends-now", "both", &TOKEN.to_uppercase()]
        .map(|token| post_event(token, "{}"))
        .into();
    let mut missing = post_event(TOKEN, "{}");
    missing["headers"] = json!({"content-type": "application/json", "token": TOKEN, "authorization": TOKEN});
    events.push(missing);
    events.push(json!({"rawPath": ADDRESS, "requestContext": {"http": {"method": "POST"}}}));
    for event in events {
        let response = function.invoke(event.clone()).await;
        assert_eq!((response.status, &response.body), (401, &expected.body), "{}", event["headers"]);
        assert_eq!(response.headers, expected.headers);
    }
}

#[tokio::test]
async fn two_different_tokens_are_invalid() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let rest = |tokens: &[&str]| {
        json!({
            "path": ADDRESS, "httpMethod": "POST", "headers": {"x-token": tokens.last()}, "requestContext": {},
            "multiValueHeaders": {"x-token": tokens},
            "body": json!({"publicParams": off("add"), "data": numbered(1)}).to_string(),
        })
    };
    for tokens in [["unknown", TOKEN], [TOKEN, "unknown"], [TOKEN, ""]] {
        assert_eq!(function.invoke(rest(&tokens)).await.code(), "TOKEN_ERROR", "{tokens:?}");
    }
    // HTTP APIs join the values of a repeated header.
    assert_eq!(import_as(&function, &format!("{TOKEN},{TOKEN}x")).await.code(), "TOKEN_ERROR");
    function.invoke(rest(&[TOKEN, TOKEN])).await.data();
}

#[tokio::test]
async fn the_name_of_the_header_is_case_insensitive() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for name in ["X-Token", "x-token", "X-TOKEN"] {
        let mut event =
            post_event(TOKEN, json!({"publicParams": off("add"), "data": numbered(1)}).to_string());
        event["headers"] = json!({name: TOKEN});
        function.invoke(event).await.data();
    }
}

#[tokio::test]
async fn a_tenant_is_admitted_by_its_item() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let cases = [
        (json!({}), 200),
        (json!({"enabled": true}), 200),
        (json!({"enabled": false}), 403),
        (json!({"permissions": ["audience:group"]}), 200),
        (json!({"permissions": ["audience:read", "audience:group"]}), 200),
        (json!({"permissions": ["audience:groups", "audience", "AUDIENCE:GROUP"]}), 403),
        (json!({"permissions": ["audience:group"], "enabled": false}), 403),
        (json!({"expiresAt": now() + 3_600}), 200),
        (json!({"expiresAt": now() + 3_600, "enabled": false}), 403),
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
