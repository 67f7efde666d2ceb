//! The data of a tenant never appears in the response to another, and is never written by another (contract, sections
//! 2, 5, 8, 10). That tenants with equal customers change their own alone is seen by every trial: its worlds have two.

use std::collections::BTreeSet;

use group_import::config::IdentityLookup;
use serde_json::{Value, json};

use testing::shorthand::{exact, fuzzy, off, pairs};
use testing::stage::{Stage, TOKEN};

#[tokio::test]
async fn customers_match_no_record_of_another_tenant() {
    let stage = Stage::new().await;
    let identifiers =
        json!({"unionid": "u", "openid": "o", "phone": "13800000001", "audienceUserId": "secret-id"});
    let mut customer = identifiers.clone();
    customer["tenantId"] = "t2".into();
    stage.put_customers([customer.clone()]).await;
    let each = identifiers.as_object().expect("an object").iter();
    let data: Vec<_> = each.map(|(field, value)| json!({field: value, "groups": "g"})).collect();
    customer["groups"] = "g".into();
    customer["audienceUserId"].take();
    let data = [data, vec![customer]].concat();
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for mut params in [exact("add"), fuzzy(1, "delete"), fuzzy(2, "add")] {
            params["tenantId"] = "t2".into();
            params["explain"] = true.into();
            let body = json!({"publicParams": params, "data": data, "tenantId": "t2"});
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

#[tokio::test]
async fn names_like_foreign_keys_stay_in_their_tenant() {
    let stage = Stage::new().await;
    let tenants = ["a", "a-", "b", "a_b", "A"];
    let token = |tenant| format!("token of {tenant}");
    // After a tenant's ID and `#`, these would look like another tenant's if the first `#` did not end the ID.
    let ids = ["b#c", "#b#c", "b", "#", "##", "a#b", "-#b", "b#", "t2#c1", "_b#c", "a"];
    let function = stage.function().await;
    let mut expected = BTreeSet::new();
    for tenant in tenants {
        stage.put_tenant(&token(tenant), json!({"tenantId": tenant})).await;
        let record = |id| json!({"audienceUserId": id, "groups": format!("{tenant}#{id},{id}#g")});
        let data = ids.iter().map(record).collect();
        assert_eq!(function.import_as(&token(tenant), off("add"), data).await.failures(), [""; 0]);
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
    let all = |id| tenants.map(|tenant| format!("{tenant}#{id}")).join(",");
    let record = |id| json!({"audienceUserId": id, "groups": format!("{},{id}#g", all(id))});
    function.import_as(&token("a"), off("delete"), ids.iter().map(record).collect()).await.data();
    expected.retain(|(key, _)| !key.starts_with("a#"));
    assert_eq!(stage.memberships().await, expected);
}

/// Texts that look like `a1` or like nothing, but are different; and delimiters of keys and statements.
const TEXTS: [&str; 26] = [
    "a1",
    "A1",
    "\u{430}1",   // Cyrillic а
    "a\u{301}1",  // a and a combining accent
    "\u{e1}1",    // the same, composed
    "a1\u{fe0f}", // variation selector
    "a\u{ad}1",   // soft hyphen
    "a\u{80}1",   // C1 control character
    "\u{1d41a}1", // mathematical bold a
    "\u{e000}",   // private use
    "t2#c1",
    "#",
    "?",
    // The canonical form of a phone has none of the others.
    "' OR 1=1 --",
    "\"]",
    "%00",
    "../..",
    "${x}",
    "{{x}}",
    "\"]) OR (\"a\" = \"a",
    "\u{ff41}\u{ff11}", // full-width
    "a\u{200b}1",       // zero-width space
    "a\u{200d}1",       // zero-width joiner
    "a\u{200f}1",       // right-to-left mark
    "a\u{202e}1",       // right-to-left override
    "a\u{feff}1",       // byte order mark
];
const OF_PHONES: usize = 13;

#[tokio::test]
async fn texts_are_compared_byte_for_byte() {
    let stage = Stage::new().await;
    let customers = TEXTS.iter().enumerate();
    let customers = customers.map(|(n, text)| {
        json!({"audienceUserId": format!("c{n}"), "unionid": text, "openid": text, "phone": text})
    });
    stage.put_customers(customers).await;
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for (field, params, texts) in [
            ("unionid", fuzzy(1, "add"), &TEXTS[..]),
            ("openid", exact("add"), &TEXTS),
            ("phone", fuzzy(2, "add"), &TEXTS[..OF_PHONES]),
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
    }
    let function = stage.function().await;
    let data = TEXTS.iter().map(|text| json!({"audienceUserId": text, "groups": "g"})).collect();
    assert_eq!(function.import(off("add"), data).await.failures(), [""; 0]);
    assert_eq!(stage.memberships().await, pairs(TEXTS.map(|text| (format!("t1#{text}"), "g"))));
}
