//! Tenants with the same customers, and callers that impersonate another tenant: the data of a tenant never
//! appears in the response to another, and is never written by another (contract, sections 2, 5, 8, 10).

use std::collections::BTreeSet;

use group_import::config::IdentityLookup;
use serde_json::{Value, json};

use testing::function::post_event;
use testing::shorthand::{exact, fuzzy, numbered, off, pairs};
use testing::stage::{Stage, TOKEN};

/// The second tenant's token.
const SECOND: &str = "token-of-t2";

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.put_tenant(SECOND, json!({"tenantId": "t2"})).await;
    stage
}

/// Every mode, adding or deleting.
fn modes(opt_type: &str) -> [Value; 4] {
    [off(opt_type), exact(opt_type), fuzzy(1, opt_type), fuzzy(2, opt_type)].map(|mut params| {
        params["explain"] = true.into();
        params
    })
}

/// Two customers of the tenant with the same identifiers as those of the other tenant: one with the same ID in
/// both tenants, and one with a different ID in each.
fn customers(tenant: &str, own: &str) -> [Value; 2] {
    [
        json!({"audienceUserId": "both", "tenantId": tenant, "unionid": "u1", "openid": "o1", "phone": "13800000001"}),
        json!({"audienceUserId": own, "tenantId": tenant, "unionid": "u2", "openid": "o2", "phone": "13800000002"}),
    ]
}

fn records() -> Value {
    json!([
        {"unionid": "u1", "groups": "g1"},
        {"openid": "o2", "groups": "g2"},
        {"phone": "+86 138 0000 0002", "groups": "g3"},
        {"audienceUserId": "both", "groups": "g4"},
        {"unionid": "u2", "openid": "o2", "phone": "13800000002", "groups": "g5"},
        {"audienceUserId": "only-t1", "groups": "g6"},
        {"audienceUserId": "only-t2", "groups": "g7"},
    ])
}

/// The memberships of [`records`] in the tenant that has this customer of its own.
fn expected_memberships(tenant: &str, own: &str, matching: bool) -> BTreeSet<(String, String)> {
    let (both, own) = (format!("{tenant}#both"), format!("{tenant}#{own}"));
    if !matching {
        return pairs([
            (&both, "g4"),
            (&format!("{tenant}#only-t1"), "g6"),
            (&format!("{tenant}#only-t2"), "g7"),
        ]);
    }
    let last = if own.ends_with("only-t1") { "g6" } else { "g7" };
    pairs([(&both, "g1"), (&own, "g2"), (&own, "g3"), (&both, "g4"), (&own, "g5"), (&own, last)])
}

#[tokio::test]
async fn tenants_change_only_their_own_customers() {
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let stage = stage().await;
        let tenants = [("t1", TOKEN, "only-t1"), ("t2", SECOND, "only-t2")];
        for (tenant, _, own) in tenants {
            stage.put_customers(customers(tenant, own)).await;
        }
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for (add, delete) in modes("add").into_iter().zip(modes("delete")) {
            let matching = add["isMatching"] == true;
            let mut expected = BTreeSet::new();
            for (tenant, token, own) in tenants {
                let response = function.import_as(token, add.clone(), records()).await;
                expected.extend(expected_memberships(tenant, own, matching));
                assert_eq!(stage.memberships().await, expected, "{tenant} {add}");
                let matches = response.data()["matches"].as_array().expect("an explanation");
                let customers: Vec<_> = matches.iter().map(|entry| &entry["audienceUserId"]).collect();
                let of_tenant = ["both", own, own, "both", own, own];
                let expected = if matching { &of_tenant[..] } else { &["both", "only-t1", "only-t2"] };
                assert_eq!(customers, expected, "{tenant} {add}");
            }
            for (tenant, token, own) in tenants {
                function.import_as(token, delete.clone(), records()).await.data();
                expected
                    .retain(|membership| !expected_memberships(tenant, own, matching).contains(membership));
                assert_eq!(stage.memberships().await, expected, "{tenant} {delete}");
            }
            assert!(expected.is_empty());
        }
    }
}

