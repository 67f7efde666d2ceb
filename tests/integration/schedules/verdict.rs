//! What must hold of the answer to an import that met faults, and of the memberships it left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use group_import::config::SkipUnchanged;
use serde_json::{Value, json};

use super::Run;
use reference::world::CODES;
use testing::function::{REQUEST_ID, Response};
use testing::shorthand::result_of;
use testing::stage::BEFORE;

pub use reference::world::result;

/// What a record itself is to blame for: no fault can change it.
const OF_THE_RECORD: [&str; 3] = ["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS"];

impl Run {
    pub async fn judge(&mut self, response: &Response, took: Duration) {
        self.happened(format!("answer: {}", response.status));
        if response.status == 503 {
            assert_eq!(response.code(), "SERVICE_UNAVAILABLE");
            assert_eq!(response.headers["Retry-After"], "1");
            let faults = self.stage.proxy.faults();
            let of_the_way_in =
                |(operation, _): &(String, _)| operation == "GetItem" || operation == "PutItem";
            assert!(faults.iter().any(of_the_way_in), "the token and the key could be checked");
            return self.assert_memberships(&self.trial.world.memberships).await;
        }
        let codes = self.judge_answer(response, took);
        self.judge_memberships(&codes).await;
        for code in codes {
            self.happened(format!("record: {}", code.unwrap_or("success")));
        }
    }

    /// Every record is in the answer once, where it must be, and under a code that can be; the codes.
    fn judge_answer(&self, response: &Response, took: Duration) -> Vec<Option<&'static str>> {
        let records = &self.trial.import.records;
        let codes = codes(records, &response.data()["errorData"]);
        let mut endings = self.endings.clone();
        for (index, (ending, code)) in endings.iter_mut().zip(&codes).enumerate() {
            let of_the_record = ending.code.is_some_and(|code| OF_THE_RECORD.contains(&code));
            let may_be = match code {
                code if *code == ending.code => true,
                _ if of_the_record => false,
                Some("STORE_ERROR") => !self.stage.proxy.faults().is_empty(),
                // A pause of up to a second is not begun when the time for calls would end in it.
                Some("TIMEOUT") => {
                    took.as_secs_f64() > self.trial.seconds - self.trial.margin.as_secs_f64() - 1.1
                }
                _ => false,
            };
            assert!(
                may_be,
                "record {index}, {:?} without faults, ended as {code:?} after {took:?}",
                ending.code
            );
            ending.code = *code;
        }
        assert_eq!(result_of(response), result(records, &endings));
        self.judge_matches(&response.data()["matches"], &codes);
        codes
    }

    /// The matches explained are those of the model, and none of a success is left out.
    fn judge_matches(&self, matches: &Value, codes: &[Option<&str>]) {
        let params = &self.trial.import.params;
        if params["explain"] == false {
            return assert_eq!(*matches, Value::Null);
        }
        let mut told = BTreeMap::new();
        for entry in matches.as_array().expect("an explanation") {
            told.insert(entry["index"].as_u64().expect("an index") as usize, entry);
        }
        for (index, ending) in self.endings.iter().enumerate() {
            match told.remove(&index) {
                Some(entry) => assert_eq!(Some(entry), ending.explained(index, params).as_ref()),
                None => assert!(codes[index].is_some(), "record {index} is a success and not explained"),
            }
        }
        assert!(told.is_empty(), "no records: {told:?}");
    }

    /// What a success asked for is there and whole, and nothing is that nobody asked for.
    async fn judge_memberships(&self, codes: &[Option<&str>]) {
        let import = &self.trial.import;
        let adds = import.params["optType"] == "add";
        let mut found = BTreeMap::new();
        for item in self.stage.membership_items().await {
            let text = |name: &str| item[name].as_str().expect("a string").to_owned();
            found.insert((text("customerKey"), text("groupName")), item);
        }
        let keys: BTreeSet<_> = found.keys().cloned().collect();
        let before = &self.trial.world.memberships;
        let (least, most) = if adds { (before, &self.goal) } else { (&self.goal, before) };
        let lost: Vec<_> = least.difference(&keys).collect();
        let stray: Vec<_> = keys.difference(most).collect();
        assert!(lost.is_empty() && stray.is_empty(), "lost {lost:?}, stray {stray:?}");

        if import.params["dryRun"] == true {
            return assert_eq!(keys, *before);
        }
        for (ending, _) in self.endings.iter().zip(codes).filter(|(_, code)| code.is_none()) {
            let customer = ending.customer.as_ref().expect("a success has a customer");
            for group in &ending.groups {
                let membership = (format!("{}#{customer}", import.tenant), group.clone());
                let Some(item) = found.get(&membership) else {
                    assert!(!adds, "{membership:?} is a success and not there");
                    continue;
                };
                assert!(adds, "{membership:?} is a success and still there");
                let may_stay = self.trial.skip_unchanged != SkipUnchanged::Never;
                if may_stay && before.contains(&membership) && item["importId"] == BEFORE {
                    continue;
                }
                assert_eq!(
                    *item,
                    json!({
                        "customerKey": membership.0, "groupName": group, "tenantId": import.tenant,
                        "audienceUserId": customer, "importId": REQUEST_ID, "updatedAt": item["updatedAt"],
                    })
                );
                assert_ne!(item["updatedAt"], Value::Null);
            }
        }
    }
}

/// How each record ended, by the failed ones: they come in the order sent, and two records that are
/// alike end alike.
fn codes(records: &[Value], failed: &Value) -> Vec<Option<&'static str>> {
    let mut failed = failed.as_array().into_iter().flatten().peekable();
    let fields = ["audienceUserId", "openid", "unionid", "phone", "groups"];
    let is_echo =
        |failed: &Value, record: &Value| fields.iter().all(|field| failed.get(field) == record.get(field));
    let codes = records.iter().map(|record| {
        let failed = failed.next_if(|failed| is_echo(failed, record))?;
        Some(*CODES.iter().find(|code| failed["errorCode"] == **code).expect("a code of the contract"))
    });
    let codes = codes.collect();
    assert_eq!(failed.next(), None, "each failed record is one that was sent, in the order sent");
    codes
}
