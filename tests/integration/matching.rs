//! Which customer a record matches, in every mode (contract, section 5).

use std::collections::{BTreeMap, BTreeSet};

use group_import::config::IdentityLookup;
use serde_json::{Value, json};
use testing::function::Function;
use testing::shorthand::{exact, failures_by, fuzzy, numbered, numbered_pairs, off, pairs};
use testing::stage::Stage;

/// The result of a record: the customer it matches, or a code.
type Expected = Result<&'static str, &'static str>;

/// Customers of `t1`, and some of `t2` with the same values.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "13800000001"}),
            json!({"audienceUserId": "c2", "unionid": "u2", "openid": "o2", "phone": "13800000002"}),
            json!({"audienceUserId": "c3"}),
            // Two that share a unionid and an openid, and a third with the openid.
            json!({"audienceUserId": "d1", "unionid": "ud", "openid": "od", "phone": "13900000001"}),
            json!({"audienceUserId": "d2", "unionid": "ud", "openid": "od", "phone": "13900000002"}),
            json!({"audienceUserId": "d3", "unionid": "u3", "openid": "od", "phone": "13900000003"}),
            // Values that equal an identifier of another type of another customer.
            json!({"audienceUserId": "u1", "unionid": "o1", "openid": "c1"}),
            json!({"audienceUserId": "c1", "tenantId": "t2", "unionid": "u1", "openid": "o1", "phone": "13800000001"}),
            json!({"audienceUserId": "x1", "tenantId": "t2", "unionid": "ux", "openid": "o1", "phone": "13800000002"}),
        ])
        .await;
    stage
}

/// Imports all records in one request, each with a group of its own, and compares their results.
async fn assert_outcomes(params: Value, cases: &[(Value, Expected)]) {
    for identity_lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let stage = stage().await;
        let function = stage.function_with(|config| config.identity_lookup = identity_lookup).await;
        assert_outcomes_of(&stage, &function, &params, cases).await;
    }
}

async fn assert_outcomes_of(stage: &Stage, function: &Function, params: &Value, cases: &[(Value, Expected)]) {
    let group = |n: usize| format!("g{n}");
    let data = cases.iter().enumerate().map(|(n, (record, _))| {
        let mut record = record.clone();
        record["groups"] = group(n).into();
        record
    });
    let response = function.import(params.clone(), data.collect()).await;
    let outcomes = || cases.iter().enumerate().map(|(n, (_, expected))| (group(n), *expected));
    let failures: BTreeMap<_, _> =
        outcomes().filter_map(|(group, expected)| Some((group, expected.err()?.to_owned()))).collect();
    assert_eq!(failures_by(&response, "groups"), failures, "{params}");
    let written = outcomes().filter_map(|(group, expected)| Some((format!("t1#{}", expected.ok()?), group)));
    assert_eq!(stage.memberships().await, pairs(written), "{params}");
}

#[tokio::test]
async fn exact_matching_requires_every_identifier_to_match() {
    let cases = [
        (json!({"unionid": "u1"}), Ok("c1")),
        (json!({"openid": "o1"}), Ok("c1")),
        (json!({"phone": "+86 138-0000-0001"}), Ok("c1")),
        (json!({"audienceUserId": "c3"}), Ok("c3")),
        (json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "13800000001"}), Ok("c1")),
        // At least one identifier matches nobody.
        (json!({"unionid": "nobody"}), Err("NOT_MATCHED")),
        (json!({"unionid": "u1", "openid": "nobody"}), Err("NOT_MATCHED")),
        (json!({"unionid": "ud", "audienceUserId": "nobody"}), Err("NOT_MATCHED")),
        (json!({"unionid": "u1", "openid": "o2", "phone": "1"}), Err("NOT_MATCHED")),
        // Each identifier matches somebody, but all together match nobody.
        (json!({"unionid": "u1", "openid": "o2"}), Err("CONFLICT")),
        (json!({"audienceUserId": "c3", "phone": "13800000001"}), Err("CONFLICT")),
        (json!({"unionid": "ud", "openid": "od", "phone": "13900000003"}), Err("CONFLICT")),
        // Several customers in common, unless another identifier narrows them down.
        (json!({"unionid": "ud"}), Err("AMBIGUOUS")),
        (json!({"openid": "od"}), Err("AMBIGUOUS")),
        (json!({"unionid": "ud", "openid": "od"}), Err("AMBIGUOUS")),
        (json!({"unionid": "ud", "phone": "13900000001"}), Ok("d1")),
        (json!({"unionid": "ud", "openid": "od", "audienceUserId": "d2"}), Ok("d2")),
        (json!({"openid": "od", "unionid": "u3"}), Ok("d3")),
        // A value counts in its own field only.
        (json!({"unionid": "o1"}), Ok("u1")),
        (json!({"unionid": "c1"}), Err("NOT_MATCHED")),
        (json!({"audienceUserId": "u1", "openid": "c1"}), Ok("u1")),
    ];
    assert_outcomes(exact("add"), &cases).await;
}

