//! Runs of `import-file` that stop, are killed or rejected, and are resumed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::desk::{Desk, Ended, holed_csv, numbered_csv};
use testing::gateway::{Fault, Gateway};
use testing::shorthand::numbered_pairs;
use testing::stage::{Stage, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_loses_and_repeats_no_row() {
    const ROWS: usize = 4_000;
    const KILLS: usize = 6;
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(ROWS);
    desk.write("list.csv", csv);
    let arguments = "list.csv --match off --batch 50 --concurrency 3";
    let mut resumed = 0;
    for _ in 0..KILLS {
        // The fourth request of three at a time is sent when one is settled; and the 80 batches outlast all kills.
        let requests = gateway.received() + fastrand::usize(4..=8);
        let mut child = desk.start(&gateway.url(), arguments);
        while gateway.received() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
        child.start_kill().expect("the client can be killed");
        let killed = Ended::of(child).await;
        assert_eq!(killed.code, None, "{killed:?}");
        resumed += usize::from(killed.stderr.contains("resuming after"));
    }
    assert_eq!(resumed, KILLS - 1);
    let ended = desk.run(&gateway.url(), arguments).await;
    ended.assert_done(2, "4000 rows: 3428 imported, 572 failed\n");
    assert_eq!(desk.read("list.failed.csv"), failed);
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"]);
    // Under one key each batch ran once, however often it was sent: 42 or 43 records with groups, 25 to a write.
    assert_eq!(stage.proxy.count("BatchWriteItem"), ROWS / 50 * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_stops_the_run_and_a_valid_one_resumes_it() {
    let stage = Stage::new().await;
    let no_token = r#"{"code":"401","errorCode":"TOKEN_ERROR","msg":"X-Token无效或已过期","data":null}"#;
    let expired = move |number| (number == 3).then_some(Fault::Answer(401, None, no_token));
    let gateway = Gateway::with_faults(stage.function().await, expired).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(1_000));
    let arguments = "list.csv --match off --batch 100 --concurrency 1";
    let ended = desk.run(&gateway.url(), arguments).await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("X-Token无效或已过期") && ended.stderr.contains("after 300 rows"),
        "{ended:?}"
    );
    assert_eq!(stage.memberships().await, numbered_pairs(300));
    assert_eq!(gateway.exchanges().len(), 4, "rejected once, and no further request");

    let mut command = desk.command(&gateway.url(), arguments);
    let ended = Ended::of(command.env("X_TOKEN", "").spawn().expect("the client starts")).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("no token"), "{ended:?}");

    desk.write("token", format!("{TOKEN}\n"));
    let mut command = desk.command(&gateway.url(), &format!("{arguments} --token-file token"));
    let ended = Ended::of(command.env_remove("X_TOKEN").spawn().expect("the client starts")).await;
    ended.assert_done(0, "1000 rows: 1000 imported, 0 failed\n");
    assert_eq!(gateway.exchanges().len(), 4 + 7);
    assert_eq!(stage.memberships().await, numbered_pairs(1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_is_resumed_only_with_the_same_input_and_options() {
    let stage = Stage::new().await;
    let rejected = |number| [2, 4].contains(&number).then_some(Fault::Answer(403, None, "no"));
    let gateway = Gateway::with_faults(stage.function().await, rejected).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(500));
    let arguments = "list.csv --match off --batch 100 --concurrency 1";
    assert_eq!(desk.run(&gateway.url(), arguments).await.code, Some(1));

    let other = desk.run(&gateway.url(), &format!("{arguments} --opt delete")).await;
    assert!(other.code == Some(1) && other.stderr.contains("--opt"), "{other:?}");
    desk.write("list.csv", numbered_csv(500).replace("c499", "c999"));
    let changed = desk.run(&gateway.url(), arguments).await;
    assert!(changed.code == Some(1) && changed.stderr.contains("input was changed"), "{changed:?}");
    assert_eq!(gateway.exchanges().len(), 3, "nothing is sent before that is settled");

    assert_eq!(desk.run(&gateway.url(), &format!("{arguments} --restart")).await.code, Some(1));
    let ended = desk.run(&gateway.url(), arguments).await;
    ended.assert_done(0, "500 rows: 500 imported, 0 failed\n");
    let mut expected = numbered_pairs(499);
    expected.insert(("t1#c999".to_owned(), "g".to_owned()));
    assert_eq!(stage.memberships().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_rejected_at_once_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let mistyped = format!("{}/x", gateway.url());
    let rejected = desk.run(&mistyped, "list.csv --match off").await;
    assert!(rejected.code == Some(1) && rejected.stderr.contains("404 NOT_FOUND"), "{rejected:?}");
    assert_eq!(desk.files(), ["list.csv"]);
    desk.run(&gateway.url(), "list.csv --match off").await.assert_done(0, "10 rows: 10 imported");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_server_ends_the_run_and_loses_nothing() {
    let stage = Stage::new().await;
    let away = |number| (number < 4).then_some(Fault::Answer(503, Some("1"), "{}"));
    let gateway = Gateway::with_faults(stage.function().await, away).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let stopped = desk.run(&gateway.url(), "list.csv --match off --patience 2").await;
    assert!(stopped.code == Some(1) && stopped.stderr.contains("503"), "{stopped:?}");
    let ended = desk.run(&gateway.url(), "list.csv --match off").await;
    ended.assert_done(0, "10 rows: 10 imported, 0 failed\n");
    let keys: BTreeSet<_> = gateway.exchanges().into_iter().map(|exchange| exchange.key).collect();
    assert_eq!(keys.len(), 1, "the second run requests what the first one did");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_imported_and_resumed() {
    let stage = Stage::new().await;
    let stop = |number| (number == 2).then_some(Fault::Answer(403, None, "no"));
    let gateway = Gateway::with_faults(stage.function().await, stop).await;
    let desk = Desk::new();
    let arguments = "- --match off --batch 100 --concurrency 1 --format csv --failed failed.csv";
    for (code, input) in [
        (1, numbered_csv(500)),
        (1, numbered_csv(500).replace("c150", "c151")),
        (1, numbered_csv(150)),
        (0, numbered_csv(500)),
    ] {
        let mut child =
            desk.command(&gateway.url(), arguments).stdin(Stdio::piped()).spawn().expect("the client starts");
        let mut stdin = child.stdin.take().expect("piped");
        // A client that stops does not read to the end.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = Ended::of(child).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
    assert_eq!(gateway.exchanges().len(), 6, "another input was not sent");
    assert_eq!(stage.memberships().await, numbered_pairs(500));
    assert_eq!(desk.files(), [""; 0]);
}
