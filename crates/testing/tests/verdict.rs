//! The verdict rejects each response with one defect, and names it.

use serde_json::{Value, json};
use testing::model::reply::Reply;
use testing::model::verdict::{Case, Faults, Verdict};
use testing::model::world::{Customer, World};

/// A success, a failure returned verbatim, two equal ones, and another success.
const RECORDS: &str = r#"[{"phone":"+86 13800000001","groups":"vip,new"}, {"openid":1e999, "x":1,"Phone":[ 1],"groups":"\u0076ip"},
    {"phone":"1","groups":"vip"},{"phone":"1","groups":"vip"},{"audienceUserId":"c2","groups":"vip"}]"#;

const INVALID: &str = r#"{"openid":1e999,"groups":"\u0076ip","Phone":[ 1],"index":1,"errorCode":"INVALID_FIELD","errorMsg":"m","retryable":false}"#;
const NOT_MATCHED: &str =
    r#"{"phone":"1","groups":"vip","index":2,"errorCode":"NOT_MATCHED","errorMsg":"m","retryable":false}"#;
const ALSO_NOT_MATCHED: &str =
    r#"{"phone":"1","groups":"vip","index":3,"errorCode":"NOT_MATCHED","errorMsg":"m","retryable":false}"#;

fn world() -> World {
    let customer = |id: &str, phone: &str| Customer::new("t1", id).with("phone", phone);
    let memberships = [("t1#c1".to_owned(), "old".to_owned()), ("t1#c2".to_owned(), "vip".to_owned())].into();
    World { customers: vec![customer("c1", "13800000001"), customer("c2", "2")], memberships }
}

