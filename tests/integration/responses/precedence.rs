//! The order of the checks (contract, section 2).

use serde_json::Value;
use testing::dynamodb::{Action, Rule};

use super::{DISABLED, MAX_BODY_BYTES, RETIRED_ADDRESS, edit_body, rejected, stage_and_function, with};

type Change = fn(&mut Value);

#[tokio::test]
async fn an_earlier_check_takes_precedence() {
    let faults: [(u32, &str, Change); 9] = [
        (0, "NOT_FOUND", |event| event["rawPath"] = "/else".into()),
        (0, "NOT_FOUND", |event| event["rawPath"] = RETIRED_ADDRESS.into()),
        (1, "METHOD_NOT_ALLOWED", |event| event["requestContext"]["http"]["method"] = "PUT".into()),
        (2, "TOKEN_ERROR", |event| event["headers"]["x-token"] = "unknown".into()),
        (2, "FORBIDDEN", |event| event["headers"]["x-token"] = DISABLED.into()),
        (3, "UNSUPPORTED_MEDIA_TYPE", |event| event["headers"]["content-type"] = "text/plain".into()),
        (4, "PAYLOAD_TOO_LARGE", |event| edit_body(event, |body| body + &" ".repeat(MAX_BODY_BYTES))),
        (5, "PARAM_ERROR", |event| edit_body(event, |body| body + "}")),
        (6, "PARAM_ERROR", |event| edit_body(event, |body| body.replace("\"add\"", "\"put\""))),
    ];
    let (stage, function) = stage_and_function().await;
    for (rank, code, fault) in faults {
        for (_, later, other) in faults.iter().filter(|(other, ..)| *other > rank) {
            let event = with(|event| {
                fault(event);
                other(event);
            });
            let response = rejected(&stage, &function, event).await;
            assert_eq!(response.code(), code, "before {later}");
            // Both are PARAM_ERROR: only one of them names a parameter.
            assert!(rank != 5 || !response.msg().contains("optType"), "{}", response.msg());
        }
    }
}

#[tokio::test]
async fn a_failed_token_check_precedes_later_checks_only() {
    let (stage, function) = stage_and_function().await;
    stage.database.rule(Rule::on("GetItem", Action::Garble));
    for change in [
        (|event| event["headers"]["content-type"] = "text/plain".into()) as Change,
        |event| edit_body(event, |body| body + &" ".repeat(MAX_BODY_BYTES)),
        |event| edit_body(event, |body| body + "}"),
    ] {
        let response = rejected(&stage, &function, with(change)).await;
        assert_eq!(response.code(), "SERVICE_UNAVAILABLE");
    }
    let earlier: [(&str, Change); 3] = [
        ("NOT_FOUND", |event| event["rawPath"] = "/else".into()),
        ("METHOD_NOT_ALLOWED", |event| event["requestContext"]["http"]["method"] = "PUT".into()),
        ("TOKEN_ERROR", |event| event["headers"]["x-token"] = "".into()),
    ];
    for (code, change) in earlier {
        let response = rejected(&stage, &function, with(change)).await;
        assert_eq!((response.code(), stage.database.count("GetItem")), (code, 0));
    }
}
