//! What must hold of an `Idempotency-Key` whose first request met faults (contract, section 8).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::draw::Trial;
use super::run::{Memberships, Target, Trials};
use crate::function::Response;

impl<T: Target> Trials<T> {
    /// Sends the import again with its key: at once and, if another run holds the key, again after the end of
    /// its lease.
    pub(super) async fn retry_with_key(&mut self, trial: &Trial, first: &Response, goal: &Memberships) {
        let item = self.item(trial).await;
        let ended = item.as_ref().is_some_and(|item| item.get("failures").is_some());
        if ended {
            assert_eq!(first.status, 200, "an outcome was stored but not returned");
        }
        let lease = item.as_ref().map(lease);
        let before = self.stage.memberships().await;
        let sent_at = SystemTime::now();
        let again = self.post(trial).await;
        if again.status == 201 {
            assert!(!ended, "the outcome is stored");
            assert!(lease.is_some_and(|end| sent_at < end), "the lease is over");
            self.happened("key: in progress");
            self.assert_memberships(&before).await;
            self.stage.end_lease(&self.import_key(trial)).await;
            let last = self.post(trial).await;
            return self.judge_outcome(trial, first, &last, goal).await;
        }
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.assert_memberships(&before).await;
        } else {
            assert!(!ended, "the outcome is stored");
            assert!(lease.is_none_or(|end| end <= SystemTime::now()), "another run holds the key");
        }
        self.judge_outcome(trial, first, &again, goal).await;
    }

    /// Checks that the response is an exact replay of the first outcome without writes, or a completed import,
    /// and that the key is then bound to that body.
    async fn judge_outcome(&mut self, trial: &Trial, first: &Response, again: &Response, goal: &Memberships) {
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.happened("key: replayed");
            assert_eq!((again.status, &again.body), (200, &first.body));
        } else {
            self.happened("key: ran again");
            self.is_imported(trial, &trial.body().to_string(), again);
            self.assert_memberships(goal).await;
            let replay = self.post(trial).await;
            assert_eq!((&replay.headers["Idempotent-Replayed"], &replay.body), (&"true".into(), &again.body));
        }
        let before = self.stage.memberships().await;
        let mut other = self.event(trial);
        let data = json!([{"audienceUserId": "other", "groups": "other"}]);
        other["body"] = json!({"publicParams": trial.import.params, "data": data}).to_string().into();
        let reused = self.target.respond(other).await;
        assert_eq!((reused.status, reused.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
        self.assert_memberships(&before).await;
    }

    /// The key of the current trial.
    pub(super) fn key(&self) -> String {
        format!("key-of-trial-{}", self.number)
    }

    fn import_key(&self, trial: &Trial) -> String {
        format!("{}#{}", trial.import.tenant, self.key())
    }

    async fn item(&self, trial: &Trial) -> Option<Value> {
        let (items, key) = (self.stage.items(&self.stage.names.imports).await, self.import_key(trial));
        items.into_iter().find(|item| item["importKey"] == *key)
    }
}

/// The end of the lease of the run that holds a key.
fn lease(item: &Value) -> SystemTime {
    let millis = item["leaseUntil"].as_str().expect("a number").parse().expect("milliseconds");
    UNIX_EPOCH + Duration::from_millis(millis)
}
