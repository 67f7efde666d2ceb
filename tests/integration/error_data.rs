//! `errorData`: the failed records as they were sent, ready to be resent (contract, sections 4 and 7). More of what may be
//! sent is in the properties of JSON.

use testing::model::verdict::Case;
use testing::model::world::{Customer, World};
use testing::shorthand::{exact, fuzzy, off, repost, without_indexes};
use testing::stage::{Stage, TENANT, TOKEN};

#[tokio::test]
async fn failed_records_are_returned_verbatim_and_fail_again() {
    let stage = Stage::new().await;
    let world =
        World { customers: vec![Customer::new(TENANT, "c1").with("unionid", "u1")], ..World::default() };
    stage.put_customers(world.customers.iter().map(Customer::item)).await;
    let function = stage.function().await;
    let data = r#"[{"openid":1234567890123456789012345678901234567890,"groups":"g"},
        {"unionid":" \u0075nknown","groups":"g","note":"gone"},{"unionid":"u1","groups":"ok"},
        {"phone":"+86","groups":null},{"audienceUserId":"c\"\\1","groups":"a,b"},{"unionid":"u1"},
        {"Phone":1,"openid":"","groups":"","AudienceUserId":"c1","Phone":null,"open_id":"\u200b","Groups":"g"},
        { "name":"x", "openid" : 1,"groups":"g" , "openid":-0.10e+0005, "errorCode":"old","retryable":9,"index":7},
        {},{"\u0067roups":[ ] ,"phone":{"b":1,"a":{"b":[]},"b":2}}]"#;
    for params in [off("add"), exact("add"), fuzzy(1, "delete"), fuzzy(2, "add")] {
        let body = format!(r#"{{"publicParams":{params},"data":{data}}}"#);
        let first = function.post(TOKEN, &*body).await;
        assert_eq!(first.data()["importFailNum"], 9, "{params}");
        Case::new(&world, TENANT, body.as_bytes()).imported(&first.reply()).unwrap();
        let second = repost(&function, &params, &first).await;
        let third = repost(&function, &params, &second).await;
        assert_eq!(without_indexes(&second.error_data()), without_indexes(&first.error_data()));
        assert_eq!(third.body, second.body);
        assert_eq!(second.data()["importSuccessNum"], 0);
    }
}

#[tokio::test]
async fn what_cannot_fit_the_lambda_limit_is_rejected() {
    let stage = Stage::new().await;
    let function = stage.function_with(|config| config.max_body_bytes = 6 * 1024 * 1024).await;
    // A record of escaped quotes: two bytes each in the body, four in the response as Lambda returns it.
    let quotes = "\\\"".repeat(290);
    for field in ["openid", "open_id"] {
        let record = format!(r#"{{"{field}":"{quotes}","groups":1}}"#);
        for (records, status) in [(100, 200), (3_000, 200), (4_000, 200), (4_500, 413), (5_000, 413)] {
            let data = vec![&*record; records].join(",");
            let body = format!(r#"{{"publicParams":{},"data":[{data}]}}"#, off("add"));
            let response = function.post(TOKEN, body).await;
            assert_eq!(response.status, status, "{records} records");
            assert!(status != 200 || response.data()["importFailNum"] == records);
        }
    }
}
