//! The data of a tenant is never written by another (contract, sections 2, 8, 10). That it matches no record of another is
//! a matter of the matching; that tenants with equal customers change their own alone is seen by every trial: its worlds
//! have two.

use std::collections::BTreeSet;

use group_import::config::SkipUnchanged;
use serde_json::{Value, json};

use testing::shorthand::off;
use testing::stage::Stage;

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