#[tokio::test]
async fn customers_match_no_record_of_another_tenant() {
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let stage = stage().await;
        stage
            .put_customers([json!({
                "audienceUserId": "secret-id", "tenantId": "t2",
                "unionid": "u", "openid": "o", "phone": "13800000001",
            })])
            .await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        let data = json!([
            {"unionid": "u", "groups": "g"},
            {"openid": "o", "groups": "g"},
            {"phone": "13800000001", "groups": "g"},
            {"audienceUserId": "secret-id", "groups": "g"},
            {"unionid": "u", "openid": "o", "phone": "13800000001", "groups": "g", "tenantId": "t2"},
        ]);
        for opt_type in ["add", "delete"] {
            let [_, matching @ ..] = modes(opt_type);
            for mut params in matching {
                params["tenantId"] = "t2".into();
                let mut body = json!({"publicParams": params, "data": data, "tenantId": "t2"});
                body["publicParams"]["tenant"] = "t2".into();
                let response = function.post(TOKEN, body.to_string()).await;
                assert_eq!(response.failures(), ["NOT_MATCHED"; 5], "{params}");
                assert_eq!(response.data()["matches"], json!([]));
                assert_eq!(
                    response.body.matches("secret-id").count(),
                    1,
                    "as it was sent, and not as it was found"
                );
                assert!(stage.memberships().await.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn names_like_foreign_keys_stay_in_their_tenant() {
    let stage = Stage::new().await;
    let tenants = ["a", "a-", "b", "a_b", "A"];
    for tenant in tenants {
        stage.put_tenant(&format!("token of {tenant}"), json!({"tenantId": tenant})).await;
    }
    // After a tenant's ID and `#`, these would look like another tenant's if the first `#` did not end the ID.
    let ids = ["b#c", "#b#c", "b", "#", "##", "a#b", "-#b", "b#", "t2#c1", "_b#c", "a"];
    let function = stage.function().await;
    let mut expected = BTreeSet::new();
    for tenant in tenants {
        let data: Value = ids
            .iter()
            .map(|id| json!({"audienceUserId": id, "groups": format!("{tenant}#{id},{id}#g")}))
            .collect();
        let token = format!("token of {tenant}");
        assert_eq!(function.import_as(&token, off("add"), data).await.data()["status"], 1);
        for id in ids {
            let key = format!("{tenant}#{id}");
            expected.extend([(key.clone(), key.clone()), (key, format!("{id}#g"))]);
        }
        assert_eq!(stage.memberships().await, expected, "{tenant}");
    }
    assert_eq!(expected.len(), tenants.len() * ids.len() * 2, "no two of them are one");
    for item in stage.membership_items().await {
        let key = item["customerKey"].as_str().expect("a string");
        let (tenant, customer) = key.split_once('#').expect("a tenant's ID has no #");
        assert_eq!((&item["tenantId"], &item["audienceUserId"]), (&json!(tenant), &json!(customer)));
    }
    // One tenant's delete does not affect the others.
    let data: Value = ids
        .iter()
        .map(|id| json!({"audienceUserId": id, "groups": format!("a#{id},b#{id},A#{id},a-#{id},a_b#{id},{id}#g")}))
        .collect();
    function.import_as("token of a", off("delete"), data).await.data();
    expected.retain(|(key, _)| !key.starts_with("a#"));
    assert_eq!(stage.memberships().await, expected);
}

/// Texts that look like `a1` or like nothing, but are different.
const LOOK_ALIKES: [&str; 15] = [
    "a1",
    "A1",
    "\u{430}1",   // Cyrillic а
    "a\u{301}1",  // a and a combining accent
    "\u{e1}1",    // the same, composed
    "a1\u{fe0f}", // variation selector
    "a\u{ad}1",   // soft hyphen
    "a\u{80}1",   // C1 control character
    "\u{1d41a}1", // mathematical bold a
    // The canonical form of a phone has none of the others.
    "\u{ff41}\u{ff11}", // full-width
    "a\u{200b}1",       // zero-width space
    "a\u{200d}1",       // zero-width joiner
    "a\u{200f}1",       // right-to-left mark
    "a\u{202e}1",       // right-to-left override
    "a\u{feff}1",       // byte order mark
];
const OF_PHONES: usize = 9;

#[tokio::test]
async fn similar_texts_are_compared_byte_for_byte() {
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let stage = stage().await;
        let customers = LOOK_ALIKES.iter().enumerate().map(|(n, text)| {
            json!({"audienceUserId": format!("c{n}"), "unionid": text, "openid": text, "phone": text})
        });
        stage.put_customers(customers).await;
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for (field, params, texts) in [
            ("unionid", fuzzy(1, "add"), &LOOK_ALIKES[..]),
            ("openid", exact("add"), &LOOK_ALIKES),
            ("phone", fuzzy(2, "add"), &LOOK_ALIKES[..OF_PHONES]),
        ] {
            let data: Value = texts.iter().map(|text| json!({field: text, "groups": text})).collect();
            assert_eq!(function.import(params.clone(), data.clone()).await.failures(), [""; 0], "{field}");
            let own = texts.iter().enumerate().map(|(n, text)| (format!("t1#c{n}"), *text));
            assert_eq!(stage.memberships().await, pairs(own), "{field}");
            // A membership of one name is not a membership of a similar name.
            let one = json!([{field: "a1", "groups": texts[1..].join(",")}]);
            function.import(fuzzy(1, "delete"), one).await.data();
            assert_eq!(stage.memberships().await.len(), texts.len(), "{field}");
            let mut delete = params;
            delete["optType"] = "delete".into();
            function.import(delete, data).await.data();
            assert!(stage.memberships().await.is_empty(), "{field}");
        }
        let data: Value =
            LOOK_ALIKES.iter().map(|text| json!({"audienceUserId": text, "groups": "g"})).collect();
        assert_eq!(function.import(off("add"), data.clone()).await.data()["status"], 1);
        assert_eq!(stage.memberships().await, pairs(LOOK_ALIKES.map(|text| (format!("t1#{text}"), "g"))));
        // The other tenant has no customer with any of these.
        let failed = function.import_as(SECOND, exact("add"), data).await;
        assert_eq!(failed.failures(), ["NOT_MATCHED"; LOOK_ALIKES.len()]);
    }
}

#[tokio::test]
async fn tokens_are_compared_exactly() {
    let stage = stage().await;
    let function = stage.function().await;
    for token in LOOK_ALIKES.iter().filter(|token| **token != "a1") {
        stage.put_tenant("a1", json!({"tenantId": "t2"})).await;
        let response = function.import_as(token, off("add"), numbered(1)).await;
        assert_eq!((response.status, response.code()), (401, "TOKEN_ERROR"), "{token:?}");
    }
    assert!(stage.memberships().await.is_empty());
    function.import_as("a1", off("add"), numbered(1)).await.data();
    assert_eq!(stage.memberships().await, pairs([("t2#c0", "g")]));
}

fn with_key(token: &str, body: &Value) -> Value {
    let mut event = post_event(token, body.to_string());
    event["headers"]["idempotency-key"] = "k1".into();
    event
}

#[tokio::test]
async fn the_same_key_in_two_tenants_is_independent() {
    let stage = stage().await;
    stage.put_customers(customers("t1", "only-t1")).await;
    stage.put_customers(customers("t2", "only-t2")).await;
    let function = stage.function().await;
    let [_, exact, ..] = modes("add");
    let body = json!({"publicParams": exact, "data": records()});
    let mut bodies = Vec::new();
    for token in [TOKEN, SECOND] {
        let first = function.invoke(with_key(token, &body)).await;
        assert_eq!(first.headers.get("Idempotent-Replayed"), None);
        bodies.push(first.body);
    }
    assert_ne!(bodies[0], bodies[1], "each names its own customers");
    for (token, expected) in [TOKEN, SECOND].into_iter().zip(&bodies) {
        let replay = function.invoke(with_key(token, &body)).await;
        assert_eq!((&replay.headers["Idempotent-Replayed"], &replay.body), (&json!("true"), expected));
    }
    // A key that contains another tenant's prefix still belongs to its own tenant.
    let mut event = with_key(TOKEN, &body);
    event["headers"]["idempotency-key"] = "t2#k1".into();
    let response = function.invoke(event).await;
    assert_eq!((response.headers.get("Idempotent-Replayed"), &response.body), (None, &bodies[0]));
}

#[tokio::test]
async fn a_replay_needs_a_valid_token() {
    let stage = stage().await;
    let function = stage.function().await;
    let body = json!({"publicParams": off("add"), "data": numbered(1)});
    function.invoke(with_key(SECOND, &body)).await.data();
    for (item, code) in [
        (json!({"tenantId": "t2", "enabled": false}), "FORBIDDEN"),
        (json!({"tenantId": "t2", "permissions": ["audience:read"]}), "FORBIDDEN"),
        (json!({"tenantId": "t2", "expiresAt": 1}), "TOKEN_ERROR"),
    ] {
        stage.put_tenant(SECOND, item).await;
        let rejected = function.invoke(with_key(SECOND, &body)).await;
        assert_eq!((rejected.code(), &rejected.envelope["data"]), (code, &Value::Null));
    }
}
