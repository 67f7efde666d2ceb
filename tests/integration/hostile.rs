//! Hostile input: bytes, nesting, sizes and headers made to break a parser. Each gets an enveloped response, never
//! a 5xx that it caused, affects no other record, and reveals nothing.

use serde_json::{Value, json};

use testing::function::post_event;
use testing::shorthand::{numbered, numbered_pairs, off};
use testing::stage::{Stage, TOKEN};

fn sound() -> String {
    json!({"publicParams": off("add"), "data": numbered(1)}).to_string()
}

fn nested((open, close): (&str, &str)) -> String {
    open.repeat(100_000) + "1" + &close.repeat(100_000)
}

const LIST: (&str, &str) = ("[", "]");
const OBJECT: (&str, &str) = ("{\"a\":", "}");

#[tokio::test]
async fn nesting_is_not_followed_and_is_returned_verbatim() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for (brackets, ends_as) in [(LIST, None), (OBJECT, Some("MISSING_IDENTIFIER"))] {
        let unclosed = function.post(TOKEN, brackets.0.repeat(400_000)).await;
        assert_eq!(unclosed.code(), "PARAM_ERROR");
        let deep = nested(brackets);
        let response = function.post(TOKEN, sound().replace("[{", &format!("[{deep},{{"))).await;
        // Despite its depth an object is one, without fields of a record; a list is none.
        match ends_as {
            None => assert_eq!(response.code(), "PARAM_ERROR"),
            Some(code) => assert_eq!(response.failures(), [code]),
        }
        // Its reply as text: no `Value` can hold it.
        let failing = format!(r#"[{{"openid":{deep},"groups":"g""#);
        let body = sound().replace("[{", &format!(r#"{failing}}},{{"x":{deep},"#));
        let mut event = post_event(TOKEN, body);
        event["requestContext"]["http"]["extra"] = 0.into();
        let event = event.to_string().replace("\"extra\":0", &format!("\"extra\":{deep}"));
        let reply = function.respond(event.as_bytes()).await;
        let body = reply["body"].as_str().expect("a body");
        assert!(body.contains(&format!(r#"{failing},"index":0,"errorCode":"INVALID_FIELD""#)));
        assert!(body.contains(r#""importSuccessNum":1,"#));
    }
    assert_eq!(stage.memberships().await, numbered_pairs(1));
}

#[tokio::test]
async fn every_wrong_token_gets_the_same_response() {
    let stage = Stage::new().await;
    stage.put_tenant("expired", json!({"tenantId": "t1", "expiresAt": 1_000_000_000})).await;
    stage.put_tenant("both", json!({"tenantId": "t1", "expiresAt": 1, "enabled": false})).await;
    let function = stage.function().await;
    let expected = function.import_as("unknown", off("add"), numbered(1)).await;
    assert_eq!((expected.status, expected.code()), (401, "TOKEN_ERROR"));
    let tokens = [
        String::new(),
        " ".to_owned(),
        "expired".to_owned(),
        "both".to_owned(),
        TOKEN.to_uppercase(),
        TOKEN.replace('t', "\u{ff54}"),
        TOKEN.replace('k', "k\u{200b}"),
        format!(" {TOKEN}"),
        format!("{TOKEN} "),
        format!("{TOKEN}\t"),
        format!("{TOKEN}\r\nX-Token: {TOKEN}"),
        format!("{TOKEN},unknown"),
        format!("unknown, {TOKEN}"),
        format!(",{TOKEN}"),
        format!("{TOKEN},"),
        format!("{TOKEN}\u{0}"),
        format!("\u{0}{TOKEN}"),
        format!("\u{feff}{TOKEN}"),
        format!("\"{TOKEN}\""),
        format!("Bearer {TOKEN}"),
        "令牌\u{202e}".to_owned(),
        "\u{7f}\u{1}\u{1b}".to_owned(),
        "\u{3000}".to_owned(),
        "x".repeat(1024 * 1024),
        // The hash itself is not a valid token.
        group_import::hash::sha256_hex(TOKEN.as_bytes()),
    ];
    let mut headers: Vec<Value> = tokens.iter().map(|token| json!({"x-token": token})).collect();
    headers.extend([
        json!({"content-type": "application/json", "token": TOKEN, "authorization": TOKEN}),
        json!({"x-token": null}),
        json!({"x-token": 7}),
        json!({"x-token": [TOKEN, "unknown"]}),
        json!({"x-token": {"x-token": TOKEN}}),
        json!({"X-Token": TOKEN, "x-token": "unknown"}),
        json!({"X-Token": "", "x-token": TOKEN}),
        json!({"x-token ": TOKEN, " x-token": TOKEN, "x_token": TOKEN, "x-token:": TOKEN}),
        json!({"\u{212a}-token": TOKEN, "x-toKen\u{0}": TOKEN, "x\u{ad}-token": TOKEN}),
        json!([["x-token", TOKEN]]),
        json!(TOKEN),
    ]);
    for headers in headers {
        stage.database.reset();
        let mut event = post_event(TOKEN, sound());
        event["headers"] = headers.clone();
        let response = function.invoke(event).await;
        let shown: String = headers.to_string().chars().take(80).collect();
        assert_eq!((response.status, &response.body), (401, &expected.body), "{shown}");
        assert_eq!(response.headers, expected.headers, "{shown}");
        assert!(stage.database.calls().len() <= 1, "{shown}");
    }
    assert!(stage.memberships().await.is_empty());
}
