//! Calls through the proxy, with and without faults.

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::RequestId;
use futures_util::future::join_all;
use std::time::Duration;
use std::time::Instant;
use testing::proxy::Action;
use testing::proxy::Proxy;
use testing::proxy::Rule;
use tokio::net::TcpListener;

use crate::stage::{Outcome, REFUSED, Stage, TABLE, client};

#[tokio::test]
async fn calls_and_responses_are_forwarded() -> Outcome {
    let stage = Stage::with_customers(3).await?;
    let found = stage.get(0..5).send().await?;
    assert_eq!(found.responses().ok_or("no answer")?[TABLE].len(), 3);
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_database_reaches_the_client() -> Outcome {
    let stage = Stage::new().await?;
    let outcome = stage.client.scan().table_name("unknown").send().await;
    let error = outcome.err().ok_or("the table is unknown")?;
    assert!(error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()));
    Ok(())
}

#[tokio::test]
async fn every_call_is_recorded_with_its_body_and_its_time() -> Outcome {
    let stage = Stage::new().await?;
    stage.put([7]).send().await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    stage.query().send().await?;
    let [put, query] = stage.proxy.calls().try_into().map_err(|_| "two calls")?;
    assert_eq!(put.operation, "BatchWriteItem");
    let item = &put.body["RequestItems"][TABLE][0]["PutRequest"]["Item"];
    assert_eq!(item["id"]["S"], "7");
    assert_eq!(query.operation, "Query");
    assert!(query.at >= put.at + Duration::from_millis(20));
    assert_eq!(stage.proxy.count("Query"), 1);
    Ok(())
}

#[tokio::test]
async fn a_reset_clears_calls_and_peaks_but_not_rules() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", REFUSED));
    stage.put([1]).send().await?;
    stage.proxy.reset();
    assert!(stage.proxy.calls().is_empty());
    assert_eq!(stage.proxy.peak("BatchWriteItem"), 0);
    assert!(stage.query().send().await.is_err());
    Ok(())
}

#[tokio::test]
async fn the_peak_counts_concurrent_calls() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", Action::Delay(Duration::from_millis(100))));
    for together in [4, 2] {
        join_all((0..together).map(|_| stage.query().send())).await;
    }
    assert_eq!(stage.proxy.peak("Query"), 4);
    assert_eq!(stage.proxy.count("Query"), 6);
    assert_eq!(stage.proxy.peak("Scan"), 0);
    Ok(())
}

#[tokio::test]
async fn a_dropped_proxy_does_not_respond() -> Outcome {
    let Stage { proxy, client } = Stage::new().await?;
    client.list_tables().send().await?;
    drop(proxy);
    let outcome = client.list_tables().send().await;
    assert!(matches!(outcome, Err(SdkError::DispatchFailure(_))));
    Ok(())
}

#[tokio::test]
async fn an_unreachable_upstream_is_named_in_the_response() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let closed = format!("http://{}", listener.local_addr()?);
    drop(listener);
    let proxy = Proxy::start(&closed).await;
    let client = client(&proxy.endpoint(), |config| config);
    let error = client.list_tables().send().await.err().ok_or("nobody there")?;
    assert_eq!(error.code(), Some("UpstreamUnreachable"));
    Ok(())
}

#[tokio::test]
async fn a_delayed_call_succeeds_after_the_delay() -> Outcome {
    let stage = Stage::with_customers(1).await?;
    let delay = Duration::from_millis(60);
    stage.proxy.rule(Rule::on("Query", Action::Delay(delay)));
    let start = Instant::now();
    assert_eq!(stage.query().send().await?.count(), 1);
    assert!(start.elapsed() >= delay);
    Ok(())
}

#[tokio::test]
async fn an_injected_error_is_the_sdk_error_of_that_name() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", REFUSED));
    let error = stage.query().send().await.err().ok_or("refused")?;
    assert_eq!(error.message(), Some("slow down"));
    let error = error.into_service_error();
    assert!(error.is_provisioned_throughput_exceeded_exception());
    assert!(error.request_id().is_some());
    Ok(())
}

#[tokio::test]
async fn an_injected_error_is_retried_by_a_client_that_retries() -> Outcome {
    let stage = Stage::with_customers(1).await?;
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let client = client(&stage.proxy.endpoint(), |config| config.retry_config(retries));
    stage.proxy.rule(Rule::on("Scan", REFUSED).times(2));
    assert_eq!(client.scan().table_name(TABLE).send().await?.count(), 1);
    assert_eq!(stage.proxy.count("Scan"), 3);
    Ok(())
}

#[tokio::test]
async fn a_hanging_call_ends_when_the_client_gives_up() -> Outcome {
    let stage = Stage::new().await?;
    let patience = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(100));
    let client = client(&stage.proxy.endpoint(), |config| config.timeout_config(patience.build()));
    stage.proxy.rule(Rule::on("Scan", Action::Hang));
    let outcome = client.scan().table_name(TABLE).send().await;
    assert!(matches!(outcome, Err(SdkError::TimeoutError(_))));
    // If the first were still in progress, the next call would count as concurrent.
    tokio::time::sleep(Duration::from_millis(50)).await;
    stage.proxy.clear_rules();
    client.scan().table_name(TABLE).send().await?;
    assert_eq!(stage.proxy.peak("Scan"), 1);
    Ok(())
}

#[tokio::test]
async fn a_reset_connection_is_a_failed_dispatch_without_effect() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Reset));
    let outcome = stage.put([1]).send().await;
    assert!(matches!(outcome, Err(SdkError::DispatchFailure(_))));
    assert_eq!(stage.stored().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_truncated_response_is_an_error_although_the_call_took_effect() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Truncate));
    let outcome = stage.put([1]).send().await;
    let Err(SdkError::ResponseError(error)) = outcome else {
        panic!("the head arrived, the body broke off: {outcome:?}");
    };
    assert_eq!(error.raw().status().as_u16(), 200);
    assert_eq!(stage.stored().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_garbled_response_is_a_service_error_without_a_code() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", Action::Garble));
    let Err(SdkError::ServiceError(error)) = stage.query().send().await else {
        panic!("the SDK accepted a response that is not JSON");
    };
    assert_eq!(error.raw().status().as_u16(), 200);
    assert_eq!(error.err().code(), None);
    Ok(())
}