#[tokio::test]
async fn fuzzy_way_1_is_unionid_openid_phone_id() {
    let cases = [
        (json!({"unionid": "u1", "openid": "o2", "phone": "13800000002", "audienceUserId": "c2"}), Ok("c1")),
        (
            json!({"unionid": "nobody", "openid": "o2", "phone": "13800000001", "audienceUserId": "c1"}),
            Ok("c2"),
        ),
        (json!({"unionid": "no", "openid": "no", "phone": "13800000001", "audienceUserId": "c2"}), Ok("c1")),
        (json!({"unionid": "no", "openid": "no", "phone": "1", "audienceUserId": "c3"}), Ok("c3")),
        (json!({"openid": "o1", "audienceUserId": "c2"}), Ok("c1")),
        (json!({"audienceUserId": "c1"}), Ok("c1")),
        (json!({"unionid": "no", "openid": "no", "phone": "1", "audienceUserId": "no"}), Err("NOT_MATCHED")),
        (json!({"phone": "1"}), Err("NOT_MATCHED")),
        // The deciding identifier is ambiguous: later ones are not used.
        (
            json!({"unionid": "ud", "openid": "o1", "phone": "13900000001", "audienceUserId": "d1"}),
            Err("AMBIGUOUS"),
        ),
        (json!({"unionid": "no", "openid": "od", "phone": "13900000001"}), Err("AMBIGUOUS")),
        // Decided before the ambiguous one.
        (json!({"unionid": "u3", "openid": "od"}), Ok("d3")),
    ];
    assert_outcomes(fuzzy(1, "add"), &cases).await;
}

#[tokio::test]
async fn fuzzy_way_2_is_phone_unionid_openid_id() {
    let cases = [
        (json!({"unionid": "u1", "openid": "o1", "phone": "13800000002", "audienceUserId": "c1"}), Ok("c2")),
        (json!({"unionid": "u1", "openid": "o2", "phone": "1", "audienceUserId": "c2"}), Ok("c1")),
        (json!({"unionid": "no", "openid": "o2", "phone": "1", "audienceUserId": "c1"}), Ok("c2")),
        (json!({"unionid": "no", "openid": "no", "phone": "1", "audienceUserId": "c1"}), Ok("c1")),
        (json!({"unionid": "u1", "openid": "o2"}), Ok("c1")),
        (json!({"phone": "1", "audienceUserId": "no"}), Err("NOT_MATCHED")),
        (json!({"unionid": "ud", "phone": "13900000001"}), Ok("d1")),
        (json!({"unionid": "ud", "phone": "1", "audienceUserId": "d1"}), Err("AMBIGUOUS")),
    ];
    assert_outcomes(fuzzy(2, "add"), &cases).await;
}

#[tokio::test]
async fn customers_of_another_tenant_are_not_matched() {
    let cases = [
        (json!({"unionid": "ux"}), Err("NOT_MATCHED")),
        (json!({"audienceUserId": "x1"}), Err("NOT_MATCHED")),
        (json!({"unionid": "ux", "audienceUserId": "c1"}), Err("NOT_MATCHED")),
        // Two customers have it, one of them in this tenant.
        (json!({"openid": "o1"}), Ok("c1")),
        (json!({"unionid": "u1", "openid": "o1", "phone": "13800000001", "audienceUserId": "c1"}), Ok("c1")),
    ];
    assert_outcomes(exact("add"), &cases).await;
    let fuzzy_cases = [(json!({"unionid": "ux", "openid": "o2"}), Ok("c2"))];
    assert_outcomes(fuzzy(1, "add"), &fuzzy_cases).await;
}

