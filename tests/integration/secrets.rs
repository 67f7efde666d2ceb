//! Log lines contain nothing that a caller sends.
//!
//! Every line logged by any of these tests is searched when it is written, see `testing::log_search`. The tests in
//! this file show that the search sees every line and detects secrets.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use group_import::database::{Claim, Claimed, Earlier, Key};
use group_import::deadline::Deadline;
use group_import::http::envelope::{Data, Response};
use group_import::http::incoming::Incoming;
use group_import::http::reply::Reply;
use group_import::import::{Ended, Run};
use group_import::request::Request;
use group_import::request::fields::Object;
use group_import::request::idempotency_key::IdempotencyKey;
use group_import::request::identifier::Identifier;
use group_import::request::record::FailedRecord;
use group_import::resolution::customer::{Match, MatchedBy, Outcome};
use group_import::resolution::matching::Resolution;
use group_import::resolution::membership::WritePlan;
use group_import::resolution::report::{Matches, Report};
use group_import::resolution::stored::StoredOutcome;
use group_import::tenant::{Tenant, TenantId, TokenHash};
use serde_json::json;
use tracing::trace;

use testing::dynamodb::{Action, Rule};
use testing::function::{post_event, with_key};
use testing::log_search::{self, Secrets};
use testing::shorthand::{numbered, off};
use testing::stage::Stage;

#[tokio::test]
async fn every_line_is_searched_as_text_and_as_json() {
    let stage = Stage::new().await;
    stage.put_tenant("token of the watched", json!({"tenantId": "watched-tenant"})).await;
    let function = stage.function().await;
    stage.database.rule(Rule::on("BatchWriteItem", Action::Reset));
    function.import_as("token of the watched", off("add"), numbered(1)).await.data();
    let lines = log_search::lines();
    let of_tenant: Vec<_> = lines.iter().filter(|line| line.contains("watched-tenant")).collect();
    assert_eq!(of_tenant.len(), 2, "one line as text, one as JSON: {of_tenant:?}");
    let is_json = |line: &&&String| line.starts_with('{');
    assert_eq!(of_tenant.iter().filter(is_json).count(), 1);
    assert!(of_tenant.iter().all(|line| line.contains("request requestId=")));
    assert!(
        lines.iter().any(|line| line.contains("database call failed") && line.contains("BatchWriteItem"))
    );
}

/// Set in the process in which this test logs a secret on purpose.
const LEAK: &str = "TEST_LEAKS_ON_PURPOSE";

