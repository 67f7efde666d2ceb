//! Nothing that a caller sends is shown by a log line.
//!
//! Every line of every test here is searched as it is written, see `support::secrets`. These tests
//! show that the search sees the lines and does not let one pass.

use std::process::Command;

use serde_json::json;
use tracing::trace;

use crate::support::proxy::{Action, Rule};
use crate::support::secrets::{self, Secrets};
use crate::support::shorthand::{numbered, off};
use crate::support::stage::Stage;

#[tokio::test]
async fn what_the_function_logs_is_searched_in_both_of_its_forms() {
    let stage = Stage::new().await;
    stage.put_tenant("token of the watched", json!({"tenantId": "watched-tenant"})).await;
    let function = stage.function().await;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Reset));
    function.import_as("token of the watched", off("add"), numbered(1)).await.data();
    let lines = secrets::lines();
    let of_tenant: Vec<_> = lines.iter().filter(|line| line.contains("watched-tenant")).collect();
    assert_eq!(of_tenant.len(), 2, "one line as text, one as JSON: {of_tenant:?}");
    let is_json = |line: &&&String| line.starts_with('{');
    assert_eq!(of_tenant.iter().filter(is_json).count(), 1);
    assert!(of_tenant.iter().all(|line| line.contains("request requestId=")));
    assert!(
        lines.iter().any(|line| line.contains("database call failed") && line.contains("BatchWriteItem"))
    );
}

/// Set where this test is to do what no line may.
const LEAK: &str = "TEST_LEAKS_ON_PURPOSE";

#[tokio::test]
async fn a_line_that_shows_a_secret_ends_the_run() {
    if std::env::var_os(LEAK).is_some() {
        Stage::new().await.put_customers([json!({"audienceUserId": "somebody in particular"})]).await;
        trace!(target: "group_import::database", customer = "somebody in particular", "found");
        return;
    }
    let myself = std::env::current_exe().expect("a path");
    let mut run = Command::new(myself);
    run.args(["--exact", "secrets::a_line_that_shows_a_secret_ends_the_run"]).env(LEAK, "1");
    let run = run.output().expect("it starts");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(told.contains(r#"a log line shows "somebody in particular""#), "{told}");
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let mut secrets = Secrets::default();
    for value in ["openid-1", "13800000001", "张三", "abc", "", "null", "1234567", "openid-17"] {
        secrets.keep(value);
    }
    for (line, shown) in [
        ("openid-1", Some("openid-1")),
        (r#"{"openid":"xopenid-1x"}"#, Some("openid-1")),
        ("phone=+8613800000001", Some("13800000001")),
        ("customer=\"张三\"", Some("张三")),
        ("openid-2 1380000000 abc null 1234567 张", None),
        ("", None),
    ] {
        let found = secrets.shown_by(line.as_bytes());
        assert_eq!(found, shown.map(str::as_bytes), "{line}");
    }
}