fn body(more: &str) -> String {
    let params = format!(r#""isMatching":true,"matchingType":1,"optType":"add"{more}"#);
    format!(r#"{{"publicParams":{{{params}}},"data":{RECORDS}}}"#)
}

const EXPLAIN: &str = r#","explain":true"#;

/// `data` of the correct response.
fn data() -> String {
    format!(
        r#"{{"importSuccessNum":2,"importFailNum":3,"status":2,"message":"部分导入成功","errorData":[{INVALID},{NOT_MATCHED},{ALSO_NOT_MATCHED}],"matches":[{{"index":0,"audienceUserId":"c1","matchedBy":"exact"}},{{"index":4,"audienceUserId":"c2","matchedBy":"exact"}}]}}"#
    )
}

fn envelope(status: u64, code: &str, msg: &str, data: &str) -> String {
    format!(r#"{{"code":"{status}","errorCode":"{code}","msg":"{msg}","data":{data}}}"#)
}

fn reply(status: u64, body: &str) -> Value {
    let headers = json!({"Content-Type": "application/json", "X-Request-Id": "id"});
    json!({"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": false})
}

fn right() -> Value {
    reply(200, &envelope(200, "SUCCESS", "ok", &data()))
}

fn judge(reply: &Value, body: &str, faults: Faults) -> Result<Verdict, String> {
    let world = world();
    Case { faults, ..Case::new(&world, "t1", body.as_bytes()) }.judge(&Reply::open(reply)?)
}

#[track_caller]
fn is_rejected(reply: &Value, body: &str, faults: Faults, reason: &str) {
    match judge(reply, body, faults) {
        Ok(_) => panic!("accepted, not rejected because: {reason}"),
        Err(wrong) => assert!(wrong.contains(reason), "{wrong}, and not: {reason}"),
    }
}

/// The correct response with one text of its body replaced.
fn with(from: &str, to: &str) -> Value {
    let mut reply = right();
    let body = reply["body"].as_str().expect("a body").replacen(from, to, 1);
    assert_ne!(reply["body"], body, "{from}");
    reply["body"] = body.into();
    reply
}

#[test]
fn a_correct_response_is_accepted() {
    let verdict = judge(&right(), &body(EXPLAIN), Faults::NONE).expect("right");
    let codes = [None, Some("INVALID_FIELD"), Some("NOT_MATCHED"), Some("NOT_MATCHED"), None];
    assert_eq!(verdict.codes, codes);
}

#[test]
fn a_response_with_one_defect_is_rejected() {
    let other = NOT_MATCHED.replace("NOT_MATCHED", "CONFLICT");
    let of_others = format!("{INVALID},{NOT_MATCHED},{ALSO_NOT_MATCHED}");
    let invalid_last = format!("{NOT_MATCHED},{ALSO_NOT_MATCHED},{INVALID}");
    let table: &[(&str, &str, &str)] = &[
        (r#"{"code""#, r#"["code""#, "the body is no object"),
        (r#""msg":"ok","#, "", "the envelope has"),
        (r#""msg":"ok","#, r#""msg":"ok","more":1,"#, "the envelope has"),
        (r#""code":"200""#, r#""code":"201""#, "the code of a 200"),
        (r#""code":"200""#, r#""code":200"#, "invalid type"),
        (r#""SUCCESS""#, r#""IN_PROGRESS""#, "the errorCode of a 200"),
        (r#""msg":"ok""#, r#""msg":"""#, "the msg of a 200"),
        (r#""importSuccessNum":2"#, r#""importSuccessNum":3"#, "3 and 3 of 5"),
        (r#""importFailNum":3,"#, "", "there is no importFailNum"),
        (r#":2,"importFailNum":3"#, r#":3,"importFailNum":2"#, "errorData has 3 records of 2"),
        (r#""status":2"#, r#""status":1"#, "status 1"),
        ("部分导入成功", "成功", "status 2, 成功"),
        (r#""status":2"#, r#""status":2,"dry":1"#, "data has"),
        (&of_others, "", "errorData cannot be resent"),
        (&format!("[{of_others}]"), "null", "errorData with 3 failed"),
        (INVALID, "7", "errorData cannot be resent"),
        (&of_others, &invalid_last, "index 1 is not in the order sent"),
        (r#""index":3"#, r#""index":4"#, "record 4 is not as it was sent"),
        (r#""index":3"#, r#""index":2"#, "index 2 is not in the order sent"),
        (r#""index":3"#, r#""index":5"#, "index 5 is not in the order sent"),
        (r#""index":3,"#, "", "there is no index"),
        (r#""index":3"#, r#""index":"3""#, "invalid type"),
        ("1e999", "1E999", "record 1 is not as it was sent"),
        (r"\u0076ip", "vip", "record 1 is not as it was sent"),
        (r#""openid":1e999,"#, "", "record 1 is not as it was sent"),
        (r#""Phone":[ 1],"#, "", "record 1 is not as it was sent"),
        (r#""Phone":[ 1],"#, r#""Phone":[1],"#, "record 1 is not as it was sent"),
        (r#""Phone":[ 1],"#, r#""phone":[ 1],"#, "record 1 is not as it was sent"),
        (r#""status":2"#, r#""status":2,"dryRun":true"#, "dryRun of the result"),
        (r#""status":2"#, r#""status":2,"dryRun":false"#, "dryRun of the result"),
        (r#""openid":1e999,"#, r#""openid":1e999,"x":1,"#, "a failed record has"),
        (r#""errorMsg":"m","#, "", "a failed record has"),
        (r#""errorMsg":"m""#, r#""errorMsg":"""#, "errorMsg is empty"),
        (r#""errorMsg":"m""#, r#""errorMsg":null"#, "invalid type"),
        (r#""retryable":false"#, r#""retryable":true"#, "retryable of INVALID_FIELD is true"),
        ("INVALID_FIELD", "UNKNOWN", "errorCode is UNKNOWN"),
        ("INVALID_FIELD", "MISSING_GROUPS", "record 1 ended as"),
        (NOT_MATCHED, &other, "equal records"),
        (
            &format!("{NOT_MATCHED},{ALSO_NOT_MATCHED}"),
            &format!("{NOT_MATCHED},{ALSO_NOT_MATCHED}").replace("NOT_MATCHED", "CONFLICT"),
            r#"record 2 ended as Some("CONFLICT")"#,
        ),
        (r#""index":0"#, r#""index":1"#, "matches lack record 0"),
        (r#""audienceUserId":"c1""#, r#""audienceUserId":"c2""#, "matches lack record 0"),
        ("exact", "phone", "matches lack record 0"),
        (r#""exact"}]"#, r#""exact"},{"index":5}]"#, "matches has"),
        (r#""matches":["#, r#""matchez":["#, "matches: false"),
    ];
    for (from, to, reason) in table {
        is_rejected(&with(from, to), &body(EXPLAIN), Faults::NONE, reason);
    }
    is_rejected(&right(), &body(""), Faults::NONE, "matches: true");
    is_rejected(&right(), &body(r#","explain":1"#), Faults::NONE, "imported an invalid body");
}

#[test]
fn status_headers_and_size_are_checked() {
    for (place, value, reason) in [
        ("/statusCode", Value::Null, "there is no status"),
        ("/body", Value::Null, "there is no body"),
        ("/isBase64Encoded", json!(true), "isBase64Encoded"),
        ("/headers/Content-Type", json!("text/plain"), "Content-Type"),
        ("/headers/X-Request-Id", json!(""), "X-Request-Id is"),
        ("/headers/X-Request-Id", Value::Null, "X-Request-Id is"),
        // Each quote counts twice.
        ("/body", json!("\"".repeat(3 * 1024 * 1024)), "more than Lambda returns"),
    ] {
        let mut reply = right();
        *reply.pointer_mut(place).expect("it is there") = value;
        is_rejected(&reply, &body(EXPLAIN), Faults::NONE, reason);
    }
    let mut early = right();
    early["headers"]["Retry-After"] = "1".into();
    is_rejected(&early, &body(EXPLAIN), Faults::NONE, "Retry-After of a 200");
    for (status, code, data, reason) in [
        (201, "IN_PROGRESS", "null", "data of a 201"),
        (400, "PARAM_ERROR", "{}", "data of a 400"),
        (405, "METHOD_NOT_ALLOWED", "null", "Allow"),
        (500, "INTERNAL_ERROR", "null", "a 500 without a fault"),
        (503, "SERVICE_UNAVAILABLE", "null", "Retry-After of a 503"),
    ] {
        is_rejected(&reply(status, &envelope(status, code, "m", data)), "", Faults::OF_CALLS, reason);
    }
}

#[test]
fn a_rejection_by_a_fault_stores_nothing() {
    let mut unavailable = reply(503, &envelope(503, "SERVICE_UNAVAILABLE", "m", "null"));
    unavailable["headers"]["Retry-After"] = "1".into();
    is_rejected(&unavailable, "", Faults::NONE, "a 503 without a fault");
    let world = world();
    let case = Case { faults: Faults::OF_CALLS, ..Case::new(&world, "t1", b"") };
    case.imported(&Reply::open(&unavailable).expect("right")).err().expect("it was not imported");
    let verdict = judge(&unavailable, "", Faults::OF_CALLS).expect("right");
    let mut stored = world.memberships.clone();
    verdict.stored(&stored).expect("nothing was written");
    stored.pop_first();
    verdict.stored(&stored).expect_err("a 503 deleted");

    let internal = reply(500, &envelope(500, "INTERNAL_ERROR", "m", "null"));
    judge(&internal, "", Faults { internal_error: true, ..Faults::NONE }).expect("right");
}

#[test]
fn faults_replace_only_their_codes() {
    let both = format!("{NOT_MATCHED},{ALSO_NOT_MATCHED}");
    let store_error = Faults { store_error: true, ..Faults::NONE };
    let timeout = Faults { timeout: true, ..Faults::NONE };
    for (code, can, cannot) in [("STORE_ERROR", store_error, timeout), ("TIMEOUT", timeout, store_error)] {
        let failed = |record: &str| {
            let failed = record.replace("NOT_MATCHED", code).replace("INVALID_FIELD", code);
            failed.replace("false", "true")
        };
        let replaced = with(&both, &failed(&both));
        judge(&replaced, &body(EXPLAIN), can).expect("right");
        is_rejected(&replaced, &body(EXPLAIN), cannot, "record 2 ended as");
        is_rejected(&replaced, &body(EXPLAIN), Faults::NONE, "record 2 ended as");
        is_rejected(&with(INVALID, &failed(INVALID)), &body(EXPLAIN), can, "record 1 ended as");
        is_rejected(&with(NOT_MATCHED, &failed(NOT_MATCHED)), &body(EXPLAIN), can, "equal records");
    }
}

#[test]
fn exactly_the_memberships_of_successes_are_stored() {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, group)| ((*key).to_owned(), (*group).to_owned())).collect()
    };
    let (old, vip, new, there) = (("t1#c1", "old"), ("t1#c1", "vip"), ("t1#c1", "new"), ("t1#c2", "vip"));
    let add = judge(&right(), &body(EXPLAIN), Faults::NONE).expect("right");
    add.stored(&pairs(&[old, vip, new, there])).expect("right");
    add.stored(&pairs(&[old, vip, there])).expect_err("a success is not there");
    add.stored(&pairs(&[vip, new, there])).expect_err("another membership is lost");
    add.stored(&pairs(&[old, vip, new, there, ("t1#1", "vip")])).expect_err("no record names it");

    let dry = with(r#""status":2"#, r#""status":2,"dryRun":true"#);
    let dry = judge(&dry, &body(r#","explain":true,"dryRun":true"#), Faults::NONE).expect("right");
    dry.stored(&pairs(&[old, there])).expect("right");
    dry.stored(&pairs(&[old, there, vip])).expect_err("a dry run wrote");

    let delete = body(EXPLAIN).replace("\"add\"", "\"delete\"");
    let delete = judge(&right(), &delete, Faults::NONE).expect("right");
    delete.stored(&pairs(&[old])).expect("right");
    delete.stored(&pairs(&[old, there])).expect_err("a success is still there");
    delete.stored(&pairs(&[])).expect_err("another membership is lost");
}
