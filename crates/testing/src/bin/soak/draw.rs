//! Requests and faults, drawn from the seed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use testing::dynamodb::{Action, Rule, Share};
use testing::function::post_event;
use testing::model::draw::{self, Import};
use testing::model::world::World;
use testing::shorthand::{numbered, off};
use testing::stage::TOKEN;

/// Numbers of identifiers: few, so that the database in memory stays small and fast.
const POOL: u32 = 12;

pub const DISABLED: &str = "token-of-a-disabled-tenant";

/// A request that must be rejected.
pub struct Rejected {
    pub event: Value,
    pub status: u64,
    pub code: &'static str,
}

#[derive(Clone)]
pub struct Draw {
    pub rng: Rng,
    runner: TestRunner,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let bytes: [u8; 32] = std::array::from_fn(|_| rng.u8(..));
        let runner_rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self { rng, runner: TestRunner::new_with_rng(Config::default(), runner_rng) }
    }

    /// Customers of both tenants, without memberships.
    pub fn world(&mut self) -> World {
        World { memberships: Default::default(), ..self.value(&draw::world(POOL, 60)) }
    }

    /// An import of one to some thousand records, in any mode, some as dry runs, some with `explain`.
    pub fn import(&mut self) -> Import {
        let mut import = self.value(&draw::import(POOL, 1..60));
        match self.rng.u8(0..20) {
            0..=4 => import.records.truncate(1),
            5..=14 => {}
            15..=18 => self.grow(&mut import.records, 60..600),
            _ => self.grow(&mut import.records, 600..5_000),
        }
        if self.rng.u8(0..10) == 0 {
            import.params["dryRun"] = true.into();
        }
        if self.rng.u8(0..5) == 0 {
            import.params["explain"] = true.into();
        }
        import
    }

    /// Adds repeated records, unknown customers, and customers in a group of their own.
    fn grow(&mut self, records: &mut Vec<Value>, sizes: std::ops::Range<usize>) {
        let (drawn, size) = (records.len(), self.rng.usize(sizes));
        while records.len() < size {
            let number = self.rng.u32(..);
            records.push(match self.rng.u8(0..3) {
                0 => records[self.rng.usize(..drawn)].clone(),
                1 => json!({"unionid": format!("x{number}"), "phone": format!("+86 {number}"), "groups": "vip"}),
                _ => json!({"audienceUserId": format!("w{}", number % 300), "groups": "bulk"}),
            });
        }
    }

    /// An invalid request.
    pub fn rejected(&mut self) -> Rejected {
        let sound = json!({"publicParams": off("add"), "data": numbered(1)}).to_string();
        let mut event = post_event(TOKEN, sound.clone());
        let (status, code) = match self.rng.u8(0..17) {
            0 => {
                event["rawPath"] = "/else".into();
                (404, "NOT_FOUND")
            }
            1 => {
                event["rawPath"] = "/api/integrate/audience/group/batchAdd".into();
                (404, "NOT_FOUND")
            }
            2 => {
                event = self.rng.choice([json!({}), json!([]), json!("x"), json!(null)]).expect("a choice");
                (400, "PARAM_ERROR")
            }
            3 => {
                event["requestContext"]["http"]["method"] = "PUT".into();
                (405, "METHOD_NOT_ALLOWED")
            }
            4 => {
                event["headers"]["x-token"] = format!("unknown-{}", self.rng.u32(..)).into();
                (401, "TOKEN_ERROR")
            }
            5 => {
                event["headers"] = json!({"content-type": "application/json"});
                (401, "TOKEN_ERROR")
            }
            6 => {
                event["headers"]["x-token"] = DISABLED.into();
                (403, "FORBIDDEN")
            }
            7 => {
                event["headers"]["content-type"] = "text/plain".into();
                (415, "UNSUPPORTED_MEDIA_TYPE")
            }
            8 => {
                event["body"] = (sound + &" ".repeat(2 * 1024 * 1024)).into();
                (413, "PAYLOAD_TOO_LARGE")
            }
            9 => {
                event["body"] =
                    json!({"publicParams": off("add"), "data": numbered(5_001)}).to_string().into();
                (413, "PAYLOAD_TOO_LARGE")
            }
            10 => {
                event["body"] = sound[..self.rng.usize(..sound.len())].into();
                (400, "PARAM_ERROR")
            }
            11 => {
                event["body"] = sound.replace("\"add\"", "\"put\"").into();
                (400, "PARAM_ERROR")
            }
            12 => {
                event["body"] = json!({"publicParams": off("add"), "data": []}).to_string().into();
                (400, "PARAM_ERROR")
            }
            13 => {
                event["body"] = json!({"publicParams": off("add"), "data": [{}, 7]}).to_string().into();
                (400, "PARAM_ERROR")
            }
            14 => {
                event["headers"]["idempotency-key"] = "not visible".into();
                (400, "PARAM_ERROR")
            }
            15 => {
                event["isBase64Encoded"] = true.into();
                (400, "PARAM_ERROR")
            }
            _ => {
                event["body"] = "[".repeat(100_000).into();
                (400, "PARAM_ERROR")
            }
        };
        Rejected { event, status, code }
    }

    /// A fault of some calls, or of all.
    pub fn fault(&mut self) -> Rule {
        let error = |status, code| Action::Error { status, code, message: "a fault" };
        let action = match self.rng.u8(0..12) {
            0 => error(500, "InternalServerError"),
            1 => error(400, "ProvisionedThroughputExceededException"),
            2 => error(400, "ThrottlingException"),
            3 => error(400, "ValidationException"),
            4 => error(400, "AccessDeniedException"),
            5 => Action::Delay(Duration::from_millis(self.rng.u64(1..300))),
            6 => Action::Hang,
            7 => Action::Reset,
            8 => Action::Truncate,
            9 => Action::Garble,
            _ => Action::Unprocessed { processed: Share::Fraction(self.rng.usize(0..3), 3) },
        };
        let operations =
            ["ExecuteStatement", "BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem"];
        let rule = match self.rng.choice(operations) {
            Some(operation) if self.rng.bool() => Rule::on(operation, action),
            _ => Rule::on_any(action),
        };
        match self.rng.u8(0..3) {
            0 => rule,
            1 => rule.after(self.rng.usize(0..4)).times(self.rng.usize(1..8)),
            _ => {
                let (every, calls) = (self.rng.usize(2..6), AtomicUsize::new(0));
                rule.when(move |_| calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(every))
            }
        }
    }

    fn value<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.runner).expect("nothing is filtered out for good").current()
    }
}
