//! The proxy of the integration tests, driven by the real SDK against an embedded DynamoDB.

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemFluentBuilder;
use aws_sdk_dynamodb::operation::batch_write_item::builders::BatchWriteItemFluentBuilder;
use aws_sdk_dynamodb::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_dynamodb::operation::execute_statement::builders::ExecuteStatementFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, DeleteRequest, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, KeysAndAttributes, Projection, ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
};
use dynoxide::Database;
use futures_util::future::join_all;
use testing::proxy::{Action, Proxy, Rule, Share};
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn Error>>;

const TABLE: &str = "customers";
const INDEX: &str = "phone-index";
const REFUSED: Action =
    Action::Error { status: 400, code: "ProvisionedThroughputExceededException", message: "slow down" };

/// A proxy before a database with one table, and a client of the proxy that does not retry.
struct Stage {
    proxy: Proxy,
    client: Client,
}

impl Stage {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = format!("http://{}", listener.local_addr()?);
        let database = Database::memory()?;
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        create_table(&client(&upstream, |config| config)).await?;
        let proxy = Proxy::start(&upstream).await;
        proxy.table_key(TABLE, &["id", "tenant"]);
        let client = client(&proxy.endpoint(), |config| config);
        Ok(Self { proxy, client })
    }

    /// Puts customers `0` to `n - 1`, all with one phone number, and forgets that it did.
    async fn with_customers(n: usize) -> Result<Self, Box<dyn Error>> {
        let stage = Self::new().await?;
        for first in (0..n).step_by(25) {
            stage.put(first..n.min(first + 25)).send().await?;
        }
        stage.proxy.reset();
        Ok(stage)
    }

    fn put(&self, ids: impl IntoIterator<Item = usize>) -> BatchWriteItemFluentBuilder {
        let puts = ids.into_iter().map(put_request).collect();
        let call = self.client.batch_write_item();
        call.request_items(TABLE, puts)
    }

    fn get(&self, ids: impl IntoIterator<Item = usize>) -> BatchGetItemFluentBuilder {
        let keys = KeysAndAttributes::builder().set_keys(Some(ids.into_iter().map(key).collect()));
        let keys = keys.build().expect("the keys are set");
        let call = self.client.batch_get_item();
        call.request_items(TABLE, keys)
    }

    /// The customers stored, none of the proxy's settings in the way.
    async fn stored(&self) -> Result<usize, Box<dyn Error>> {
        self.proxy.clear_rules();
        self.proxy.page_size(None);
        let all = self.client.scan().table_name(TABLE).send().await?;
        Ok(all.items().len())
    }

    fn select(&self, phones: &[&str]) -> ExecuteStatementFluentBuilder {
        let marks = vec!["?"; phones.len()].join(", ");
        let statement =
            format!("SELECT id, phone FROM \"{TABLE}\".\"{INDEX}\" WHERE phone IN [{marks}] AND tenant = ?");
        let values = phones.iter().chain([&"t"]).map(|value| s(value)).collect();
        let call = self.client.execute_statement().statement(statement);
        call.set_parameters(Some(values))
    }

    fn query(&self) -> QueryFluentBuilder {
        let call = self.client.query().table_name(TABLE).index_name(INDEX);
        call.key_condition_expression("phone = :phone AND tenant = :tenant")
            .expression_attribute_values(":phone", s("1"))
            .expression_attribute_values(":tenant", s("t"))
    }
}

fn client(endpoint: &str, change: impl FnOnce(Builder) -> Builder) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled());
    Client::from_conf(change(config).build())
}

async fn create_table(client: &Client) -> Outcome {
    let attribute = |name| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(ScalarAttributeType::S).build()
    };
    let key = |name, kind| {
        let key = KeySchemaElement::builder().attribute_name(name);
        key.key_type(kind).build()
    };
    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly);
    let index = GlobalSecondaryIndex::builder()
        .index_name(INDEX)
        .key_schema(key("phone", KeyType::Hash)?)
        .key_schema(key("tenant", KeyType::Range)?)
        .projection(keys_only.build());
    client
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(attribute("id")?)
        .attribute_definitions(attribute("tenant")?)
        .attribute_definitions(attribute("phone")?)
        .key_schema(key("id", KeyType::Hash)?)
        .key_schema(key("tenant", KeyType::Range)?)
        .global_secondary_indexes(index.build()?)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await?;
    Ok(())
}

fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn key(id: usize) -> HashMap<String, AttributeValue> {
    [("id", id.to_string()), ("tenant", "t".to_owned())]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
        .into()
}

