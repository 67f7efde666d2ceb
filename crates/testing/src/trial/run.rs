//! The requests of a trial, and what must hold of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use group_import::config::SkipUnchanged;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::draw::Trial;
use crate::capacity::Capacity;
use crate::dynamodb::{Store, Throughput};
use crate::function::{Function, REQUEST_ID, Response, direct_event, post_event, with_key};
use crate::items::{BEFORE, Membership};
use crate::model::draw::TENANTS;
use crate::model::reply;
use crate::model::verdict::{Case, Faults, Verdict};
use crate::model::world::{Customer, World};
use crate::runtime_api::{Outcome, Process};
use crate::stage::Stage;

/// What handles events: the function in this process, or its binary.
pub trait Target {
    /// The ID of every request, if it is always the same.
    const REQUEST_ID: Option<&'static str>;

    /// The response to an event as API Gateway gets it.
    fn respond(&mut self, event: Value) -> impl Future<Output = Response>;

    /// Sets the duration of the next invocations in seconds, where that is possible.
    fn set_time(&mut self, seconds: f64);
}

impl Target for Function {
    const REQUEST_ID: Option<&'static str> = Some(REQUEST_ID);

    async fn respond(&mut self, event: Value) -> Response {
        self.invoke(event).await
    }

    fn set_time(&mut self, seconds: f64) {
        self.seconds = seconds;
    }
}

impl Target for Process {
    const REQUEST_ID: Option<&'static str> = None;

    async fn respond(&mut self, event: Value) -> Response {
        let is_direct = event.get("requestContext").is_none();
        let Outcome { kind, body, .. } = self.invoke(event).await;
        let text = |name: &str| body[name].as_str().expect("a text").to_owned();
        let outcome = match &*kind {
            "response" => Ok(body.to_string()),
            _ => Err(["errorType", "errorMessage"].map(text)),
        };
        Response::read(&reply::of_invocation(outcome, is_direct))
    }

    fn set_time(&mut self, _: f64) {}
}

/// Trials of a function, one after another.
pub struct Trials<T> {
    pub stage: Stage,
    pub target: T,
    /// What exists, by the model.
    pub world: World,
    /// What happened, as often as it did.
    pub events: Vec<String>,
    /// The number of trials, and of their records.
    pub number: usize,
    pub records: usize,
}

/// The memberships that exist.
pub(super) type Memberships = BTreeSet<Membership>;

/// Where more customers exist, each value of a statement is read by its key: the store would scan an index.
const FEW: usize = 1_000;

impl Stage {
    /// A stage with the tenants, customers and memberships of a trial's world.
    pub async fn of(Trial { world, in_maps, .. }: &Trial) -> Self {
        let stage = if *in_maps { Self::on(Store::maps()).await } else { Self::new().await };
        if world.customers.len() > FEW {
            stage.database.statements_by_key();
        }
        for tenant in TENANTS {
            stage.put_tenant(&token(tenant), json!({"tenantId": tenant})).await;
        }
        stage.put_customers(world.customers.iter().map(Customer::item)).await;
        stage.put_memberships(&world.memberships).await;
        stage
    }
}

/// The token of a tenant of a [stage of](Stage::of) a trial.
pub fn token(tenant: &str) -> String {
    format!("token-of-{tenant}")
}

impl<T: Target> Trials<T> {
    /// Trials on the [stage of](Stage::of) one with this world.
    pub fn new(stage: Stage, target: T, world: World) -> Self {
        Self { stage, target, world, events: Vec::new(), number: 0, records: 0 }
    }

    /// Runs a trial.
    pub async fn run(&mut self, trial: &Trial) {
        self.begin(trial);
        let start = Instant::now();
        let response = self.post(trial).await;
        let took = start.elapsed().as_secs_f64();
        assert!(took < trial.settings.seconds, "response after {took} s");

        let faults = self.stage.database.faults();
        let is_of_token_or_claim = |operation: &str| operation == "GetItem" || operation == "PutItem";
        // Look-ups have 70 % of the time for calls. A pause of up to two seconds does not start if that would end during
        // it.
        let earliest = 0.7 * (trial.settings.seconds - trial.settings.margin.as_secs_f64()) - 2.1;
        let faults = Faults {
            store_error: !faults.is_empty(),
            timeout: took > earliest,
            unavailable: faults.iter().any(|(operation, _)| is_of_token_or_claim(operation)),
            internal_error: false,
        };
        self.conclude(trial, &response, faults).await;
    }

    /// Sets the faults of a trial.
    pub fn begin(&mut self, trial: &Trial) {
        self.number += 1;
        self.records += trial.import.records.len();
        self.target.set_time(trial.settings.seconds);
        self.stage.database.reset();
        trial.faults.iter().cloned().for_each(|fault| self.stage.database.rule(fault));
        if let Some(items) = trial.page_size {
            self.stage.database.page_size(items);
        }
        if let Some(units) = trial.units_per_second {
            let capacity = || Some(Arc::new(Capacity::new(4, units / 4.0, 1.0)));
            let latency = Duration::from_millis(5);
            self.stage.database.throughput(Throughput { reads: capacity(), writes: capacity(), latency });
        }
    }

