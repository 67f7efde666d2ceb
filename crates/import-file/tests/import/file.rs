//! The client of `import-file`, against the function on a real database: what is imported, what fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::desk::{Desk, holed_csv, numbered_csv};
use testing::capacity::Capacity;
use testing::gateway::{Fault, Gateway};
use testing::proxy::{Action, Rule, Throughput};
use testing::shorthand::{numbered_pairs, pairs};
use testing::stage::Stage;

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
    ended.assert_done(2, "5 rows: 2 imported, 3 failed\n");
    let mut expected = pairs([("t1#c1", "vip"), ("t1#c1", "new"), ("t1#c1", "spring")]);
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(
        desk.read("list.failed.csv"),
        "\u{feff}note,openid,groups,unionid,errorCode,errorMsg,retryable\n\
         \"late, \"\"x\"\"\",o2,vip,,NOT_MATCHED,未匹配到客户,false\n\
         broken,o1,vip,,BAD_ROW,第4行有3列，应为4列,false\n\
         ,,,,MISSING_IDENTIFIER,缺少可用的身份标识,false\n"
    );
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"], "no state is left");

    // The cause is gone: one customer is there now, and somebody mended the other rows.
    stage.put_customers([json!({"audienceUserId": "c2", "openid": "o2"})]).await;
    desk.write("list.failed.csv", desk.read("list.failed.csv").replace("\n,,,,MISS", "\nx,o2,new,,MISS"));
    let ended = desk.run(&gateway.url(), "list.failed.csv --match fuzzy").await;
    ended.assert_done(0, "3 rows: 3 imported, 0 failed\n");
    expected.extend(pairs([("t1#c2", "vip"), ("t1#c2", "new")]));
    assert_eq!(stage.memberships().await, expected);
    assert_eq!(desk.files(), ["list.csv", "list.failed.csv"], "no row failed, no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_imported_again_gets_a_new_outcome() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", "openid,groups\no1,vip\n");
    desk.run(&gateway.url(), "list.csv --match exact").await.assert_done(2, "1 row: 0 imported");
    stage.put_customers([json!({"audienceUserId": "c1", "openid": "o1"})]).await;
    let ended = desk.run(&gateway.url(), "list.csv --match exact").await;
    assert_eq!(ended.code, Some(1), "failed rows are not overwritten by default: {ended:?}");
    assert!(ended.stderr.contains("--restart"), "{ended:?}");
    let ended = desk.run(&gateway.url(), "list.csv --match exact --restart").await;
    ended.assert_done(0, "1 row: 1 imported, 0 failed\n");
    assert_eq!(desk.files(), ["list.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_gbk_is_imported_and_its_failed_rows_are_in_gbk() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let gbk = |text: &str| encoding_rs::GBK.encode(text).0.into_owned();
    desk.write("list.csv", gbk("audienceUserId,groups,备注\nc1,新客,甲\nc2,,乙\n"));
    let ended = desk.run(&gateway.url(), "list.csv --match off --encoding gbk").await;
    ended.assert_done(2, "2 rows: 1 imported, 1 failed\n");
    assert_eq!(ended.stderr, "columns that are not sent: 备注\n");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "新客")]));
    let failed =
        "audienceUserId,groups,备注,errorCode,errorMsg,retryable\nc2,,乙,MISSING_GROUPS,缺少客户分组,false\n";
    assert_eq!(std::fs::read(desk.path("list.failed.csv")).expect("a file"), gbk(failed));
    desk.write("list.failed.csv", gbk(&failed.replace(",,乙", ",老客,乙")));
    let ended = desk.run(&gateway.url(), "list.failed.csv --match off --encoding gbk").await;
    ended.assert_done(0, "1 row: 1 imported, 0 failed\n");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "新客"), ("t1#c2", "老客")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_in_another_encoding_stops_the_run() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let mut content = numbered_csv(250).into_bytes();
    content.extend_from_slice(b"c250,\xd0\xc2\xbf\xcd\n");
    desk.write("list.csv", &content);
    let said = "line 252 is not UTF-8: save the file as UTF-8, or name its encoding by --encoding gbk\n";
    let ended = desk.run(&gateway.url(), "list.csv --match off --batch 100").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("stopped after 200 rows") && ended.stderr.ends_with(said), "{ended:?}");
    assert_eq!(stage.memberships().await, numbered_pairs(200), "whole batches before it are settled");
    // The encoding is part of the plan.
    let other = desk.run(&gateway.url(), "list.csv --match off --batch 100 --encoding gbk").await;
    assert!(other.code == Some(1) && other.stderr.contains("--encoding"), "{other:?}");
    let restarted = desk.run(&gateway.url(), "list.csv --match off --encoding gbk --restart").await;
    restarted.assert_done(0, "251 rows: 251 imported, 0 failed\n");
    assert!(stage.memberships().await.contains(&("t1#c250".to_owned(), "新客".to_owned())));

    // Where nothing was settled, the flag alone mends it.
    desk.write("other.csv", b"audienceUserId,groups\nc1,\xc0\xcf\xbf\xcd\n");
    let ended = desk.run(&gateway.url(), "other.csv --match off").await;
    assert!(ended.code == Some(1) && ended.stderr.contains("line 2 is not UTF-8"), "{ended:?}");
    let ended = desk.run(&gateway.url(), "other.csv --match off --encoding gbk").await;
    ended.assert_done(0, "1 row: 1 imported, 0 failed\n");
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
    ended.assert_done(2, "5 rows: 2 imported, 3 failed\n");
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
    ended.assert_done(2, "3 rows: 1 imported, 2 failed\n");
    assert!(stage.memberships().await.contains(&("t1#c9".to_owned(), "g".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_failed_responses_make_nothing_run_twice() {
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
    ended.assert_done(2, "700 rows: 600 imported, 100 failed\n");
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
async fn no_retry_comes_before_retry_after() {
    let stage = Stage::new().await;
    let throttled = Fault::Answer(429, Some("2"), r#"{"message":"Too Many Requests"}"#);
    let gateway =
        Gateway::with_faults(stage.function().await, move |number| (number == 0).then_some(throttled)).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(1));
    desk.run(&gateway.url(), "list.csv --match off").await.assert_done(0, "1 row: 1 imported");
    let exchanges = gateway.exchanges();
    // The client's own first pause is half a second at most.
    assert!(exchanges[1].at - exchanges[0].at >= Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_still_running_is_waited_for() {
    let stage = Stage::new().await;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Delay(Duration::from_millis(4_500))).times(1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(10));
    let ended = desk.run(&gateway.url(), "list.csv --match off --timeout 2").await;
    ended.assert_done(0, "10 rows: 10 imported, 0 failed\n");
    let statuses: Vec<_> = gateway.exchanges().iter().map(|exchange| exchange.status).collect();
    assert!(statuses.contains(&Some(201)), "{statuses:?}");
    assert_eq!(stage.proxy.count("BatchWriteItem"), 1);
    assert_eq!(stage.memberships().await, numbered_pairs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_fail_for_now_are_sent_again_alone_under_a_key_of_their_own() {
    let stage = Stage::new().await;
    let rejected = Action::Error { status: 400, code: "AccessDeniedException", message: "no" };
    stage.proxy.rule(Rule::on("BatchWriteItem", rejected).times(1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(100));
    desk.run(&gateway.url(), "list.csv --match off").await.assert_done(0, "100 rows: 100 imported");
    assert_eq!(stage.memberships().await, numbered_pairs(100));
    let exchanges = gateway.exchanges();
    assert_eq!(exchanges.len(), 2);
    assert_ne!(exchanges[0].key, exchanges[1].key);
    assert_eq!(exchanges[1].body.matches("audienceUserId").count(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_run_out_of_time_are_sent_again_in_smaller_requests() {
    let stage = Stage::new().await;
    let writes = Some(Arc::new(Capacity::new(1, 200.0, 0.5)));
    stage.proxy.throughput(Throughput { writes, ..Throughput::default() });
    let mut function = stage.function().await;
    // One second of it is for calls.
    function.seconds = 2.5;
    let gateway = Gateway::start(function).await;
    let desk = Desk::new();
    desk.write("list.csv", numbered_csv(1_000));
    let ended = desk.run(&gateway.url(), "list.csv --match off --batch 500 --concurrency 2").await;
    ended.assert_done(0, "1000 rows: 1000 imported");
    assert_eq!(stage.memberships().await, numbered_pairs(1_000));
    let sizes =
        gateway.exchanges().into_iter().map(|exchange| exchange.body.matches("audienceUserId").count());
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes[..2], [500, 500]);
    assert!(sizes[2..].iter().all(|size| *size <= 375), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_keep_failing_for_now_end_among_the_failed_rows() {
    let stage = Stage::new().await;
    let rejected = Action::Error { status: 400, code: "AccessDeniedException", message: "no" };
    let only_c1 = |body: &serde_json::Value| body.to_string().contains("t1#c1\"");
    stage.proxy.rule(Rule::on("BatchWriteItem", rejected).when(only_c1));
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    desk.write("list.csv", "audienceUserId,groups\nc1,g\nc2,\n");
    let ended = desk.run(&gateway.url(), "list.csv --match off").await;
    ended.assert_done(2, "2 rows: 0 imported, 2 failed\n");
    let failed = desk.read("list.failed.csv");
    assert!(
        failed.contains("c1,g,STORE_ERROR,") && failed.contains(",true\nc2,,MISSING_GROUPS,"),
        "{failed}"
    );
    stage.proxy.clear_rules();
    desk.write("list.failed.csv", failed.replace("c2,,", "c2,g,"));
    desk.run(&gateway.url(), "list.failed.csv --match off").await.assert_done(0, "2 rows: 2 imported");
    assert_eq!(stage.memberships().await, pairs([("t1#c1", "g"), ("t1#c2", "g")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_what_would_fail_and_writes_nothing() {
    let stage = Stage::new().await;
    let gateway = Gateway::start(stage.function().await).await;
    let desk = Desk::new();
    let (csv, failed, expected) = holed_csv(70);
    desk.write("list.csv", csv);
    let ended = desk.run(&gateway.url(), "list.csv --match off --dry-run").await;
    ended.assert_done(2, "dry run: 70 rows: 60 would be imported, 10 failed\nNothing was written.\n");
    assert!(stage.memberships().await.is_empty());
    assert_eq!(desk.read("list.dry-run-failed.csv"), failed);
    desk.run(&gateway.url(), "list.csv --match off").await.assert_done(2, "70 rows: 60 imported");
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
    ended.assert_done(2, "100000 rows: 85714 imported, 14286 failed\n");
    assert!(desk.read("list.failed.csv") == failed, "the failed rows differ");
    assert!(stage.memberships().await == expected, "the memberships differ");
}
