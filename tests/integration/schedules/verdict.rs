//! The reference's verdict on an import that met faults, and two checks of this property alone: whether time
//! ran out, and the complete membership items.

use std::collections::BTreeMap;
use std::time::Duration;

use group_import::config::SkipUnchanged;
use serde_json::{Value, json};

use super::Run;
use testing::function::{REQUEST_ID, Response};
use testing::model::verdict::{Case, Faults, Verdict};
use testing::stage::BEFORE;

impl Run {
    pub async fn judge(&mut self, response: &Response, took: Duration) {
        self.happened(format!("response: {}", response.status));
        assert!(matches!(response.status, 200 | 503), "{}", response.status);
        let faults = self.stage.database.faults();
        let of_token_or_claim =
            |(operation, _): &(String, _)| operation == "GetItem" || operation == "PutItem";
        // Look-ups have 70 % of the time for calls. A pause of up to two seconds does not start if that would end during
        // it.
        let earliest = 0.7 * (self.trial.seconds - self.trial.margin.as_secs_f64()) - 2.1;
        let faults = Faults {
            store_error: !faults.is_empty(),
            timeout: took.as_secs_f64() > earliest,
            unavailable: faults.iter().any(of_token_or_claim),
            internal_error: false,
        };
        let body = self.body().to_string();
        let verdict = Case { faults, ..self.case(&body) }.judge(&response.reply()).unwrap();
        verdict.stored(&self.stage.memberships().await).unwrap();
        if self.trial.import.params["dryRun"] == false {
            self.judge_items(&verdict).await;
        }
        for code in verdict.codes {
            self.happened(format!("record: {}", code.unwrap_or("success")));
        }
    }

    /// The case of a body sent by the import's tenant to the world before the import.
    pub fn case<'a>(&'a self, body: &'a str) -> Case<'a> {
        Case::new(&self.trial.world, self.trial.import.tenant, body.as_bytes())
    }

    /// Checks the complete item of every membership added: it is this request's, unless skipping allows the
    /// existing one.
    async fn judge_items(&self, verdict: &Verdict) {
        let import = &self.trial.import;
        let mut found = BTreeMap::new();
        for item in self.stage.membership_items().await {
            let text = |name: &str| item[name].as_str().expect("a string").to_owned();
            found.insert((text("customerKey"), text("groupName")), item);
        }
        let may_stay = self.trial.skip_unchanged != SkipUnchanged::Never;
        for (_, ending) in verdict.successes() {
            for membership in ending.memberships(import.tenant) {
                // After a delete there is none.
                let Some(item) = found.get(&membership) else { continue };
                let before = self.trial.world.memberships.contains(&membership);
                if may_stay && before && item["importId"] == BEFORE {
                    continue;
                }
                assert_eq!(
                    *item,
                    json!({
                        "customerKey": membership.0, "groupName": membership.1, "tenantId": import.tenant,
                        "audienceUserId": ending.customer, "importId": REQUEST_ID, "updatedAt": item["updatedAt"],
                    })
                );
                assert_ne!(item["updatedAt"], Value::Null);
            }
        }
    }
}
