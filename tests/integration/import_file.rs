//! The client of `examples/import_file`, against the function on a real database.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::gateway::{Fault, Gateway};
use crate::support::import_file::{Desk, Ended};
use crate::support::proxy::{Action, Rule};
use crate::support::shorthand::{numbered_pairs, pairs};
use crate::support::stage::{Stage, TOKEN};

/// The file whose import asks for [`numbered_pairs`].
fn numbered_csv(rows: usize) -> String {
    let mut text = "audienceUserId,groups\n".to_owned();
    for number in 0..rows {
        writeln!(text, "c{number},g").expect("text takes text");
    }
    text
}

/// As [`numbered_csv`], but every seventh row names no group; and the failed rows that come of it.
fn holed_csv(rows: usize) -> (String, String, BTreeSet<(String, String)>) {
    let mut text = "audienceUserId,groups\n".to_owned();
    let mut failed = "audienceUserId,groups,errorCode,errorMsg,retryable\n".to_owned();
    let mut expected = BTreeSet::new();
    for number in 0..rows {
        if number % 7 == 0 {
            writeln!(text, "c{number},").expect("text takes text");
            writeln!(failed, "c{number},,MISSING_GROUPS,缺少客户分组,false").expect("text takes text");
        } else {
            writeln!(text, "c{number},g").expect("text takes text");
            expected.insert((format!("t1#c{number}"), "g".to_owned()));
        }
    }
    (text, failed, expected)
}

