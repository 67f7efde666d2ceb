//! `publicParams` and the shape of `data` (contract, section 3).

use serde_json::{Value, json};
use testing::function::{Function, Response};
use testing::shorthand::{exact, fuzzy, numbered, numbered_pairs, off};
use testing::stage::{Stage, TOKEN};

/// Posts a body that must be rejected with 400, with no database call except that for the token.
async fn rejected(stage: &Stage, function: &Function, body: &str) -> Response {
    stage.database.reset();
    let response = function.post(TOKEN, body).await;
    assert_eq!((response.status, response.code()), (400, "PARAM_ERROR"), "{body}");
    assert_eq!(response.envelope["data"], Value::Null);
    let calls = stage.database.calls();
    assert!(calls.len() == 1 && calls[0].operation == "GetItem", "{body}");
    response
}

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

#[tokio::test]
async fn a_missing_or_mistyped_parameter_is_named() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let not_boolean = [json!(null), json!("true"), json!("false"), json!(1), json!(0), json!([]), json!({})];
    let not_one_or_two = [
        json!(null),
        json!("1"),
        json!(0),
        json!(3),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([1]),
        json!({}),
    ];
    let not_opt_type = [
        json!(null),
        json!(""),
        json!("ADD"),
        json!("add "),
        json!("remove"),
        json!(1),
        json!(true),
        json!(["add"]),
    ];
    let mut cases: Vec<(Value, &str)> = Vec::new();
    let mut cases_of = |params: Value, name: &'static str, wrong: &[Value]| {
        for value in wrong {
            let mut params = params.clone();
            params[name] = value.clone();
            cases.push((params, name));
        }
        let mut missing = params;
        missing.as_object_mut().expect("an object").remove(name);
        cases.push((missing, name));
    };
    cases_of(off("add"), "isMatching", &not_boolean);
    cases_of(exact("add"), "matchingType", &not_one_or_two);
    cases_of(fuzzy(1, "add"), "matchingType", &not_one_or_two);
    cases_of(fuzzy(1, "add"), "identifyWay", &not_one_or_two);
    for params in [off("add"), exact("add"), fuzzy(2, "add")] {
        cases_of(params, "optType", &not_opt_type);
    }
    for (params, name) in cases {
        let body = json!({"publicParams": params, "data": numbered(1)}).to_string();
        let response = rejected(&stage, &function, &body).await;
        let is_missing = params.get(name).is_none_or(Value::is_null);
        let [before, after] = if is_missing { ["缺少参数", ""] } else { ["参数", "取值错误"] };
        let start = format!("{before}publicParams.{name}{after}，应为");
        assert!(response.msg().starts_with(&start), "{body}: {}", response.msg());
    }
}

#[tokio::test]
async fn the_message_states_the_expected_value() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let cases = [
        (json!({}), &["isMatching", "true", "false"][..]),
        (json!({"isMatching": true}), &["matchingType", "1", "2"]),
        (json!({"isMatching": true, "matchingType": 2}), &["identifyWay", "1", "2"]),
        (json!({"isMatching": false}), &["optType", "add", "delete"]),
    ];
    for (params, named) in cases {
        let body = json!({"publicParams": params, "data": numbered(1)}).to_string();
        let response = rejected(&stage, &function, &body).await;
        for name in named {
            assert!(response.msg().contains(name), "{params}: {}", response.msg());
        }
    }
}

#[tokio::test]
async fn a_near_miss_of_a_parameter_is_named_as_sent() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let parameters = ["isMatching", "matchingType", "identifyWay", "optType", "dryRun", "explain"];
    for parameter in parameters {
        let snake = parameter.replace(char::is_uppercase, "_");
        let near = [
            parameter.to_lowercase(),
            parameter.to_uppercase(),
            format!("{parameter}-"),
            format!("_{parameter}"),
        ];
        for name in near {
            for value in [json!(true), json!(false), json!("add"), json!(1)] {
                let mut body = json!({"publicParams": off("add"), "data": numbered(1)});
                body[&name] = value.clone();
                let response = rejected(&stage, &function, &body.to_string()).await;
                let misplaced = format!("参数{name}位置有误，应为publicParams.{parameter}");
                let misnamed = format!("参数名{name}有误，应为publicParams.{parameter}");
                assert_eq!(response.msg(), if name == parameter { misplaced } else { misnamed }, "{body}");
                // `explain` is lower case: that is the parameter itself.
                if name == parameter {
                    continue;
                }
                let mut params = off("add");
                params[&name] = value;
                let body = json!({"publicParams": params, "data": numbered(1)});
                let response = rejected(&stage, &function, &body.to_string()).await;
                let expected = format!("参数名publicParams.{name}有误，应为publicParams.{parameter}");
                assert_eq!(response.msg(), expected, "{body}");
            }
        }
        // Other letters make another name.
        let body = json!({"publicParams": off("add"), "data": numbered(1), format!("{snake}s"): true});
        function.post(TOKEN, body.to_string()).await.data();
    }
    let beside = json!({"publicParams": off("add"), "data": numbered(1), "dryRun": true});
    let response = rejected(&stage, &function, &beside.to_string()).await;
    assert_eq!(response.msg(), "参数dryRun位置有误，应为publicParams.dryRun");
}

