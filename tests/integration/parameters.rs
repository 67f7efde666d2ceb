//! `publicParams` and the shape of `data` (contract, section 3): how the message names what is rejected. Each value of a
//! parameter is a case of the unit tests of `src/request/`.

use testing::stage::{Stage, TOKEN};

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
        (&format!(r#"{{{PARAMS},{DATA},"dryRun":true}}"#), "参数dryRun位置有误，应为publicParams.dryRun"),
        (&format!(r#"{{{PARAMS},{DATA},"DryRun":true}}"#), "参数名DryRun有误，应为publicParams.dryRun"),
    ] {
        is_rejected(body, message).await;
    }
}

/// The body is rejected with 400 and this message, and nothing but the token is read.
async fn is_rejected(body: &str, message: &str) {
    let stage = Stage::new().await;
    let response = stage.function().await.post(TOKEN, body).await;
    assert_eq!((response.code(), response.msg()), ("PARAM_ERROR", message), "{body}");
    assert_eq!(stage.database.calls().len(), 1, "the token's");
}