    /// Judges the response to a trial's import, which may show these faults, and sends it again without faults: with its
    /// key, what failed, and the whole.
    pub async fn conclude(&mut self, trial: &Trial, response: &Response, faults: Faults) {
        self.stage.database.clear_rules();
        self.stage.database.throughput(Throughput::default());
        self.target.set_time(30.0);
        self.count_faults(trial);
        self.judge(trial, response, faults).await;
        let mut world = self.world.clone();
        world.import(trial.import.tenant, &trial.import.params, &trial.import.records);
        let goal = if trial.is_dry_run() { self.world.memberships.clone() } else { world.memberships };
        if trial.keyed {
            self.retry_with_key(trial, response, &goal).await;
        }
        self.resend(trial, response, &goal).await;
        let rejections = self.stage.database.rejections();
        assert!(rejections.is_empty(), "calls that are not valid: {rejections:?}");
        self.world.memberships = goal;
    }

    /// Sends the import of a trial, with its key, if any.
    pub async fn post(&mut self, trial: &Trial) -> Response {
        let event = self.event(trial);
        self.target.respond(event).await
    }

    /// The event of a trial's import.
    pub fn event(&self, trial: &Trial) -> Value {
        let (token, import) = (token(trial.import.tenant), &trial.import);
        if trial.direct {
            return direct_event(&token, import.params.clone(), json!(import.records));
        }
        let event = post_event(&token, trial.body().to_string());
        if trial.keyed { with_key(event, &self.key()) } else { event }
    }

    pub(super) fn happened(&mut self, what: impl Into<String>) {
        self.events.push(what.into());
    }

    fn count_faults(&mut self, trial: &Trial) {
        if trial.direct {
            self.happened("trial: sent directly");
        }
        if self.stage.database.throttled() > 0 {
            self.happened("trial: throttled beyond the capacity");
        }
        for (operation, fault) in self.stage.database.faults() {
            self.happened(format!("fault: {}", fault.name()));
            self.happened(format!("faults on {operation}"));
        }
    }

    /// Compares a response, and what is stored now, with the model.
    pub async fn judge(&mut self, trial: &Trial, response: &Response, faults: Faults) {
        self.happened(format!("response: {}", response.status));
        assert!(matches!(response.status, 200 | 503), "{}", response.status);
        let body = trial.body().to_string();
        let case = Case { faults, ..Case::new(&self.world, trial.import.tenant, body.as_bytes()) };
        let verdict = case.judge(&response.reply()).unwrap();
        verdict.stored(&self.stage.memberships().await).unwrap();
        if !trial.is_dry_run() {
            self.judge_items(trial, &verdict).await;
        }
        for code in verdict.codes {
            self.happened(format!("record: {}", code.unwrap_or("success")));
        }
    }

    /// Checks the complete item of every membership added: it is new, unless skipping allows the existing one.
    async fn judge_items(&self, trial: &Trial, verdict: &Verdict) {
        let mut found = BTreeMap::new();
        for item in self.stage.membership_items().await {
            let text = |name: &str| item[name].as_str().expect("a string").to_owned();
            found.insert((text("customerKey"), text("groupName")), item);
        }
        let may_stay = trial.settings.skip_unchanged != SkipUnchanged::Never;
        for (_, ending) in verdict.successes() {
            for membership in ending.memberships(trial.import.tenant) {
                // After a delete there is none.
                let Some(item) = found.get(&membership) else { continue };
                let before = self.world.memberships.contains(&membership);
                if may_stay && before && item["importId"] == BEFORE {
                    continue;
                }
                let id = T::REQUEST_ID.map_or_else(|| item["importId"].clone(), Into::into);
                assert_eq!(
                    *item,
                    json!({
                        "customerKey": membership.0, "groupName": membership.1, "tenantId": trial.import.tenant,
                        "audienceUserId": ending.customer, "importId": id, "updatedAt": item["updatedAt"],
                    })
                );
                assert_ne!(item["importId"], BEFORE);
                assert!(item["importId"].is_string() && item["updatedAt"].is_string(), "{item}");
            }
        }
    }

    /// Without faults: resending the failed records produces the full state, and resending the whole import
    /// gets the response of an undisturbed one.
    async fn resend(&mut self, trial: &Trial, response: &Response, goal: &Memberships) {
        if response.status == 200 && response.envelope["data"]["importFailNum"] != 0 {
            let params = &trial.import.params;
            let body = format!(r#"{{"publicParams":{params},"data":{}}}"#, response.error_data());
            self.import(trial, body).await;
            self.assert_memberships(goal).await;
        }
        self.import(trial, trial.body().to_string()).await;
        self.assert_memberships(goal).await;
    }

    /// Sends a body, which must be imported as the model says.
    async fn import(&mut self, trial: &Trial, body: String) {
        let event = post_event(&token(trial.import.tenant), &*body);
        let response = self.target.respond(event).await;
        self.is_imported(trial, &body, &response);
    }

    pub(super) fn is_imported(&self, trial: &Trial, body: &str, response: &Response) {
        Case::new(&self.world, trial.import.tenant, body.as_bytes()).imported(&response.reply()).unwrap();
    }

    pub async fn assert_memberships(&self, expected: &Memberships) {
        let found = self.stage.memberships().await;
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(expected).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
    }
}
