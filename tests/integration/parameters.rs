//! `publicParams` and the shape of `data` (contract, section 3): what is rejected, and how the message names it. Each
//! value of a parameter is a case of the unit tests of `src/request/`.

use serde_json::{Value, json};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off};
use testing::stage::{Stage, TOKEN};

#[tokio::test]
async fn every_mode_is_accepted() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c0"})]).await;
    let function = stage.function().await;
    // Some programs write each number as a double.
    let double = json!({"isMatching": true, "matchingType": 2.0, "identifyWay": 1.0, "optType": "add"});
    for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "add"), double] {
        assert_eq!(function.import(params, numbered(1)).await.data()["status"], 1);
        assert_eq!(stage.memberships().await, numbered_pairs(1));
    }
    for params in [off("delete"), exact("delete"), fuzzy(1, "delete"), fuzzy(2, "delete")] {
        function.import(off("add"), numbered(1)).await.data();
        assert_eq!(function.import(params, numbered(1)).await.data()["status"], 1);
        assert_eq!(stage.memberships().await, numbered_pairs(0));
    }
}

const DATA: &str = r#""data":[{"audienceUserId":"c0","groups":"g"}]"#;
const PARAMS: &str = r#""publicParams":{"isMatching":false,"optType":"add"}"#;

#[tokio::test]
async fn the_message_says_what_is_wrong_with_a_parameter() {
    for (params, message) in [
        ("", "缺少参数publicParams.isMatching，应为布尔值true或false"),
        (r#""isMatching":"true""#, "参数publicParams.isMatching取值错误，应为布尔值true或false"),
        (r#""isMatching":true"#, "缺少参数publicParams.matchingType，应为整数1(精准匹配)或2(模糊匹配)"),
        (
            r#""isMatching":true,"matchingType":3"#,
            "参数publicParams.matchingType取值错误，应为整数1(精准匹配)或2(模糊匹配)",
        ),
        (
            r#""isMatching":true,"matchingType":2"#,
            "缺少参数publicParams.identifyWay，应为整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)",
        ),
        (r#""isMatching":false"#, "缺少参数publicParams.optType，应为字符串add(新增)或delete(删除)"),
        (
            r#""isMatching":false,"optType":"ADD""#,
            "参数publicParams.optType取值错误，应为字符串add(新增)或delete(删除)",
        ),
        (
            r#""isMatching":false,"optType":"add","dryRun":1"#,
            "参数publicParams.dryRun取值错误，应为布尔值true或false",
        ),
        (
            r#""isMatching":false,"optType":"add","dry_run":true"#,
            "参数名publicParams.dry_run有误，应为publicParams.dryRun",
        ),
        (
            r#""isMatching":false,"optType":"add","explian":0"#,
            "参数名publicParams.explian有误，应为publicParams.explain",
        ),
    ] {
        is_rejected(&format!(r#"{{"publicParams":{{{params}}},{DATA}}}"#), message).await;
    }
    is_rejected(
        &format!(r#"{{{PARAMS},{DATA},"dryRun":true}}"#),
        "参数dryRun位置有误，应为publicParams.dryRun",
    )
    .await;
    is_rejected(
        &format!(r#"{{{PARAMS},{DATA},"DryRun":true}}"#),
        "参数名DryRun有误，应为publicParams.dryRun",
    )
    .await;
}

#[tokio::test]
async fn the_message_says_what_is_wrong_with_a_body() {
    let missing = "缺少参数publicParams，应为对象";
    let (no_data, wrong_data) = ("缺少参数data，应为非空数组", "参数data取值错误，应为非空数组");
    for (body, message) in [
        ("\u{feff}", "请求体为空"),
        ("publicParams", "请求体不是合法的JSON：第1行第1列有误"),
        ("{\n\"data\":[\r\n {\"客户\" 1}]}", "请求体不是合法的JSON：第3行第8列有误"),
        ("\u{feff}{\"客户\" 1}", "请求体不是合法的JSON：第1行第7列有误"),
        ("[]", "请求体应为JSON对象"),
        (r#"{"data":[{}]}"#, missing),
        (r#"{"publicParams":null,"data":[{}]}"#, missing),
        (r#"{"publicParams":"{}","data":[{}]}"#, "参数publicParams取值错误，应为对象"),
        (&format!("{{{PARAMS}}}"), no_data),
        (&format!(r#"{{{PARAMS},"data":null}}"#), no_data),
        (&format!(r#"{{{PARAMS},"data":[]}}"#), wrong_data),
        (&format!(r#"{{{PARAMS},"data":{{"0":{{}}}}}}"#), wrong_data),
        (&format!(r#"{{{PARAMS},"data":[{{}},{{}},7]}}"#), "参数data[2]取值错误，应为对象"),
    ] {
        is_rejected(body, message).await;
    }
}

/// The body is rejected with 400 and this message, and nothing but the token is read.
async fn is_rejected(body: &str, message: &str) {
    let stage = Stage::new().await;
    let response = stage.function().await.post(TOKEN, body).await;
    let rejected = (response.status, response.code(), response.msg());
    assert_eq!(rejected, (400, "PARAM_ERROR", message), "{body}");
    assert_eq!(response.envelope["data"], Value::Null);
    let operations: Vec<_> = stage.database.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["GetItem"], "{body}");
}

#[tokio::test]
async fn unknown_fields_are_ignored_everywhere() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let body = r#"{
        "else": [1e999, "\ud800"], "publicparams": 7, "Data": null, "dryRun": null, "OptType": null,
        "publicParams": {"isMatching": false, "optType": "add", "opttype": null, "dry_rnu": null, "run": true, "": {}, "extra": [[]]},
        "data": [{"audienceUserId": "c0", "groups": "g", "AudienceUserId": 5, "name": "\ud800", "tags": [{}]}]
    }"#;
    assert_eq!(function.post(TOKEN, body).await.data()["status"], 1);
    assert_eq!(stage.memberships().await, numbered_pairs(1));
}

#[tokio::test]
async fn the_last_of_a_repeated_parameter_counts() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let body = r#"{"data": 1, "publicParams": {"isMatching": 1, "optType": "delete"},
        "publicParams": {"isMatching": true, "isMatching": false, "optType": "delete", "optType": "add"},
        "data": [{"audienceUserId": "c0", "groups": "g"}]}"#;
    assert_eq!(function.post(TOKEN, body).await.data()["status"], 1);
    assert_eq!(stage.memberships().await, numbered_pairs(1));
}