fn assert_done(ended: &Ended, code: i32, summary: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stdout.starts_with(summary), "{ended:?}");
    assert!(!ended.stdout.contains(TOKEN) && !ended.stderr.contains(TOKEN), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_file_is_imported_and_its_failed_rows_can_be_fed_back() {
    let stage = Stage::new().await;
    stage.put_customers([json!({"audienceUserId": "c1", "unionid": "u1", "openid": "o1"})]).await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write(
        "list.csv",
        "\u{feff}note,openid,groups,unionid\r\n\
         first,o1,\"vip, new\",u1\r\n\
         \"late, \"\"x\"\"\",o2,vip,\r\n\
         broken,o1,vip\r\n\
         ,,,\r\n\
         last,,spring,u1\r\n",
    );
    let ended = desk.run(&gateway.url(), "list.csv --match fuzzy").await;
    assert_done(&ended, 2, "5 rows: 2 imported, 3 failed\n");
    let mut expected = pairs([("t1#c1", "vip"), ("t1#c1", "new"), ("t1#c1", "spring")]);
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(
        desk.read("list.failed.csv"),
        "\u{feff}note,openid,groups,unionid,errorCode,errorMsg,retryable\n\
         \"late, \"\"x\"\"\",o2,vip,,NOT_MATCHED,未匹配到客户,false\n\
         broken,o1,vip,,BAD_ROW,第4行有3列，应为4列,false\n\
         ,,,,MISSING_IDENTIFIER,缺少可用的客户标识,false\n"
    );
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"], "no state is left");

    // The cause is gone: one customer is there now, and somebody mended the other rows.
    stage.put_customers([json!({"audienceUserId": "c2", "openid": "o2"})]).await;
    desk.write("list.failed.csv", desk.read("list.failed.csv").replace("\n,,,,MISS", "\nx,o2,new,,MISS"));
    let ended = desk.run(&gateway.url(), "list.failed.csv --match fuzzy").await;
    assert_done(&ended, 0, "3 rows: 3 imported, 0 failed\n");
    expected.extend(pairs([("t1#c2", "vip"), ("t1#c2", "new")]));
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"], "no row failed, no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_imported_again_is_not_told_the_old_outcome() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", "openid,groups\no1,vip\n");
    assert_done(&desk.run(&gateway.url(), "list.csv --match exact").await, 2, "1 rows: 0 imported");
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
    let ended = desk.run(&gateway.url(), "list.csv --match exact").await;
    assert_eq!(ended.code, Some(1), "failed rows are not overwritten unasked: {ended:?}");
    assert!(ended.stderr.contains("--restart"), "{ended:?}");
    let ended = desk.run(&gateway.url(), "list.csv --match exact --restart").await;
    assert_done(&ended, 0, "1 rows: 1 imported, 0 failed\n");
    assert_eq!(desk.files(), ["list.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_sent_as_they_are() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let long = r#"{"phone":12345678901234567890123.10,"audienceUserId":"c9","groups":"g","note":1e999}"#;
    desk.write(
        "list.jsonl",
        format!(
            "{{ \"groups\" : \"g,\\u5f20\", \"audienceUserId\" : \"c1\", \"note\": \"\\ud800\" }}\n\
             {long}\n\nnot JSON\n[1]\n{{\"audienceUserId\":\"c2\",\"groups\":\"g\"}}"
        ),
    );
    let ended = desk.run(&gateway.url(), "list.jsonl --match off").await;
    assert_done(&ended, 2, "5 rows: 2 imported, 3 failed\n");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c1", "张"), ("t1#c2", "g")]));
    assert!(gateway.exchanges()[0].body.contains(long), "sent to the letter");
    let failed = desk.read("list.failed.jsonl");
    let kept = long.strip_suffix('}').expect("an object");
    assert_eq!(
        failed,
        format!(
            "{kept},\"errorCode\":\"INVALID_FIELD\",\"errorMsg\":\"phone必须是字符串\",\"retryable\":false}}\n\
             {{\"badRow\":\"not JSON\",\"errorCode\":\"BAD_ROW\",\"errorMsg\":\"第4行不是JSON对象\",\"retryable\":false}}\n\
             {{\"badRow\":\"[1]\",\"errorCode\":\"BAD_ROW\",\"errorMsg\":\"第5行不是JSON对象\",\"retryable\":false}}\n"
        )
    );
    desk.write("list.failed.jsonl", failed.replace("12345678901234567890123.10", "null"));
    let ended = desk.run(&gateway.url(), "list.failed.jsonl --match off").await;
    assert_done(&ended, 2, "3 rows: 1 imported, 2 failed\n");
    assert!(stage.memberships().await.contains(&("t1#c9".to_owned(), "g".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_way_does_to_answers_everything_runs_once() {
    const THROTTLED: Fault = Fault::Answer(429, Some("1"), r#"{"message":"Too Many Requests"}"#);
    const UNAVAILABLE: Fault = Fault::Answer(503, Some("0"), r#"{"message":"Service Unavailable"}"#);
    const GATEWAY: Fault = Fault::Answer(502, None, "<html>Bad Gateway</html>");
    const LATE: Fault = Fault::Answer(504, None, r#"{"message":"Endpoint request timed out"}"#);
    const DIED: Fault = Fault::Answer(500, None, r#"{"message":"Internal Server Error"}"#);
    let faults = [
        Some(THROTTLED),
        Some(Fault::Reset),
        None,
        Some(UNAVAILABLE),
        Some(Fault::Silence),
        Some(GATEWAY),
        None,
        Some(LATE),
        Some(Fault::Reset),
        Some(DIED),
    ];
    let stage = Stage::new().await;
    let faulty = move |number: usize| faults.get(number).copied().flatten();
    let gateway = Gateway::with_faults(stage.function().await, faulty).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(700);
    desk.write("list.csv", csv);
    let arguments = "list.csv --match off --batch 100 --concurrency 3 --timeout 2";
    let ended = desk.run(&gateway.url(), arguments).await;
    assert_done(&ended, 2, "700 rows: 600 imported, 100 failed\n");
    assert_eq!(desk.read("list.failed.csv"), failed);
    assert_eq!(stage.memberships().await, expected);
    // 7 batches of 85 or 86 records with groups, 25 to a write.
    assert_eq!(stage.proxy.count("BatchWriteItem"), 7 * 4);
    let exchanges = gateway.exchanges();
    let keys: BTreeSet<_> = exchanges.iter().map(|exchange| &exchange.key).collect();
    let bodies: BTreeSet<_> = exchanges.iter().map(|exchange| (&exchange.key, &exchange.body)).collect();
    assert_eq!((keys.len(), bodies.len()), (7, 7), "a key for each batch, a body for each key");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_back_sooner_than_it_was_asked_to() {
    let stage = Stage::new().await;
    let throttled = Fault::Answer(429, Some("2"), r#"{"message":"Too Many Requests"}"#);
    let gateway =
        Gateway::with_faults(stage.function().await, move |number| (number == 0).then_some(throttled)).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(1));
    assert_done(&desk.run(&gateway.url(), "list.csv --match off").await, 0, "1 rows: 1 imported");
    let exchanges = gateway.exchanges();
    // The client's own first pause is half a second at most.
    assert!(exchanges[1].at - exchanges[0].at >= Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_still_running_is_waited_for() {
    let stage = Stage::new().await;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Delay(Duration::from_millis(2_500))).times(1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let ended = desk.run(&gateway.url(), "list.csv --match off --timeout 1").await;
    assert_done(&ended, 0, "10 rows: 10 imported, 0 failed\n");
    let statuses: Vec<_> = gateway.exchanges().iter().map(|exchange| exchange.status).collect();
    assert!(statuses.contains(&Some(201)), "{statuses:?}");
    assert_eq!(stage.proxy.count("BatchWriteItem"), 1);
    assert_eq!(stage.memberships().await, numbered_pairs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_fail_for_now_are_sent_again_alone_under_a_key_of_their_own() {
    let stage = Stage::new().await;
    let refused = Action::Error { status: 400, code: "AccessDeniedException", message: "no" };
    stage.proxy.rule(Rule::on("BatchWriteItem", refused).times(1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(100));
    assert_done(&desk.run(&gateway.url(), "list.csv --match off").await, 0, "100 rows: 100 imported");
    assert_eq!(stage.memberships().await, numbered_pairs(100));
    let exchanges = gateway.exchanges();
    assert_eq!(exchanges.len(), 2);
    assert_ne!(exchanges[0].key, exchanges[1].key);
    assert_eq!(exchanges[1].body.matches("audienceUserId").count(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_keep_failing_for_now_end_among_the_failed_rows() {
    let stage = Stage::new().await;
    let refused = Action::Error { status: 400, code: "AccessDeniedException", message: "no" };
    let only_c1 = |body: &serde_json::Value| body.to_string().contains("t1#c1\"");
    stage.proxy.rule(Rule::on("BatchWriteItem", refused).when(only_c1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", "audienceUserId,groups\nc1,g\nc2,\n");
    let ended = desk.run(&gateway.url(), "list.csv --match off").await;
    assert_done(&ended, 2, "2 rows: 0 imported, 2 failed\n");
    let failed = desk.read("list.failed.csv");
    assert!(
        failed.contains("c1,g,STORE_ERROR,") && failed.contains(",true\nc2,,MISSING_GROUPS,"),
        "{failed}"
    );
    stage.proxy.clear_rules();
    desk.write("list.failed.csv", failed.replace("c2,,", "c2,g,"));
    assert_done(&desk.run(&gateway.url(), "list.failed.csv --match off").await, 0, "2 rows: 2 imported");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c2", "g")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_loses_and_repeats_no_row() {
    const ROWS: usize = 4_000;
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(ROWS);
    desk.write("list.csv", csv);
    let arguments = "list.csv --match off --batch 50 --concurrency 3";
    let (mut kills, mut resumed) = (0, 0);
    let ended = loop {
        let mut child = desk.start(&gateway.url(), arguments);
        if kills < 8 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(20..400))).await;
            child.start_kill().expect("the client can be killed");
        }
        let ended = Ended::of(child).await;
        resumed += usize::from(ended.stderr.contains("going on after"));
        if ended.code.is_some() {
            break ended;
        }
        kills += 1;
    };
    assert!(kills > 0 && resumed > 0, "{kills} kills, {resumed} times resumed");
    assert_done(&ended, 2, "4000 rows: 3428 imported, 572 failed\n");
    assert_eq!(desk.read("list.failed.csv"), failed);
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"]);
    // Under one key each batch ran once, however often it was sent: 42 or 43 records with groups, 25 to a write.
    assert_eq!(stage.proxy.count("BatchWriteItem"), ROWS / 50 * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_stops_the_run_and_a_good_one_lets_it_go_on() {
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
    assert_eq!(gateway.exchanges().len(), 4, "refused once, and no more asked");

    let mut command = desk.command(&gateway.url(), arguments);
    let ended = Ended::of(command.env("X_TOKEN", "").spawn().expect("the client starts")).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("no token"), "{ended:?}");

    desk.write("token", format!("{TOKEN}\n"));
    let mut command = desk.command(&gateway.url(), &format!("{arguments} --token-file token"));
    let ended = Ended::of(command.env_remove("X_TOKEN").spawn().expect("the client starts")).await;
    assert_done(&ended, 0, "1000 rows: 1000 imported, 0 failed\n");
    assert_eq!(gateway.exchanges().len(), 4 + 7);
    assert_eq!(stage.memberships().await, numbered_pairs(1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_goes_on_only_with_the_same_input_and_options() {
    let stage = Stage::new().await;
    let refused = |number| [2, 4].contains(&number).then_some(Fault::Answer(403, None, "no"));
    let gateway = Gateway::with_faults(stage.function().await, refused).await;
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
    assert_done(&ended, 0, "500 rows: 500 imported, 0 failed\n");
    let mut expected = numbered_pairs(499);
    expected.insert(("t1#c999".to_owned(), "g".to_owned()));
    assert_eq!(stage.memberships().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_refused_at_once_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let mistyped = format!("{}/x", gateway.url());
    let refused = desk.run(&mistyped, "list.csv --match off").await;
    assert!(refused.code == Some(1) && refused.stderr.contains("404 NOT_FOUND"), "{refused:?}");
    assert_eq!(desk.files(), ["list.csv"]);
    assert_done(&desk.run(&gateway.url(), "list.csv --match off").await, 0, "10 rows: 10 imported");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_ends_the_run_but_loses_nothing() {
    let stage = Stage::new().await;
    let away = |number| (number < 4).then_some(Fault::Answer(503, Some("1"), "{}"));
    let gateway = Gateway::with_faults(stage.function().await, away).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let stopped = desk.run(&gateway.url(), "list.csv --match off --patience 2").await;
    assert!(stopped.code == Some(1) && stopped.stderr.contains("503"), "{stopped:?}");
    let ended = desk.run(&gateway.url(), "list.csv --match off").await;
    assert_done(&ended, 0, "10 rows: 10 imported, 0 failed\n");
    let keys: BTreeSet<_> = gateway.exchanges().into_iter().map(|exchange| exchange.key).collect();
    assert_eq!(keys.len(), 1, "the second run asks for what the first one did");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_imported_and_taken_up_again() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_fail_and_writes_nothing() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(70);
    desk.write("list.csv", csv);
    let ended = desk.run(&gateway.url(), "list.csv --match off --dry-run").await;
    assert_done(&ended, 2, "70 rows: 60 imported, 10 failed\n");
    assert!(stage.memberships().await.is_empty());
    assert_eq!(desk.read("list.dry-run-failed.csv"), failed);
    assert_done(&desk.run(&gateway.url(), "list.csv --match off").await, 2, "70 rows: 60 imported");
    assert_eq!(stage.memberships().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_end_as_they_should() {
    const ROWS: usize = 100_000;
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(ROWS);
    desk.write("list.csv", csv);
    let ended = desk.run(&gateway.url(), "list.csv --match off --batch 5000").await;
    assert_done(&ended, 2, "100000 rows: 85714 imported, 14286 failed\n");
    assert!(desk.read("list.failed.csv") == failed, "the failed rows differ");
    assert!(stage.memberships().await == expected, "the memberships differ");
}