fn put_request(id: usize) -> WriteRequest {
    let mut item = key(id);
    item.insert("phone".to_owned(), s("1"));
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

fn ids(page: &ExecuteStatementOutput) -> Vec<String> {
    let id = |item: &HashMap<_, _>| match item.get("id") {
        Some(AttributeValue::S(id)) => id.clone(),
        other => panic!("an item without an id: {other:?}"),
    };
    page.items().iter().map(id).collect()
}

/// The message of an answer that the proxy gave itself, not the database behind it.
#[track_caller]
fn rejection<T, E>(outcome: Result<T, SdkError<E>>) -> String
where
    E: Error + ProvideErrorMetadata + RequestId + 'static,
{
    let Err(error) = outcome else {
        panic!("the call was not refused");
    };
    assert_eq!(error.code(), Some("ValidationException"));
    let id = error.request_id().unwrap_or_default().to_owned();
    assert!(id.starts_with("proxy-"), "not of the proxy: {id:?}");
    error.message().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_call_reaches_the_database_and_its_answer_the_client() -> Outcome {
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
async fn a_reset_forgets_calls_and_peaks_but_not_rules() -> Outcome {
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
async fn the_peak_is_the_most_calls_under_way_at_once() -> Outcome {
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
async fn a_dropped_proxy_answers_no_more() -> Outcome {
    let Stage { proxy, client } = Stage::new().await?;
    client.list_tables().send().await?;
    drop(proxy);
    let outcome = client.list_tables().send().await;
    assert!(matches!(outcome, Err(SdkError::DispatchFailure(_))));
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_named_in_the_answer() -> Outcome {
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
async fn a_delayed_call_is_answered_after_the_delay() -> Outcome {
    let stage = Stage::with_customers(1).await?;
    let delay = Duration::from_millis(60);
    stage.proxy.rule(Rule::on("Query", Action::Delay(delay)));
    let start = Instant::now();
    assert_eq!(stage.query().send().await?.count(), 1);
    assert!(start.elapsed() >= delay);
    Ok(())
}

#[tokio::test]
async fn an_error_answer_is_the_error_of_the_sdk_by_that_name() -> Outcome {
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
async fn an_error_answer_is_retried_by_a_client_that_retries() -> Outcome {
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
    // The next call would count as the second at once, were the first still under way.
    tokio::time::sleep(Duration::from_millis(50)).await;
    stage.proxy.clear_rules();
    client.scan().table_name(TABLE).send().await?;
    assert_eq!(stage.proxy.peak("Scan"), 1);
    Ok(())
}

#[tokio::test]
async fn a_reset_connection_is_a_failed_dispatch_and_nothing_is_done() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Reset));
    let outcome = stage.put([1]).send().await;
    assert!(matches!(outcome, Err(SdkError::DispatchFailure(_))));
    assert_eq!(stage.stored().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_truncated_answer_is_an_error_although_the_call_was_done() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("BatchWriteItem", Action::Truncate));
    let outcome = stage.put([1]).send().await;
    let Err(SdkError::ResponseError(error)) = outcome else {
        panic!("the head came, the body broke off: {outcome:?}");
    };
    assert_eq!(error.raw().status().as_u16(), 200);
    assert_eq!(stage.stored().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_garbled_answer_is_a_service_error_without_a_code() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on("Query", Action::Garble));
    let Err(SdkError::ServiceError(error)) = stage.query().send().await else {
        panic!("the SDK read an answer that is not JSON");
    };
    assert_eq!(error.raw().status().as_u16(), 200);
    assert_eq!(error.err().code(), None);
    Ok(())
}

#[tokio::test]
async fn unprocessed_writes_are_returned_and_not_done() -> Outcome {
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
    // The database has no such table, and does not come to know of it.
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
async fn a_rule_can_look_at_the_body() -> Outcome {
    let stage = Stage::new().await?;
    let of_seven =
        |body: &serde_json::Value| body["RequestItems"][TABLE][0]["PutRequest"]["Item"]["id"]["S"] == "7";
    stage.proxy.rule(Rule::on("BatchWriteItem", REFUSED).when(of_seven));
    assert!(stage.put([6]).send().await.is_ok());
    assert!(stage.put([7]).send().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_rule_can_wait_for_its_turn_and_run_out() -> Outcome {
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
async fn cleared_rules_act_no_more() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.rule(Rule::on_any(REFUSED));
    stage.proxy.clear_rules();
    assert!(stage.query().send().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_statement_is_answered_page_by_page() -> Outcome {
    let stage = Stage::with_customers(23).await?;
    stage.proxy.page_size(Some(10));
    let (mut sizes, mut all, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let page = stage.select(&["1", "2"]).set_next_token(token).send().await?;
        sizes.push(page.items().len());
        all.extend(ids(&page));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 3]);
    all.sort_by_key(|id| id.parse::<usize>().ok());
    assert_eq!(all, (0..23).map(|id| id.to_string()).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_full_page_promises_another_though_nothing_follows() -> Outcome {
    let stage = Stage::with_customers(10).await?;
    stage.proxy.page_size(Some(10));
    let page = stage.select(&["1"]).send().await?;
    assert_eq!(page.items().len(), 10);
    assert!(page.next_token().is_some());
    let page = stage.select(&["1"]).set_next_token(page.next_token).send().await?;
    assert_eq!(page.items().len(), 0);
    assert_eq!(page.next_token(), None);
    Ok(())
}

#[tokio::test]
async fn a_page_can_be_asked_for_again() -> Outcome {
    let stage = Stage::with_customers(15).await?;
    stage.proxy.page_size(Some(10));
    let token = stage.select(&["1"]).send().await?.next_token;
    let page = stage.select(&["1"]).set_next_token(token.clone()).send().await?;
    let again = stage.select(&["1"]).set_next_token(token).send().await?;
    assert_eq!(ids(&page), ids(&again));
    Ok(())
}

#[tokio::test]
async fn a_continuation_must_repeat_statement_and_parameters() -> Outcome {
    let stage = Stage::with_customers(15).await?;
    stage.proxy.page_size(Some(10));
    let token = stage.select(&["1"]).send().await?.next_token;
    for phones in [&["2"][..], &["1", "2"]] {
        let other = stage.select(phones).set_next_token(token.clone());
        assert_eq!(rejection(other.send().await), "NextToken does not match request");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_database_ends_a_paged_statement() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.page_size(Some(10));
    let call = stage.client.execute_statement().statement("SELECT * FROM unknown");
    let error = call.send().await.err().ok_or("the table is unknown")?;
    assert!(error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()));
    Ok(())
}

#[tokio::test]
async fn a_query_is_answered_page_by_page() -> Outcome {
    let stage = Stage::with_customers(20).await?;
    stage.proxy.page_size(Some(10));
    let (mut sizes, mut from) = (Vec::new(), None);
    loop {
        let page = stage.query().set_exclusive_start_key(from).send().await?;
        sizes.push(page.count());
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 0], "the second page is full, so another is promised");
    Ok(())
}

#[tokio::test]
async fn without_a_page_size_all_comes_at_once() -> Outcome {
    let stage = Stage::with_customers(30).await?;
    assert_eq!(stage.select(&["1"]).send().await?.items().len(), 30);
    assert_eq!(stage.query().send().await?.count(), 30);
    Ok(())
}

#[tokio::test]
async fn a_value_twice_in_a_list_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    let message = rejection(stage.select(&["1", "2", "1"]).send().await);
    assert!(message.starts_with("Overlapping conditions"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_literal_and_a_parameter_of_one_value_are_refused() -> Outcome {
    let stage = Stage::new().await?;
    let statement = "SELECT id FROM customers WHERE tenant = ? AND id in ('a', ?)";
    let call = stage.client.execute_statement().statement(statement);
    let call = call.parameters(s("t")).parameters(s("a"));
    let message = rejection(call.send().await);
    assert!(message.starts_with("Overlapping conditions"), "{message}");
    Ok(())
}

#[tokio::test]
async fn one_value_in_two_lists_is_not_refused() -> Outcome {
    let stage = Stage::new().await?;
    let statement = "SELECT id FROM customers WHERE id IN [?, 'IN [?, ?]'] AND tenant IN [?, 'b']";
    let call = stage.client.execute_statement().statement(statement);
    call.parameters(s("a")).parameters(s("a")).send().await?;
    Ok(())
}

#[tokio::test]
async fn a_list_of_over_50_values_is_refused() -> Outcome {
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
async fn a_consistent_read_of_an_index_is_refused() -> Outcome {
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
async fn a_statement_over_8192_characters_is_refused() -> Outcome {
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
async fn a_batch_of_over_25_writes_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    assert!(stage.put(0..25).send().await.is_ok());
    let message = rejection(stage.put(0..26).send().await);
    assert!(message.ends_with("less than or equal to 25"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_batch_that_writes_a_key_twice_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    let delete = DeleteRequest::builder().set_key(Some(key(1))).build()?;
    let delete = WriteRequest::builder().delete_request(delete).build();
    let call = stage.client.batch_write_item();
    let call = call.request_items(TABLE, vec![put_request(1), put_request(2), delete]);
    assert!(rejection(call.send().await).ends_with("contains duplicates"));
    Ok(())
}

#[tokio::test]
async fn a_batch_of_over_100_keys_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    assert!(stage.get(0..100).send().await.is_ok());
    let message = rejection(stage.get(0..101).send().await);
    assert!(message.ends_with("less than or equal to 100"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_batch_that_reads_a_key_twice_is_refused() -> Outcome {
    let stage = Stage::new().await?;
    assert!(rejection(stage.get([1, 2, 1]).send().await).ends_with("contains duplicates"));
    Ok(())
}
