//! Hostile input: bytes, nesting, sizes and headers made to break a parser. Each gets an enveloped response, never
//! a 5xx, and affects no other record. Bodies are tested here, headers in `headers`.

mod headers;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
use serde_json::json;

use testing::function::{Function, Response, post_event};
use testing::shorthand::{numbered, off, pairs};
use testing::stage::{Stage, TOKEN};

fn sound() -> String {
    json!({"publicParams": off("add"), "data": numbered(1)}).to_string()
}

/// Posts bytes that need not be text.
async fn post_bytes(function: &Function, body: &[u8]) -> Response {
    let mut event = post_event(TOKEN, BASE64_STANDARD.encode(body));
    event["isBase64Encoded"] = true.into();
    function.invoke(event).await
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
        let unclosed = post_bytes(&function, brackets.0.repeat(400_000).as_bytes()).await;
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
async fn a_body_in_another_encoding_is_not_json() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let body = sound();
    let with = |bytes: &[u8]| {
        let (before, after) = body.split_once("\"g\"").expect("a group");
        [before.as_bytes(), b"\"", bytes, b"\"", after.as_bytes()].concat()
    };
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (no_utf8, no_json) = ("请求体不是UTF-8编码", "请求体不是合法的JSON：第1行第");
    for (encoding, body, message) in [
        ("UTF-16, its mark", [&[0xff, 0xfe], &*utf16].concat(), no_utf8),
        ("UTF-16", utf16, no_json),
        ("UTF-8, two marks", [&[0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], body.as_bytes()].concat(), no_json),
        ("GBK", with(&[0xd0, 0xc2, 0xbf, 0xcd]), no_utf8),
        ("UTF-8, a surrogate", with(&[0xed, 0xa0, 0x80]), no_utf8),
        ("a bare NUL", with(&[0]), no_json),
    ] {
        let response = post_bytes(&function, &body).await;
        assert_eq!(response.code(), "PARAM_ERROR", "{encoding}");
        assert!(response.msg().starts_with(message), "{encoding}: {}", response.msg());
    }
    let chinese = with("新客".as_bytes());
    for body in [[&[0xef, 0xbb, 0xbf], &*chinese].concat(), chinese] {
        assert_eq!(post_bytes(&function, &body).await.failures(), [""; 0]);
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c0", "新客")]));
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
    for wrong in [unpadded, url_safe, lines, format!(" {encoded}"), encoded.clone() + "=", body.clone()] {
        let mut event = post_event(TOKEN, &*wrong);
        event["isBase64Encoded"] = true.into();
        assert_eq!(function.invoke(event).await.code(), "PARAM_ERROR", "{wrong}");
    }
    assert_eq!(post_bytes(&function, body.as_bytes()).await.failures(), [""; 0]);
    // Only the boolean `true` marks base64.
    for flag in [json!("true"), json!(1), json!(null)] {
        let mut event = post_event(TOKEN, &*body);
        event["isBase64Encoded"] = flag;
        assert_eq!(function.invoke(event).await.failures(), [""; 0]);
    }
}
