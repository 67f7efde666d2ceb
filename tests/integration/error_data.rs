//! `errorData`: the failed records as they were sent, ready to be resent (contract, sections 4 and 7).

use serde_json::{Value, json};
use testing::function::{Function, Response};
use testing::shorthand::{exact, fuzzy, off, repost, without_indexes};
use testing::stage::{Stage, TOKEN};

async fn post(function: &Function, params: &Value, data: &str) -> Response {
    function.post(TOKEN, format!(r#"{{"publicParams":{params},"data":{data}}}"#)).await
}

/// The members added to a failed record, as JSON text; all records failed.
fn failure(response: &Response, index: usize) -> String {
    let record = &response.data()["errorData"][index];
    let [code, message, retryable] =
        ["errorCode", "errorMsg", "retryable"].map(|name| record[name].to_string());
    format!(r#""index":{index},"errorCode":{code},"errorMsg":{message},"retryable":{retryable}"#)
}

#[tokio::test]
async fn values_are_returned_verbatim() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let values = [
        "1234567890123456789012345678901234567890",
        "-0.10e+0005",
        "1E+300",
        "null",
        "true",
        "[1, 2.50, {\"a\" : null}]",
        r#"{"b":1,"a":{"b":[]},"b":2}"#,
        r#""\u5f20\/\ud83d\ude00\t\"""#,
        r#""  张三  ""#,
        r#""""#,
    ];
    for value in values {
        let record = format!(r#"{{"openid":{value},"groups":7}}"#);
        let response = post(&function, &off("add"), &format!("[{record}]")).await;
        assert_eq!(response.failures(), ["INVALID_FIELD"], "{value}");
        let fields = format!(r#"[{{"openid":{value},"groups":7,"#);
        assert!(response.error_data().starts_with(&fields), "{}", response.error_data());
        assert_eq!(response.error_data(), format!("{fields}{}}}]", failure(&response, 0)));
    }
}

#[tokio::test]
async fn only_the_last_value_of_sent_fields_is_returned() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let data = r#"[{ "name":"x", "openid" : 1,"groups":"g" , "openid":22, "errorCode":"old","retryable":9},
        {},{"\u0067roups":[ ] ,"phone":null}]"#;
    let response = post(&function, &off("add"), data).await;
    assert_eq!(response.failures(), ["INVALID_FIELD", "MISSING_IDENTIFIER", "INVALID_FIELD"]);
    let expected = format!(
        r#"[{{"openid":22,"groups":"g",{}}},{{{}}},{{"phone":null,"groups":[ ],{}}}]"#,
        failure(&response, 0),
        failure(&response, 1),
        failure(&response, 2),
    );
    assert_eq!(response.error_data(), expected);
}

#[tokio::test]
async fn failed_records_are_returned_in_order() {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u", "openid": "o1"}),
            json!({"audienceUserId": "c2", "unionid": "u", "openid": "o2"}),
        ])
        .await;
    let function = stage.function().await;
    let data = json!([
        {"unionid": "u", "groups": "g"},
        {"openid": "o1", "groups": "g"},
        {"openid": "o1", "audienceUserId": "c2", "groups": "g"},
        {"openid": "nobody", "groups": "g"},
        {"openid": "o2", "groups": ""},
        {"openid": "o2", "groups": "g"},
        {"groups": "g"},
        {"openid": 3, "groups": "g"},
    ]);
    let response = function.import(exact("add"), data).await;
    let codes =
        ["AMBIGUOUS", "CONFLICT", "NOT_MATCHED", "MISSING_GROUPS", "MISSING_IDENTIFIER", "INVALID_FIELD"];
    assert_eq!(response.failures(), codes);
    for record in response.data()["errorData"].as_array().expect("an array") {
        assert_eq!(record["retryable"], false, "{record}");
        let message = record["errorMsg"].as_str().expect("a message");
        assert!(message.contains(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{message}");
    }
}

#[tokio::test]
async fn resent_records_fail_identically() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "u1"})]).await;
    let function = stage.function().await;
    let data = r#"[{"openid":1234567890123456789012345678901234567890,"groups":"g"},
        {"unionid":" \u0075nknown","groups":"g","note":"gone"},{"unionid":"u1","groups":"ok"},
        {"phone":"+86","groups":null},{"audienceUserId":"c\"\\1","groups":"a,b"},{"unionid":"u1"},
        {"Phone":1,"openid":"","groups":"","AudienceUserId":"c1","Phone":null,"open_id":"\u200b","Groups":"g"}]"#;
    for params in [off("add"), exact("add"), fuzzy(1, "delete"), fuzzy(2, "add")] {
        let first = post(&function, &params, data).await;
        assert_eq!(first.data()["importFailNum"], 6, "{params}");
        let last = r#"{"openid":"","groups":"","Phone":null,"AudienceUserId":"c1","open_id":"\u200b","Groups":"g","index":6,"#;
        assert!(first.error_data().contains(last), "{}", first.error_data());
        let second = repost(&function, &params, &first).await;
        let third = repost(&function, &params, &second).await;
        assert_eq!(without_indexes(&second.error_data()), without_indexes(&first.error_data()));
        assert_eq!(third.body, second.body);
        assert_eq!(second.data()["importSuccessNum"], 0);
        assert_eq!(second.data()["importFailNum"], first.data()["importFailNum"]);
    }
}

#[tokio::test]
async fn status_and_message_distinguish_all_some_and_none() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let (good, bad) = (json!({"audienceUserId": "c1", "groups": "g"}), json!({"groups": "g"}));
    for (data, succeeded, failed, status, message) in [
        (json!([good, good]), 2, 0, 1, "成功"),
        (json!([good, bad, bad]), 1, 2, 2, "部分导入成功"),
        (json!([bad]), 0, 1, -1, "失败"),
    ] {
        let response = function.import(off("add"), data).await;
        let result = response.data();
        let failures = result["errorData"].as_array();
        assert_eq!((failures.map_or(0, Vec::len), failures.is_none()), (failed, failed == 0));
        let numbers = (&result["importSuccessNum"], &result["importFailNum"]);
        assert_eq!(numbers, (&json!(succeeded), &json!(failed)));
        assert_eq!((&result["status"], &result["message"]), (&json!(status), &json!(message)));
    }
}

#[tokio::test]
async fn a_response_fits_the_lambda_limit() {
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.max_body_bytes = 6 * 1024 * 1024).await;
    // A record of escaped quotes: two bytes each in the body, four in the response as Lambda returns it.
    let quotes = "\\\"".repeat(290);
    for field in ["openid", "open_id"] {
        fits(&function, &format!(r#"{{"{field}":"{quotes}","groups":1}}"#)).await;
    }
}

async fn fits(function: &Function, record: &str) {
    let mut statuses = Vec::new();
    for records in [100, 3_000, 4_000, 4_500, 5_000] {
        let data = format!("[{}]", vec![record; records].join(","));
        let response = post(function, &off("add"), &data).await;
        let returned = json!({"statusCode": 200, "body": response.body}).to_string().len();
        assert!(returned <= 6 * 1024 * 1024, "{records} records: {returned} bytes");
        match response.status {
            200 => assert_eq!(response.data()["importFailNum"], records),
            status => assert_eq!((status, response.code()), (413, "PAYLOAD_TOO_LARGE")),
        }
        statuses.push(response.status);
    }
    assert_eq!(statuses, [200, 200, 200, 413, 413]);
}