#[tokio::test]
async fn a_logged_secret_aborts_the_run() {
    if std::env::var_os(LEAK).is_some() {
        Stage::new().await.put_customers([json!({"audienceUserId": "somebody in particular"})]).await;
        trace!(target: "group_import::database", customer = "somebody in particular", "found");
        return;
    }
    let program = std::env::current_exe().expect("a path");
    let mut run = Command::new(program);
    run.args(["--exact", "secrets::a_logged_secret_aborts_the_run"]).env(LEAK, "1");
    let run = run.output().expect("it starts");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(errors.contains(r#"a log line shows "somebody in particular""#), "{errors}");
}

#[test]
fn a_secret_is_found_anywhere_in_a_line() {
    let mut secrets = Secrets::default();
    for value in ["openid-1", "13800000001", "张三", "abc", "", "null", "1234567", "c7180", "openid-17"] {
        secrets.keep(value);
    }
    for (line, shown) in [
        ("openid-1", Some("openid-1")),
        (r#"{"openid":"xopenid-1x"}"#, Some("openid-1")),
        ("phone=+8613800000001", Some("13800000001")),
        ("customer=\"张三\"", Some("张三")),
        ("openid-2 1380000000 abc null 1234567 张 9f61c7180b56", None),
        ("", None),
    ] {
        let found = secrets.shown_by(line.as_bytes());
        assert_eq!(found, shown.map(str::as_bytes), "{line}");
    }
}

/// A value, printed if it implements `Debug`: Rust prefers the inherent `text` to that of the trait.
struct Shown<'v, T>(&'v T);

impl<T: fmt::Debug> Shown<'_, T> {
    fn text(&self) -> Option<String> {
        Some(format!("{0:?} {0:#?}", self.0))
    }
}

trait Unshown {
    fn text(&self) -> Option<String> {
        None
    }
}

impl<T> Unshown for Shown<'_, T> {}

/// Fails if the `Debug` output of a value contains a secret; returns the number of values with such an output.
macro_rules! shown {
    ($($value:expr),* $(,)?) => {
        [$({
            let text = Shown($value).text();
            for secret in SECRETS {
                let text = text.as_deref().unwrap_or_default();
                assert!(!text.contains(secret), "{} shows {secret}: {text}", stringify!($value));
            }
            usize::from(text.is_some())
        }),*].into_iter().sum::<usize>()
    };
}

const SECRETS: [&str; 6] =
    ["secret-token", "secret-key", "secret-id", "secret-openid", "13812345678", "secret-group"];

#[tokio::test]
async fn debug_output_contains_no_secrets() {
    let body = json!({
        "publicParams": {"isMatching": true, "matchingType": 2, "identifyWay": 1, "optType": "add", "explain": true},
        "data": [
            {"audienceUserId": "secret-id", "openid": "secret-openid", "phone": "13812345678", "groups": "secret-group"},
            {"openid": ["secret-openid"], "groups": "secret-group"},
        ],
    });
    let event = with_key(post_event("secret-token", body.to_string()), "secret-key");
    let incoming = serde_json::from_str(&event.to_string()).expect("an event");
    let Incoming::Api(event) = incoming else { panic!("an event of an API") };
    let header = event.header("x-token");
    let key = IdempotencyKey::parse("secret-key").expect("a key");
    let tenant = Tenant {
        id: TenantId::new("t1").expect("a valid ID"),
        enabled: true,
        permissions: Some(vec!["audience:group".to_owned()]),
        expires_at: None,
    };
    let sent = event.body.clone().expect("a body");
    let request = Request::parse(&sent, 10).expect("an import");
    let [first, second] = &request.records[..] else { panic!("two records were sent") };
    let object = Object::parse(str::from_utf8(&sent).expect("text")).expect("an object");
    let record = first.check(request.params).expect("a valid record");
    let failure = second.check(request.params).expect_err("an invalid record");
    let failed = FailedRecord { index: 1, sent: second, failure };

    let mut resolution = Resolution::new(request.params.matching, [&record.identifiers].into_iter());
    let lookup = resolution.next_lookup(false, |_| 9).expect("an openid is looked up");
    let outcome: Outcome =
        Ok(Match { customer: "secret-id".to_owned(), by: MatchedBy::Identifier(Identifier::Openid) });
    let plan = WritePlan::new([(&outcome, &record.groups)].into_iter());
    let matches = Matches::new([(0, &outcome)].into_iter());
    let report = Report { failures: vec![(1, failure)], matches: Some(matches) };
    let stored = StoredOutcome::from(&report);
    let claim_key = Key { table: "imports", tenant: &tenant.id, key: &key };
    let claim = Claim::new(claim_key, &sent, &Deadline::new(30_000, Duration::ZERO));
    let earlier =
        Earlier { body_hash: claim.body_hash.clone(), run: claim.run.clone(), outcome: Some(stored.clone()) };
    let claimed = Claimed::Theirs(earlier.clone());
    let result = Data::new(&request, &report);
    let response = Response::result(&result);
    for secret in ["secret-id", "secret-openid", "secret-group"] {
        assert!(response.body.contains(secret), "no secret in {}", response.body);
    }
    let reply = Reply::to_api(Response::result(&result), event.format, "id");
    let failed_invocation = Reply::to_direct(Response::in_progress()).err().expect("no result");
    let hash = TokenHash::of("secret-token");
    assert!(!hash.as_str().is_empty() && !format!("{hash:?}").contains(hash.as_str()));

    let debug_types = shown![
        &event,
        &header,
        &key,
        &tenant,
        &request,
        first,
        &object,
        &record,
        &record.identifiers,
        &record.groups,
        &failed,
        &failure,
        &resolution,
        &lookup,
        &outcome,
        &plan,
        &plan.memberships,
        &plan.memberships[0],
        &stored,
        &claim,
        &earlier,
        &claimed,
        &result,
        &response,
        &reply,
        &failed_invocation,
        &hash,
        &report,
    ];
    assert!(debug_types > 10, "{debug_types}");
    let ended = [Ended::Ran(Run { report, matched: 1 }), Ended::InProgress];
    shown![&ended];
}
