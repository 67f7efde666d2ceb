//! Which customer of its own tenant a record matches, in every mode (contract, sections 2 and 5). The model, which draws
//! many more of such records, is another reading of the contract.

use std::collections::BTreeMap;

use group_import::config::IdentityLookup;
use serde_json::{Value, json};
use testing::shorthand::{exact, failures_by, fuzzy};
use testing::stage::{Stage, TOKEN};

/// Customers of `t1`, and some of `t2` with the same values.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage
        .put_customers([
            json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "1"}),
            json!({"audienceUserId": "c2", "unionid": "u2", "openid": "o2", "phone": "2"}),
            json!({"audienceUserId": "c3"}),
            json!({"audienceUserId": "c4", "unionid": "U1"}),
            // Two that share a unionid and an openid, and a third with the openid.
            json!({"audienceUserId": "d1", "unionid": "ud", "openid": "od", "phone": "3"}),
            json!({"audienceUserId": "d2", "unionid": "ud", "openid": "od", "phone": "4"}),
            json!({"audienceUserId": "d3", "unionid": "u3", "openid": "od", "phone": "5"}),
            // Values that equal an identifier of another type of another customer.
            json!({"audienceUserId": "u1", "unionid": "o1", "openid": "c1"}),
            json!({"audienceUserId": "c1", "tenantId": "t2", "unionid": "u1", "openid": "o1", "phone": "1"}),
            json!({"audienceUserId": "x1", "tenantId": "t2", "unionid": "ux", "openid": "o1", "phone": "2"}),
            json!({"audienceUserId": "x2", "tenantId": "t2", "openid": "ox", "phone": "9"}),
        ])
        .await;
    stage
}

#[tokio::test]
async fn a_record_matches_the_customer_of_the_contract() {
    const NOBODY: &str = "NOT_MATCHED";
    const SEVERAL: &str = "AMBIGUOUS";
    // A record, and its customer or its code by exact matching, and by fuzzy matching in both orders.
    let cases = [
        (json!({"unionid": "u1"}), ["c1", "c1", "c1"]),
        (json!({"unionid": "U1"}), ["c4", "c4", "c4"]),
        (json!({"phone": "+86 1"}), ["c1", "c1", "c1"]),
        (json!({"audienceUserId": "c3"}), ["c3", "c3", "c3"]),
        (json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1", "phone": "1"}), ["c1", "c1", "c1"]),
        // Some identifier matches nobody.
        (json!({"unionid": "no"}), [NOBODY, NOBODY, NOBODY]),
        (
            json!({"unionid": "no", "openid": "no", "phone": "0", "audienceUserId": "no"}),
            [NOBODY, NOBODY, NOBODY],
        ),
        (json!({"unionid": "u1", "openid": "no"}), [NOBODY, "c1", "c1"]),
        (json!({"unionid": "ud", "audienceUserId": "no"}), [NOBODY, SEVERAL, SEVERAL]),
        (
            json!({"unionid": "no", "openid": "o2", "phone": "1", "audienceUserId": "c3"}),
            [NOBODY, "c2", "c1"],
        ),
        (
            json!({"unionid": "no", "openid": "no", "phone": "1", "audienceUserId": "c2"}),
            [NOBODY, "c1", "c1"],
        ),
        (
            json!({"unionid": "no", "openid": "o2", "phone": "0", "audienceUserId": "c1"}),
            [NOBODY, "c2", "c2"],
        ),
        (
            json!({"unionid": "no", "openid": "no", "phone": "0", "audienceUserId": "c3"}),
            [NOBODY, "c3", "c3"],
        ),
        (json!({"unionid": "no", "openid": "od", "phone": "3"}), [NOBODY, SEVERAL, "d1"]),
        // Each matches somebody, all together nobody.
        (json!({"unionid": "u1", "openid": "o2"}), ["CONFLICT", "c1", "c1"]),
        (json!({"audienceUserId": "c3", "phone": "1"}), ["CONFLICT", "c1", "c1"]),
        (
            json!({"unionid": "u1", "openid": "o2", "phone": "2", "audienceUserId": "c2"}),
            ["CONFLICT", "c1", "c2"],
        ),
        (json!({"unionid": "ud", "openid": "od", "phone": "5"}), ["CONFLICT", SEVERAL, "d3"]),
        // Several customers, unless another identifier narrows them down, or decides before.
        (json!({"openid": "od"}), [SEVERAL, SEVERAL, SEVERAL]),
        (json!({"unionid": "ud", "openid": "od"}), [SEVERAL, SEVERAL, SEVERAL]),
        (json!({"unionid": "ud", "phone": "3"}), ["d1", SEVERAL, "d1"]),
        (json!({"unionid": "ud", "openid": "od", "audienceUserId": "d2"}), ["d2", SEVERAL, SEVERAL]),
        (json!({"unionid": "u3", "openid": "od"}), ["d3", "d3", "d3"]),
        // A value counts in its own field only, and in its own tenant only.
        (json!({"unionid": "o1"}), ["u1", "u1", "u1"]),
        (json!({"unionid": "c1"}), [NOBODY, NOBODY, NOBODY]),
        (json!({"audienceUserId": "u1", "openid": "c1"}), ["u1", "u1", "u1"]),
        (json!({"openid": "o1"}), ["c1", "c1", "c1"]),
        (json!({"unionid": "ux"}), [NOBODY, NOBODY, NOBODY]),
        (json!({"openid": "ox"}), [NOBODY, NOBODY, NOBODY]),
        (json!({"phone": "9"}), [NOBODY, NOBODY, NOBODY]),
        (json!({"audienceUserId": "x2", "openid": "ox"}), [NOBODY, NOBODY, NOBODY]),
    ];
    for (mode, mut params) in [exact("add"), fuzzy(1, "add"), fuzzy(2, "add")].into_iter().enumerate() {
        params["tenantId"] = "t2".into();
        for identity_lookup in [IdentityLookup::Statement, IdentityLookup::Query] {
            let stage = stage().await;
            let function = stage.function_with(|config| config.identity_lookup = identity_lookup).await;
            let data = cases.iter().enumerate().map(|(n, (record, _))| {
                let mut record = record.clone();
                record["groups"] = n.to_string().into();
                record
            });
            let data: Value = data.collect();
            // A tenant that is named counts for nothing.
            let body = json!({"publicParams": params, "data": data, "tenantId": "t2"});
            let response = function.post(TOKEN, body.to_string()).await;
            let mut found = failures_by(&response, "groups");
            let of_customers = stage.memberships().await.into_iter();
            found.extend(of_customers.map(|(key, group)| (group, key.replace("t1#", ""))));
            let expected =
                cases.iter().enumerate().map(|(n, (_, by_mode))| (n.to_string(), by_mode[mode].to_owned()));
            assert_eq!(found, expected.collect::<BTreeMap<_, _>>(), "{params}");
        }
    }
}