#[tokio::test]
async fn what_is_nearly_a_switch_is_named_as_sent() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for (name, shown, meant) in [
        ("isDryRun", "isDryRun", "dryRun"),
        ("dryRnu", "dryRnu", "dryRun"),
        ("explian", "explian", "explain"),
        ("dry\nRun\u{0}", "dry?Run?", "dryRun"),
        (&("dryRun".to_owned() + &"名".repeat(30)), &("dryRun".to_owned() + &"名".repeat(26)), "dryRun"),
    ] {
        let mut params = off("add");
        params[name] = json!(false);
        let body = json!({"publicParams": params, "data": numbered(1)}).to_string();
        let response = rejected(&stage, &function, &body).await;
        assert_eq!(response.msg(), format!("参数名publicParams.{shown}有误，应为publicParams.{meant}"));
        params[name] = Value::Null;
        let beside = json!({"publicParams": params, "data": numbered(1), name: true}).to_string();
        function.post(TOKEN, beside).await.data();
    }
}

#[tokio::test]
async fn parameters_of_other_modes_are_ignored() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c0"})]).await;
    let function = stage.function().await;
    for junk in [json!(null), json!("x"), json!(3), json!([{}]), json!({"a": 1.5e300})] {
        let mut without = off("add");
        without["matchingType"] = junk.clone();
        without["identifyWay"] = junk.clone();
        let mut exact = exact("add");
        exact["identifyWay"] = junk.clone();
        for params in [without, exact] {
            assert_eq!(function.import(params, numbered(1)).await.data()["status"], 1, "{junk}");
        }
    }
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
async fn a_body_that_is_not_json_is_rejected() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let sound = json!({"publicParams": off("add"), "data": numbered(1)}).to_string();
    let bodies = [
        "publicParams".to_owned(),
        sound[..sound.len() - 1].to_owned(),
        sound.clone() + ",",
        sound.clone() + &sound,
        sound.replace("\"add\"", "'add'"),
        sound.replace("}]", "},]"),
        format!("\u{feff}\u{feff}{sound}"),
    ];
    for body in bodies {
        let response = rejected(&stage, &function, &body).await;
        assert!(response.msg().starts_with("请求体不是合法的JSON：第1行第"), "{body:?}: {}", response.msg());
    }
    for empty in ["", " ", "\r\n", "\u{feff}"] {
        assert_eq!(rejected(&stage, &function, empty).await.msg(), "请求体为空", "{empty:?}");
    }
    let response = rejected(&stage, &function, "{\n\"data\":[\r\n {\"客户\" 1}]}").await;
    assert_eq!(response.msg(), "请求体不是合法的JSON：第3行第8列有误");
    let response = rejected(&stage, &function, "\u{feff}{\"客户\" 1}").await;
    assert_eq!(response.msg(), "请求体不是合法的JSON：第1行第7列有误");
}

#[tokio::test]
async fn json_without_an_import_names_the_missing_field() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let cases = [
        ("[]", "请求体应为JSON对象"),
        ("null", "请求体应为JSON对象"),
        ("\"text\"", "请求体应为JSON对象"),
        ("{}", "缺少参数publicParams"),
        (r#"{"data":[{}]}"#, "缺少参数publicParams，"),
        (r#"{"publicParams":null,"data":[{}]}"#, "缺少参数publicParams，"),
        (r#"{"publicParams":[],"data":[{}]}"#, "参数publicParams取值错误，"),
        (r#"{"publicParams":"{}","data":[{}]}"#, "参数publicParams取值错误，"),
    ];
    for (body, named) in cases {
        let response = rejected(&stage, &function, body).await;
        assert!(response.msg().starts_with(named), "{body}: {}", response.msg());
    }
}

#[tokio::test]
async fn data_must_be_a_non_empty_array() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for data in ["[]", "null", "{}", r#"{"0":{}}"#, "\"[]\"", "1", "true"] {
        let body = format!(r#"{{"publicParams":{},"data":{data}}}"#, off("add"));
        let response = rejected(&stage, &function, &body).await;
        let expected = if data == "null" {
            "缺少参数data，应为非空数组"
        } else {
            "参数data取值错误，应为非空数组"
        };
        assert_eq!(response.msg(), expected, "{body}");
    }
    let response = rejected(&stage, &function, &json!({"publicParams": off("add")}).to_string()).await;
    assert_eq!(response.msg(), "缺少参数data，应为非空数组");
}

#[tokio::test]
async fn an_element_that_is_not_an_object_is_named() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for element in ["null", "[]", "\"{}\"", "7", "true", "\"\\ud800\"", "1e999"] {
        for index in [0, 2] {
            let mut data = [r#"{"audienceUserId":"c0","groups":"g"}"#; 3];
            data[index] = element;
            let body = format!(r#"{{"publicParams":{},"data":[{}]}}"#, off("add"), data.join(","));
            let response = rejected(&stage, &function, &body).await;
            assert!(response.msg().contains(&format!("data[{index}]")), "{body}: {}", response.msg());
        }
    }
    assert!(stage.memberships().await.is_empty());
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
