//! The kinds of requests, each with its expected result.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Soak, TOKENS};
use testing::function::{Response, direct_event, post_event};
use testing::model::draw::{Import, TENANTS};
use testing::model::reply;
use testing::model::verdict::{Case, Faults};
use testing::runtime_api::Outcome;
use testing::stage::Stage;

/// The maximum bytes of a body, the function's default.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

impl Soak {
    async fn invoke(&mut self, event: Value) -> Response {
        self.requests += 1;
        let is_direct = is_direct(&event);
        response(self.process.invoke(event).await, is_direct)
    }

    /// The event of an import: an API event, or a direct one.
    fn event(&mut self, import: &Import) -> Value {
        if self.draw.rng.u8(0..4) != 0 {
            return self.api_event(import);
        }
        self.records += import.records.len();
        self.direct += 1;
        direct_event(token(import), import.params.clone(), json!(import.records))
    }

    fn api_event(&mut self, import: &Import) -> Value {
        self.records += import.records.len();
        post_event(token(import), json!({"publicParams": import.params, "data": import.records}).to_string())
    }

    /// An import without faults.
    pub async fn import(&mut self, import: &Import) {
        let event = self.event(import);
        self.import_by(event, import).await;
    }

    /// Likewise, always through the API.
    pub async fn import_by_api(&mut self, import: &Import) {
        let event = self.api_event(import);
        self.import_by(event, import).await;
    }

    async fn import_by(&mut self, event: Value, import: &Import) -> Response {
        let too_large = body(&event).len() > MAX_BODY_BYTES;
        let response = self.invoke(event.clone()).await;
        assert_eq!(response.status, if too_large { 413 } else { 200 });
        self.is_right(&response, &event, import, self.tolerated).await;
        self.timed_out += response.body.matches("\"TIMEOUT\"").count();
        response
    }

    /// Compares the response, and what is stored now, with the model.
    async fn is_right(&mut self, response: &Response, event: &Value, import: &Import, faults: Faults) {
        let body = body(event);
        let case = Case { faults, ..Case::new(&self.world, import.tenant, body.as_bytes()) };
        let verdict =
            case.judge(&response.reply()).unwrap_or_else(|wrong| panic!("{wrong}: {}", import.params));
        let stored = self.stage.memberships().await;
        verdict.stored(&stored).unwrap_or_else(|wrong| panic!("{wrong}: {}", import.params));
        self.world.memberships = stored;
    }

    async fn stored_is_right(&self) {
        let stored = self.stage.memberships().await;
        let differing: Vec<_> = stored.symmetric_difference(&self.world.memberships).collect();
        assert!(differing.is_empty(), "stored or missing: {differing:?}");
    }

    pub async fn import_with_key(&mut self) {
        let mut import = self.draw.import();
        import.params.as_object_mut().expect("an object").remove("dryRun");
        let mut event = self.api_event(&import);
        event["headers"]["idempotency-key"] = format!("key-{}", self.requests).into();
        let response = self.import_by(event.clone(), &import).await;
        if response.status == 200 {
            if self.kept.len() == 20 {
                self.kept.swap_remove(self.draw.rng.usize(..20));
            }
            self.kept.push((event, response.body));
        }
    }

    /// The same key again, with the same body or with another.
    pub async fn repeat(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let (mut event, body) = self.kept[self.draw.rng.usize(..self.kept.len())].clone();
        if self.draw.rng.u8(0..4) == 0 {
            event["body"] = (event["body"].as_str().expect("a body").to_owned() + " ").into();
            let response = self.invoke(event).await;
            assert_eq!((response.status, response.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
        } else {
            let response = self.invoke(event).await;
            assert_eq!((response.status, &response.headers["Idempotent-Replayed"]), (200, &json!("true")));
            assert_eq!(response.body, body);
        }
        self.stored_is_right().await;
    }

    pub async fn rejected(&mut self) {
        let rejected = self.draw.rejected();
        let response = self.invoke(rejected.event).await;
        assert_eq!((response.status, response.code()), (rejected.status, rejected.code));
        assert_eq!(response.envelope["data"], Value::Null);
        self.stored_is_right().await;
    }

    /// An import while calls fail or connections break; failed records are resent afterwards.
    pub async fn import_through_faults(&mut self) {
        self.faults += 1;
        let import = self.draw.import();
        let event = self.event(&import);
        if body(&event).len() > MAX_BODY_BYTES {
            return;
        }
        let response = match self.draw.rng.u8(0..6) {
            0 => {
                self.stage.close().await;
                let response = self.invoke(event.clone()).await;
                self.stage.open().await;
                response
            }
            1 => self.invoke_while_cutting(event.clone()).await,
            _ => {
                for _ in 0..self.draw.rng.usize(1..4) {
                    self.stage.database.rule(self.draw.fault());
                }
                self.invoke(event.clone()).await
            }
        };
        self.stage.database.clear_rules();
        cut(&mut self.stage).await;
        // An abandoned write may still be on its way to the database.
        tokio::time::sleep(Duration::from_millis(20)).await;

        self.is_right(&response, &event, &import, Faults::OF_CALLS).await;
        let again = match response.status {
            503 => import.records,
            _ => response.data()["errorData"].as_array().cloned().unwrap_or_default(),
        };
        if !again.is_empty() {
            self.import(&Import { records: again, ..import }).await;
        }
    }

    async fn invoke_while_cutting(&mut self, event: Value) -> Response {
        self.requests += 1;
        let is_direct = is_direct(&event);
        let pause = Duration::from_millis(self.draw.rng.u64(0..40));
        let cut = async {
            tokio::time::sleep(pause).await;
            cut(&mut self.stage).await;
        };
        let (answered, ()) = tokio::join!(self.process.invoke(event), cut);
        response(answered, is_direct)
    }
}

fn token(import: &Import) -> &'static str {
    TOKENS[usize::from(import.tenant != TENANTS[0])]
}

/// Whether it is no event of an API, so that the invocation returns an envelope or fails.
fn is_direct(event: &Value) -> bool {
    event.get("requestContext").is_none()
}

/// The body of an import; a direct event is itself the body.
fn body(event: &Value) -> String {
    if is_direct(event) { event.to_string() } else { event["body"].as_str().expect("a body").to_owned() }
}

/// The response as API Gateway would get it.
fn response(answered: Outcome, is_direct: bool) -> Response {
    let Outcome { kind, body, .. } = answered;
    Response::read(&match &*kind {
        "response" if is_direct => reply::of_direct(200, &body.to_string()),
        "error" if is_direct => {
            let text = |name: &str| body[name].as_str().expect("a text");
            reply::of_failed(text("errorType"), text("errorMessage")).unwrap()
        }
        kind => {
            assert_eq!(kind, "response", "{body}");
            body
        }
    })
}

/// Breaks every connection that the process has to the database.
pub async fn cut(stage: &mut Stage) {
    stage.close().await;
    stage.open().await;
}
