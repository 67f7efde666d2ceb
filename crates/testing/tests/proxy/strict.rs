//! What DynamoDB rejects and emulators accept.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::DeleteRequest;
use aws_sdk_dynamodb::types::WriteRequest;

use crate::stage::{Outcome, Stage, TABLE, key, put_request, rejection, s};

#[tokio::test]
async fn a_value_twice_in_a_list_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let message = rejection(stage.select(&["1", "2", "1"]).send().await);
    assert!(message.starts_with("Overlapping conditions"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_literal_and_a_parameter_of_one_value_are_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let statement = "SELECT id FROM customers WHERE tenant = ? AND id in ('a', ?)";
    let call = stage.client.execute_statement().statement(statement);
    let call = call.parameters(s("t")).parameters(s("a"));
    let message = rejection(call.send().await);
    assert!(message.starts_with("Overlapping conditions"), "{message}");
    Ok(())
}

#[tokio::test]
async fn one_value_in_two_lists_is_not_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let statement = "SELECT id FROM customers WHERE id IN [?, 'IN [?, ?]'] AND tenant IN [?, 'b']";
    let call = stage.client.execute_statement().statement(statement);
    call.parameters(s("a")).parameters(s("a")).send().await?;
    Ok(())
}

#[tokio::test]
async fn a_list_of_over_50_values_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let phones: Vec<String> = (0..51).map(|phone| phone.to_string()).collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    assert!(stage.select(&phones[..50]).send().await.is_ok());
    let message = rejection(stage.select(&phones).send().await);
    assert!(message.contains("51"), "{message}");
    stage.proxy.strict_partiql(false);
    assert!(stage.select(&phones).send().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_consistent_read_of_an_index_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let message = rejection(stage.select(&["1"]).consistent_read(true).send().await);
    assert!(message.contains("consistent read"), "{message}");
    let message = rejection(stage.query().consistent_read(true).send().await);
    assert!(message.starts_with("Consistent reads"), "{message}");
    let of_table = "SELECT id FROM customers WHERE id = 'a' AND home.city = 'b'";
    let call = stage.client.execute_statement().statement(of_table);
    assert!(call.consistent_read(true).send().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_statement_over_8192_characters_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let of_length = |length: usize| {
        let statement = "SELECT id FROM customers WHERE id = ''";
        let padding = "é".repeat(length - statement.len());
        let statement = statement.replace("''", &format!("'{padding}'"));
        stage.client.execute_statement().statement(statement)
    };
    let message = rejection(of_length(8_193).send().await);
    assert!(message.contains("8192"), "{message}");
    let fitting = of_length(8_192).send().await;
    assert!(fitting.is_err_and(|error| error.message() != Some(&message)), "too long for a key");
    Ok(())
}

#[tokio::test]
async fn a_batch_of_over_25_writes_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    assert!(stage.put(0..25).send().await.is_ok());
    let message = rejection(stage.put(0..26).send().await);
    assert!(message.ends_with("less than or equal to 25"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_batch_that_writes_a_key_twice_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    let delete = DeleteRequest::builder().set_key(Some(key(1))).build()?;
    let delete = WriteRequest::builder().delete_request(delete).build();
    let call = stage.client.batch_write_item();
    let call = call.request_items(TABLE, vec![put_request(1), put_request(2), delete]);
    assert!(rejection(call.send().await).ends_with("contains duplicates"));
    Ok(())
}

#[tokio::test]
async fn a_batch_of_over_100_keys_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    assert!(stage.get(0..100).send().await.is_ok());
    let message = rejection(stage.get(0..101).send().await);
    assert!(message.ends_with("less than or equal to 100"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_batch_that_reads_a_key_twice_is_rejected() -> Outcome {
    let stage = Stage::new().await?;
    assert!(rejection(stage.get([1, 2, 1]).send().await).ends_with("contains duplicates"));
    Ok(())
}
