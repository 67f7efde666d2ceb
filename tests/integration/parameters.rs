//! `publicParams` and `data` (contract, section 3): that a message tells a missing parameter from a wrong one. The messages
//! are held against the pages, and each value of a parameter is a case of the unit tests of `src/request/`.

use testing::stage::{Stage, TOKEN};

const DATA: &str = r#""data":[{"audienceUserId":"c0","groups":"g"}]"#;
const PARAMS: &str = r#""publicParams":{"isMatching":false,"optType":"add"}"#;

#[tokio::test]
async fn the_message_tells_a_missing_parameter_from_a_wrong_one() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let params = |text: &str| format!(r#"{{"publicParams":{{{text}}},{DATA}}}"#);
    for (missing, wrong, field, expected) in [
        (format!("{{{DATA}}}"), format!(r#"{{"publicParams":"{{}}",{DATA}}}"#), "publicParams", "对象"),
        (format!("{{{PARAMS}}}"), format!(r#"{{{PARAMS},"data":{{}}}}"#), "data", "非空数组"),
        (
            params(r#""isMatching":null"#),
            params(r#""isMatching":"true""#),
            "publicParams.isMatching",
            "布尔值true或false",
        ),
        (
            params(r#""isMatching":true"#),
            params(r#""isMatching":true,"matchingType":3"#),
            "publicParams.matchingType",
            "整数1(精准匹配)或2(模糊匹配)",
        ),
        (
            params(r#""isMatching":true,"matchingType":2"#),
            params(r#""isMatching":true,"matchingType":2,"identifyWay":"1""#),
            "publicParams.identifyWay",
            "整数1(unionid>openid>手机号>客户ID)或2(手机号>unionid>openid>客户ID)",
        ),
        (
            params(r#""isMatching":false"#),
            params(r#""isMatching":false,"optType":"ADD""#),
            "publicParams.optType",
            "字符串add(新增)或delete(删除)",
        ),
    ] {
        let if_missing = format!("缺少参数{field}，应为{expected}");
        let if_wrong = format!("参数{field}取值错误，应为{expected}");
        for (body, msg) in [(missing, if_missing), (wrong, if_wrong)] {
            let response = function.post(TOKEN, &*body).await;
            assert_eq!((response.code(), response.msg()), ("PARAM_ERROR", &*msg), "{body}");
        }
    }
}
