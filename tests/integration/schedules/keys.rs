//! Checks of an `Idempotency-Key` whose first request met faults (contract, section 8).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Run;
use testing::function::{Response, post_event};

/// The key of every trial that has one.
pub const KEY: &str = "key-of-the-trial";

impl Run {
    /// Sends the import again with its key: at once and, if another run holds the key, again after the end of
    /// its lease.
    pub async fn retry_with_key(&mut self, first: &Response) {
        let item = self.item().await;
        let ended = item.as_ref().is_some_and(|item| item.get("failures").is_some());
        if ended {
            assert_eq!(first.status, 200, "an outcome was stored but not returned");
        }
        let lease = item.as_ref().map(lease);
        let before = self.stage.memberships().await;
        let sent_at = SystemTime::now();
        let again = self.post().await;
        if again.status == 201 {
            assert!(!ended, "the outcome is stored");
            assert!(lease.is_some_and(|end| sent_at < end), "the lease is over");
            self.happened("key: in progress");
            self.assert_memberships(&before).await;
            self.stage.end_lease(&self.import_key()).await;
            let last = self.post().await;
            return self.judge_outcome(first, &last).await;
        }
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.assert_memberships(&before).await;
        } else {
            assert!(!ended, "the outcome is stored");
            assert!(lease.is_none_or(|end| end <= SystemTime::now()), "another run holds the key");
        }
        self.judge_outcome(first, &again).await;
    }

    /// Checks that the response is an exact replay of the first outcome without writes, or a completed import,
    /// and that the key is then bound to that body.
    async fn judge_outcome(&mut self, first: &Response, again: &Response) {
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.happened("key: replayed");
            assert_eq!((again.status, &again.body), (200, &first.body));
        } else {
            self.happened("key: ran again");
            self.case(&self.body().to_string()).imported(&again.reply()).unwrap();
            self.assert_memberships(&self.goal).await;
            let replay = self.post().await;
            assert_eq!((&replay.headers["Idempotent-Replayed"], &replay.body), (&"true".into(), &again.body));
        }
        let before = self.stage.memberships().await;
        let mut other = self.body();
        other["data"] = json!([{"audienceUserId": "other", "groups": "other"}]);
        let mut event = post_event(&self.token(), other.to_string());
        event["headers"]["idempotency-key"] = KEY.into();
        let reused = self.function.invoke(event).await;
        assert_eq!((reused.status, reused.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
        self.assert_memberships(&before).await;
    }

    fn import_key(&self) -> String {
        format!("{}#{KEY}", self.trial.import.tenant)
    }

    async fn item(&self) -> Option<Value> {
        let (items, key) = (self.stage.items(&self.stage.names.imports).await, self.import_key());
        items.into_iter().find(|item| item["importKey"] == *key)
    }
}

/// The end of the lease of the run that holds a key.
fn lease(item: &Value) -> SystemTime {
    let millis = item["leaseUntil"].as_str().expect("a number").parse().expect("milliseconds");
    UNIX_EPOCH + Duration::from_millis(millis)
}
