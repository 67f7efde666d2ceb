//! Hostile input: bytes, nesting, sizes and headers made to break a parser. Each gets an enveloped response, never
//! a 5xx, and affects no other record. Bodies are tested here, headers in `headers`.

mod headers;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
use serde_json::{Value, json};

use testing::function::{Function, Response, post_event};
use testing::shorthand::{exact, fuzzy, numbered, off, pairs};
use testing::stage::{Stage, TENANT, TOKEN};

const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

fn sound() -> String {
    json!({"publicParams": off("add"), "data": numbered(1)}).to_string()
}

/// Posts records as text and returns text, because the response can exceed what `Value` supports.
async fn post(function: &Function, data: &str) -> String {
    let body = format!(r#"{{"publicParams":{},"data":{data}}}"#, off("add"));
    let reply = function.reply(&post_event(TOKEN, body).to_string()).await;
    assert_eq!(reply["statusCode"], 200);
    reply["body"].as_str().expect("a body").to_owned()
}

/// Posts bytes that need not be text.
async fn post_bytes(function: &Function, body: &[u8]) -> Response {
    let mut event = post_event(TOKEN, BASE64_STANDARD.encode(body));
    event["isBase64Encoded"] = true.into();
    function.invoke(event).await
}

#[tokio::test]
async fn deep_nesting_is_returned_or_rejected() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 100_000;
        let deep = open.repeat(depth) + "1" + &close.repeat(depth);
        let data = format!(
            r#"[{{"openid":{deep},"groups":"g"}},{{"audienceUserId":"c1","groups":"g","x":{deep}}}]"#
        );
        let response_text = post(&function, &data).await;
        assert!(
            response_text
                .contains(&format!(r#""openid":{deep},"groups":"g","index":0,"errorCode":"INVALID_FIELD""#))
        );
        assert!(response_text.contains(r#""importSuccessNum":1,"#));

        let unclosed = post_bytes(&function, open.repeat(2 * 1024 * 1024 / open.len()).as_bytes()).await;
        assert_eq!((unclosed.status, unclosed.code()), (400, "PARAM_ERROR"));
        let element = sound().replace("[{", &format!("[{deep},{{"));
        let response = function.post(TOKEN, element).await;
        // Despite its depth an object, but without fields of a record; the list is not an object.
        if open == "[" {
            assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"));
        } else {
            assert_eq!(response.failures(), ["MISSING_IDENTIFIER"]);
        }
        let mut event = post_event(TOKEN, sound());
        event["requestContext"]["http"]["extra"] = 0.into();
        let event = event.to_string().replace("\"extra\":0", &format!("\"extra\":{deep}"));
        assert_eq!(function.reply(&event).await["statusCode"], 200);
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c0", "g")]));
}

#[tokio::test]
async fn a_long_number_is_returned_verbatim() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let digits = "1234567890".repeat(10_000);
    for number in [digits.clone(), format!("-0.{digits}e+{digits}"), "1e999999999999".to_owned()] {
        let response_text = post(&function, &format!(r#"[{{"phone":{number},"groups":"g"}}]"#)).await;
        let expected = format!(r#"[{{"phone":{number},"groups":"g","index":0,"errorCode":"INVALID_FIELD","#);
        assert!(response_text.contains(&expected), "{} digits", number.len());
    }
}

#[tokio::test]
async fn an_unpaired_surrogate_fails_only_its_record() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for half in [r"\ud800", r"\udfff", r"\udc00\ud800", r"\ud83dx", r"\ud800\u0041"] {
        let data = format!(
            r#"[{{"audienceUserId":"{half}","groups":"g"}},{{"audienceUserId":"c1","groups":"a,{half}"}},
                {{"audienceUserId":"c1","groups":"g","{half}":"{half}"}}]"#
        );
        let response_text = post(&function, &data).await;
        assert_eq!(response_text.matches("INVALID_FIELD").count(), 2, "{half}");
        assert!(
            response_text
                .contains(&format!(r#"{{"audienceUserId":"{half}","groups":"g","index":0,"errorCode""#)),
            "{half}"
        );
        assert!(
            response_text
                .contains(&format!(r#"{{"audienceUserId":"c1","groups":"a,{half}","index":1,"errorCode""#)),
            "{half}"
        );
    }
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g")]));
}

#[tokio::test]
async fn invisible_characters_inside_a_value_are_part_of_it() {
    let stage = Stage::new().await;
    // A C1 control character, direction marks, zero width, a byte order mark, private use, a combining accent.
    let odd = ["a\u{80}b", "t\u{202e}xt", "x\u{200f}1", "a\u{200b}c", "z\u{feff}y", "\u{e000}", "e\u{301}"];
    stage.put_customers(odd.map(|id| json!({"audienceUserId": id, "unionid": id, "openid": id}))).await;
    let function = stage.function().await;
    let data: Value = odd.iter().map(|id| json!({"unionid": id, "openid": id, "groups": id})).collect();
    for params in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")] {
        assert_eq!(function.import(params, data.clone()).await.failures(), [""; 0]);
        assert_eq!(stage.memberships().await, pairs(odd.map(|id| (format!("{TENANT}#{id}"), id))));
    }
    // Exact comparison: no Unicode normalisation, and invisible characters are kept.
    for other in ["ab", "txt", "x1", "ac", "zy", "\u{e9}", "a\u{80}"] {
        let response = function.import(fuzzy(1, "add"), json!([{"unionid": other, "groups": "g"}])).await;
        assert_eq!(response.failures(), ["NOT_MATCHED"], "{other:?}");
    }
}

#[tokio::test]
async fn delimiters_of_keys_and_statements_are_ordinary_values() {
    let stage = Stage::new().await;
    let odd = ["t2#c1", "#", "?", "' OR 1=1 --", "\"]) OR (\"a\" = \"a", "%00", "../..", "${x}", "{{x}}"];
    stage.put_customers(odd.map(|id| json!({"audienceUserId": id, "phone": format!("9{id}")}))).await;
    let function = stage.function().await;
    let data: Value = odd.iter().map(|id| json!({"audienceUserId": id, "groups": id})).collect();
    for params in [off("add"), exact("add")] {
        assert_eq!(function.import(params, data.clone()).await.failures(), [""; 0]);
        assert_eq!(stage.memberships().await, pairs(odd.map(|id| (format!("{TENANT}#{id}"), id))));
    }
}

#[tokio::test]
async fn two_megabytes_of_escapes_fit_the_lambda_limit() {
    let stage = Stage::new().await;
    let mut process = stage.process(crate::FUNCTION.as_ref(), std::time::Duration::from_secs(60), &[]).await;
    let most = 2 * 1024 * 1024;
    for (piece, records) in [(r#"\""#, 1), (r"\\", 1), (r"\u0022", 1), (r#"\""#, 5_000), ("\u{1}", 1)] {
        let frame = format!(r#"{{"publicParams":{},"data":[]}}"#, off("add")).len();
        let room = (most - frame) / records - r#"{"openid":"","groups":1},"#.len();
        let record = format!(r#"{{"openid":"{}","groups":1}}"#, piece.repeat(room / piece.len()));
        let data = vec![record; records].join(",");
        let body = format!(r#"{{"publicParams":{},"data":[{data}]}}"#, off("add"));
        assert!(body.len() <= most && body.len() > most - 64 * 1024, "{} bytes", body.len());
        let outcome = process.invoke(post_event(TOKEN, body)).await;
        assert_eq!(outcome.kind, "response");
        let returned = outcome.body.to_string().len();
        assert!(returned <= MAX_PAYLOAD_BYTES, "{piece} {records}: {returned} bytes");
        let response = Response::read(&outcome.body);
        // An unescaped control character is not JSON.
        if piece == "\u{1}" {
            assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"));
        } else {
            assert_eq!(response.data()["importFailNum"], records);
        }
    }
}

#[tokio::test]
async fn a_body_in_another_encoding_is_not_json() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let chinese = r#"{"publicParams":{"isMatching":false,"optType":"add"},"data":[{"audienceUserId":"c0","groups":"X"}]}"#;
    let with = |bytes: &[u8]| {
        let (before, after) = chinese.split_once('X').expect("a place");
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| sound().encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>();
    let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
    let bodies = [
        ("UTF-16LE", little.clone()),
        ("UTF-16BE", big.clone()),
        ("UTF-16LE with its mark", [&[0xff, 0xfe], &*little].concat()),
        ("UTF-16BE with its mark", [&[0xfe, 0xff], &*big].concat()),
        ("UTF-8 with two marks", [&[0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], sound().as_bytes()].concat()),
        ("GBK", with(&[0xd0, 0xc2, 0xbf, 0xcd])),
        ("GB 18030", with(&[0x81, 0x30, 0x84, 0x36])),
        ("Latin-1", with(&[0xe9])),
        ("UTF-8, overlong", with(&[0xc0, 0xaf])),
        ("UTF-8, a surrogate", with(&[0xed, 0xa0, 0x80])),
        ("UTF-8, beyond Unicode", with(&[0xf4, 0x90, 0x80, 0x80])),
        ("UTF-8, cut short", with(&[0xe6, 0x96])),
        ("a bare NUL", with(&[0])),
    ];
    for (encoding, body) in bodies {
        let response = post_bytes(&function, &body).await;
        assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"), "{encoding}");
        let expected = if str::from_utf8(&body).is_ok() {
            "请求体不是合法的JSON：第1行第"
        } else {
            "请求体不是UTF-8编码"
        };
        assert!(response.msg().starts_with(expected), "{encoding}: {}", response.msg());
    }
    let compressed = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..], &little].concat();
    assert!(post_bytes(&function, &compressed).await.msg().contains("压缩"));
    let chinese = with("新客".as_bytes());
    for body in [[&[0xef, 0xbb, 0xbf], &*chinese].concat(), chinese] {
        assert_eq!(post_bytes(&function, &body).await.data()["status"], 1);
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
        let mut event = post_event(TOKEN, wrong.clone());
        event["isBase64Encoded"] = true.into();
        let response = function.invoke(event).await;
        assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"), "{wrong}");
    }
    assert_eq!(post_bytes(&function, body.as_bytes()).await.data()["status"], 1);
    // Only the boolean `true` marks base64.
    for flag in [json!("true"), json!(1), json!(null)] {
        let mut event = post_event(TOKEN, body.clone());
        event["isBase64Encoded"] = flag;
        assert_eq!(function.invoke(event).await.data()["status"], 1);
    }
}
