//! Partly processed batches, and rules that select calls.

use aws_sdk_dynamodb::error::SdkError;
use testing::proxy::Action;
use testing::proxy::Rule;
use testing::proxy::Share;

use crate::stage::{Outcome, REFUSED, Stage, TABLE, key, put_request};

#[tokio::test]
async fn unprocessed_writes_are_returned_and_not_written() -> Outcome {
    let stage = Stage::new().await?;
    let processed = Share::Count(3);
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Unprocessed { processed }));
    let answer = stage.put(0..10).send().await?;
    let left = &answer.unprocessed_items().ok_or("seven are left")?[TABLE];
    assert_eq!(*left, (3..10).map(put_request).collect::<Vec<_>>());
    assert_eq!(stage.stored().await?, 3);
    Ok(())
}

#[tokio::test]
async fn the_processed_share_is_counted_over_all_tables() -> Outcome {
    let stage = Stage::new().await?;
    let processed = Share::Count(3);
    let rule = Rule::on("BatchWriteItem", Action::Unprocessed { processed });
    stage.proxy.rule(rule);
    // The database has no such table, and the proxy does not forward its entries.
    let other = "other";
    let puts = (0..2).map(put_request).collect();
    let answer = stage.put(0..3).request_items(other, puts).send().await?;
    let left = answer.unprocessed_items().ok_or("one table is left")?;
    assert_eq!(left.keys().collect::<Vec<_>>(), [other]);
    assert_eq!(left[other].len(), 2);
    assert_eq!(stage.stored().await?, 3);
    Ok(())
}

#[tokio::test]
async fn unprocessed_keys_are_returned_and_not_read() -> Outcome {
    let stage = Stage::with_customers(10).await?;
    let processed = Share::Fraction(1, 2);
    stage.proxy.rule(Rule::on("BatchGetItem", Action::Unprocessed { processed }));
    let answer = stage.get(0..10).send().await?;
    assert_eq!(answer.responses().ok_or("five are read")?[TABLE].len(), 5);
    let left = &answer.unprocessed_keys().ok_or("five are left")?[TABLE];
    assert_eq!(left.keys(), (5..10).map(key).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_whole_batch_can_be_left_unprocessed() -> Outcome {
    let stage = Stage::new().await?;
    let processed = Share::Count(0);
    stage.proxy.rule(Rule::on_any(Action::Unprocessed { processed }));
    let answer = stage.put(0..10).send().await?;
    assert_eq!(answer.unprocessed_items().ok_or("all are left")?[TABLE].len(), 10);
    let answer = stage.get(0..10).send().await?;
    assert_eq!(answer.unprocessed_keys().ok_or("all are left")?[TABLE].keys().len(), 10);
    assert_eq!(stage.stored().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_batch_with_all_its_entries_processed_leaves_none() -> Outcome {
    let stage = Stage::new().await?;
    let processed = Share::Count(25);
    stage.proxy.rule(Rule::on_any(Action::Unprocessed { processed }));
    let answer = stage.put(0..10).send().await?;
    assert_eq!(answer.unprocessed_items().map(|left| left.len()), Some(0));
    Ok(())
}

#[tokio::test]
async fn the_first_matching_rule_acts() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Scan", Action::Reset));
    stage.proxy.rule(Rule::on("Query", REFUSED));
    stage.proxy.rule(Rule::on_any(Action::Reset));
    let outcome = stage.query().send().await;
    assert!(matches!(outcome, Err(SdkError::ServiceError(_))));
    Ok(())
}

#[tokio::test]
async fn a_rule_can_match_the_body() -> Outcome {
    let stage = Stage::new().await?;
    let of_seven =
        |body: &serde_json::Value| body["RequestItems"][TABLE][0]["PutRequest"]["Item"]["id"]["S"] == "7";
    stage.proxy.rule(Rule::on("BatchWriteItem", REFUSED).when(of_seven));
    assert!(stage.put([6]).send().await.is_ok());
    assert!(stage.put([7]).send().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_rule_can_skip_calls_and_run_out() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", REFUSED).after(1).times(2));
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(stage.query().send().await.is_ok());
    }
    assert_eq!(outcomes, [true, false, false, true, true]);
    Ok(())
}

#[tokio::test]
async fn cleared_rules_no_longer_act() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on_any(REFUSED));
    stage.proxy.clear_rules();
    assert!(stage.query().send().await.is_ok());
    Ok(())
}
