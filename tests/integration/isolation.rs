//! The data of a tenant never appears in the response to another, and is never written by another (contract, sections
//! 2, 5, 8, 10). That tenants with equal customers change their own alone is seen by every trial: its worlds have two.

use std::collections::BTreeSet;

use group_import::config::{IdentityLookup, SkipUnchanged};
use serde_json::{Value, json};

use testing::shorthand::{exact, fuzzy, off};
use testing::stage::{Stage, TOKEN};

#[tokio::test]
async fn customers_match_no_record_of_another_tenant() {
    let stage = Stage::new().await;
    let data = json!([
        {"unionid": "u", "groups": "g"},
        {"openid": "o", "groups": "g"},
        {"phone": "1", "groups": "g"},
        {"audienceUserId": "secret-id", "groups": "g"},
        {"unionid": "u", "openid": "o", "phone": "1", "groups": "g"},
    ]);
    let mut customer = data[4].clone();
    customer["audienceUserId"] = "secret-id".into();
    customer["tenantId"] = "t2".into();
    stage.put_customers([customer]).await;
    for lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
        let function = stage.function_with(|config| config.identity_lookup = lookup).await;
        for mut params in [exact("add"), fuzzy(1, "delete"), fuzzy(2, "add")] {
            params["tenantId"] = "t2".into();
            params["explain"] = true.into();
            let body = json!({"publicParams": params, "data": data, "tenantId": "t2"});
            let response = function.post(TOKEN, body.to_string()).await;
            assert_eq!(response.failures(), ["NOT_MATCHED"; 5], "{params}");
            assert_eq!(response.data()["matches"], json!([]));
            let shown = response.body.matches("secret-id").count();
            assert_eq!(shown, 1, "as it was sent, and not as it was found");
            assert!(stage.memberships().await.is_empty());
        }
    }
}

#[tokio::test]
async fn names_that_resemble_keys_stay_distinct_and_in_their_tenant() {
    let stage = Stage::new().await;
    let tenants = ["a", "a-", "b", "a_b", "A"];
    let token = |tenant| format!("token of {tenant}");
    // After a tenant's ID and `#`, these would look like another tenant's if the first `#` did not end the ID.
    let ids = ["b#c", "#b#c", "b", "#", "##", "a#b", "-#b", "b#", "t2#c1", "_b#c", "a", "A", "ａ"];
    let function = stage.function_with(|config| config.skip_unchanged = SkipUnchanged::Always).await;
    let mut expected = BTreeSet::new();
    for tenant in tenants {
        stage.put_tenant(&token(tenant), json!({"tenantId": tenant})).await;
        let record = |id| json!({"audienceUserId": id, "groups": format!("{tenant}#{id},{id}#g")});
        let mut data: Vec<_> = ids.iter().map(record).collect();
        let import = async |data: &[Value]| {
            let response = function.import_as(&token(tenant), off("add"), data.into()).await;
            assert_eq!(response.failures(), [""; 0]);
        };
        import(&data).await;
        // With the `#` between customer and group elsewhere, beside those that are there.
        data.extend(ids.iter().map(|id| json!({"audienceUserId": format!("{id}#{id}"), "groups": "g"})));
        import(&data).await;
        for id in ids {
            let key = format!("{tenant}#{id}");
            let resembling = (format!("{key}#{id}"), "g".to_owned());
            expected.extend([(key.clone(), key.clone()), (key, format!("{id}#g")), resembling]);
        }
        assert_eq!(stage.memberships().await, expected, "{tenant}");
    }
    assert_eq!(expected.len(), tenants.len() * ids.len() * 3, "no two of them are one");
    for item in stage.membership_items().await {
        let key = item["customerKey"].as_str().expect("a string");
        let (tenant, customer) = key.split_once('#').expect("a tenant's ID has no #");
        assert_eq!((&item["tenantId"], &item["audienceUserId"]), (&json!(tenant), &json!(customer)));
    }
    // A delete affects neither other tenants nor what resembles it.
    let all = |id| tenants.map(|tenant| format!("{tenant}#{id}")).join(",");
    let record = |id| json!({"audienceUserId": id, "groups": format!("{},{id}#g", all(id))});
    function.import_as(&token("a"), off("delete"), ids.iter().map(record).collect()).await.data();
    expected.retain(|(key, group)| !key.starts_with("a#") || group == "g");
    assert_eq!(stage.memberships().await, expected);
}