#[tokio::test]
async fn tenants_with_the_same_customers_write_separately() {
    let stage = stage().await;
    stage.put_tenant("second", json!({"tenantId": "t2"})).await;
    let function = stage.function().await;
    let data =
        json!([{"unionid": "u1", "groups": "g"}, {"openid": "o1", "phone": "13800000002", "groups": "h"}]);
    assert_eq!(function.import(fuzzy(1, "add"), data.clone()).await.failures(), [""; 0]);
    let in_second = function.import_as("second", fuzzy(1, "add"), data.clone()).await;
    assert_eq!(in_second.failures(), ["AMBIGUOUS"], "c1 and x1 have the openid there");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c1", "h"), ("t2#c1", "g")]));
    function.import(fuzzy(1, "delete"), data).await.data();
    assert_eq!(stage.memberships().await, pairs([("t2#c1", "g")]));
}

#[tokio::test]
async fn a_number_sign_in_a_name_is_unambiguous() {
    let stage = Stage::new().await;
    stage.put_tenant("second", json!({"tenantId": "t1-a"})).await;
    stage
        .put_customers(["a#b", "a", "#", "t1#a"].map(|id| json!({"audienceUserId": id, "openid": id})))
        .await;
    let function = stage.function().await;
    let data = json!([
        {"audienceUserId": "a#b", "groups": "c"},
        {"audienceUserId": "a", "groups": "b#c,#"},
        {"audienceUserId": "#", "groups": "#"},
        {"audienceUserId": "t1#a", "groups": "g"},
    ]);
    let expected = pairs([("t1#a#b", "c"), ("t1#a", "b#c"), ("t1#a", "#"), ("t1##", "#"), ("t1#t1#a", "g")]);
    for params in [off("add"), exact("add"), fuzzy(1, "add")] {
        assert_eq!(function.import(params, data.clone()).await.failures(), [""; 0]);
        assert_eq!(stage.memberships().await, expected);
    }
    function.import_as("second", off("add"), json!([{"audienceUserId": "#b", "groups": "c"}])).await.data();
    function.import(off("delete"), data).await.data();
    assert_eq!(stage.memberships().await, pairs([("t1-a##b", "c")]));
}

#[tokio::test]
async fn resolution_never_writes_to_customers() {
    let stage = stage().await;
    let function = stage.function().await;
    let customers = async || {
        let items = stage.items(&stage.names.customers).await;
        items.iter().map(Value::to_string).collect::<BTreeSet<_>>()
    };
    let before = customers().await;
    for params in [off("add"), exact("add"), fuzzy(1, "add"), fuzzy(2, "delete")] {
        let data = json!([
            {"audienceUserId": "new", "unionid": "new", "phone": "13800000001", "groups": "g"},
            {"audienceUserId": "c3", "openid": "new", "groups": "g"},
        ]);
        function.import(params, data).await.data();
    }
    assert_eq!(customers().await, before);
}

#[tokio::test]
async fn several_records_for_one_customer_add_up() {
    let stage = stage().await;
    let function = stage.function().await;
    let data = json!([
        {"unionid": "u1", "groups": "a,b"},
        {"openid": "o1", "groups": "b,c"},
        {"phone": "13800000001", "groups": "a"},
        {"audienceUserId": "c1", "groups": "d"},
        {"audienceUserId": "c1", "groups": "d"},
    ]);
    let response = function.import(fuzzy(1, "add"), data).await;
    assert_eq!(response.data()["importSuccessNum"], 5);
    assert_eq!(stage.memberships().await, pairs(["a", "b", "c", "d"].map(|group| ("t1#c1", group))));
    let data = json!([{"unionid": "u1", "groups": "a,x"}, {"openid": "o1", "groups": "c,a"}]);
    assert_eq!(function.import(fuzzy(1, "delete"), data).await.data()["importSuccessNum"], 2);
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "b"), ("t1#c1", "d")]));
}

#[tokio::test]
async fn a_repeated_request_has_the_same_state_and_response() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    for (params, state) in [(off("add"), numbered_pairs(30)), (off("delete"), numbered_pairs(0))] {
        let first = function.import(params.clone(), numbered(30)).await;
        assert_eq!(stage.memberships().await, state);
        let second = function.import(params, numbered(30)).await;
        assert_eq!(second.body, first.body);
        assert_eq!(stage.memberships().await, state);
        assert_eq!(second.data()["status"], 1);
    }
}

#[tokio::test]
async fn a_delete_removes_only_what_it_names() {
    let stage = Stage::new().await;
    let function = stage.function().await;
    let data = json!([{"audienceUserId": "c1", "groups": "a,b"}, {"audienceUserId": "c2", "groups": "a,b"}]);
    function.import(off("add"), data).await.data();
    function.import(off("delete"), json!([{"audienceUserId": "c1", "groups": "a"}])).await.data();
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "b"), ("t1#c2", "a"), ("t1#c2", "b")]));
}
