//! What must hold of an `Idempotency-Key` whose first request met faults (contract, section 8).

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::Run;
use testing::function::{Response, post_event};

/// The key of every trial that has one.
pub const KEY: &str = "key-of-the-trial";

impl Run {
    /// Sends the import again with its key, at once and, where another run holds the key, when the time
    /// of that one is over.
    pub async fn ask_again(&mut self, first: &Response) {
        let item = self.item().await;
        let ended = item.as_ref().is_some_and(|item| item.contains_key("failures"));
        if ended {
            assert_eq!(first.status, 200, "an outcome that nobody was told");
        }
        let lease = item.as_ref().map(lease);
        let before = self.stage.memberships().await;
        let asked = SystemTime::now();
        let again = self.post().await;
        if again.status == 201 {
            assert!(!ended, "the outcome is there");
            assert!(lease.is_some_and(|end| asked < end), "nobody holds the key any more");
            self.happened("key: in progress");
            self.assert_memberships(&before).await;
            self.stage.end_lease(&self.import_key()).await;
            let last = self.post().await;
            return self.judge_ended(first, &last).await;
        }
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.assert_memberships(&before).await;
        } else {
            assert!(!ended, "the outcome is there");
            assert!(lease.is_none_or(|end| end <= SystemTime::now()), "another run holds the key");
        }
        self.judge_ended(first, &again).await;
    }

    /// The outcome of the first run, to the letter and without a write, or the import run to its end;
    /// from then on the key belongs to that body.
    async fn judge_ended(&mut self, first: &Response, again: &Response) {
        if again.headers.get("Idempotent-Replayed").is_some() {
            self.happened("key: replayed");
            assert_eq!((again.status, &again.body), (200, &first.body));
        } else {
            self.happened("key: ran anew");
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

    async fn item(&self) -> Option<HashMap<String, AttributeValue>> {
        let key = AttributeValue::S(self.import_key());
        let get = self.stage.client.get_item().table_name(&self.stage.names.imports).key("importKey", key);
        get.send().await.expect("the table is read").item
    }
}

/// When the time of the run that holds a key is over.
fn lease(item: &HashMap<String, AttributeValue>) -> SystemTime {
    let millis = item["leaseUntil"].as_n().expect("a number").parse().expect("milliseconds");
    UNIX_EPOCH + Duration::from_millis(millis)
}
