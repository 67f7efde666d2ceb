//! The data of a tenant never appears in the response to another, and is never written by another (contract, sections
//! 2, 5, 8, 10). That tenants with equal customers change their own alone is seen by every trial: its worlds have two.

use std::collections::BTreeSet;

use group_import::config::IdentityLookup;
use serde_json::json;

use testing::shorthand::{exact, fuzzy, off};
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
