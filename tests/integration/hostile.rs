//! Hostile input: bytes, nesting, sizes and headers made to break a parser. Each gets an enveloped response, never
//! a 5xx, and affects no other record. Bodies are tested here, headers in `headers`.

mod headers;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
use serde_json::{Value, json};

use testing::function::post_event;
use testing::shorthand::{numbered, off, pairs};
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
async fn what_no_value_can_hold_is_returned_verbatim() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let digits = "1234567890".repeat(10_000);
    let numbers = [digits.clone(), format!("-0.{digits}e+{digits}"), "1e999999999999".to_owned()];
    let halves_of_pairs = [r"\ud800", r"\udfff", r"\udc00\ud800", r"\ud83dx", r"\ud800\u0041"];
    let mut values = vec![nested(LIST), nested(OBJECT)];
    values.extend(numbers);
    values.extend(halves_of_pairs.map(|half| format!("\"a,{half}\"")));
    for value in values {
        let failing = [
            format!(r#""openid":{value},"groups":"g""#),
            format!(r#""audienceUserId":"c1","groups":{value}"#),
        ];
        let [first, second] = &failing;
        let third = format!(r#""audienceUserId":"c1","groups":"g","x":{value}"#);
        let body =
            format!(r#"{{"publicParams":{},"data":[{{{first}}},{{{second}}},{{{third}}}]}}"#, off("add"));
        // As text: no `Value` can hold it.
        let reply = function.reply(&post_event(TOKEN, body).to_string()).await;
        let response = reply["body"].as_str().expect("a body");
        assert!(response.contains(r#""importSuccessNum":1,"#), "{value:.40}");
        for (index, fields) in failing.iter().enumerate() {
            let expected = format!(r#"{{{fields},"index":{index},"errorCode":"INVALID_FIELD""#);
            assert!(response.contains(&expected), "{value:.40}");
        }
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
}

#[tokio::test]
async fn nesting_is_not_followed() {
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
        let mut event = post_event(TOKEN, sound());
        event["requestContext"]["http"]["extra"] = 0.into();
        let event = event.to_string().replace("\"extra\":0", &format!("\"extra\":{deep}"));
        assert_eq!(function.reply(&event).await["statusCode"], 200);
    }
}

#[tokio::test]
async fn base64_of_another_kind_is_no_body() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    // Long enough for both alphabets to differ, and for padding.
    let body = sound().replace("\"g\"", "\"g???>>>\"");
    let body = if body.len().is_multiple_of(3) { body + " " } else { body };
    let encoded = BASE64_STANDARD.encode(&body);
    let (unpadded, url_safe) = (BASE64_STANDARD_NO_PAD.encode(&body), BASE64_URL_SAFE.encode(&body));
    assert!(encoded != unpadded && encoded != url_safe);
    let lines = format!("{}\r\n{}", &encoded[..64], &encoded[64..]);
    let post = async |body: &str, is_base64: Value| {
        let mut event = post_event(TOKEN, body);
        event["isBase64Encoded"] = is_base64;
        function.invoke(event).await
    };
    for wrong in [unpadded, url_safe, lines, format!(" {encoded}"), encoded.clone() + "=", body.clone()] {
        assert_eq!(post(&wrong, json!(true)).await.code(), "PARAM_ERROR", "{wrong}");
    }
    assert_eq!(post(&encoded, json!(true)).await.failures(), [""; 0]);
    // Only the boolean `true` marks base64.
    for flag in [json!("true"), json!(1), json!(null)] {
        assert_eq!(post(&body, flag).await.failures(), [""; 0]);
    }
}
