//! A proxy before a database with one table.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemFluentBuilder;
use aws_sdk_dynamodb::operation::batch_write_item::builders::BatchWriteItemFluentBuilder;
use aws_sdk_dynamodb::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_dynamodb::operation::execute_statement::builders::ExecuteStatementFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeDefinition;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::BillingMode;
use aws_sdk_dynamodb::types::GlobalSecondaryIndex;
use aws_sdk_dynamodb::types::KeySchemaElement;
use aws_sdk_dynamodb::types::KeyType;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::Projection;
use aws_sdk_dynamodb::types::ProjectionType;
use aws_sdk_dynamodb::types::PutRequest;
use aws_sdk_dynamodb::types::ScalarAttributeType;
use aws_sdk_dynamodb::types::WriteRequest;
use dynoxide::Database;
use std::collections::HashMap;
use std::error::Error;
use testing::proxy::Action;
use testing::proxy::Proxy;
use tokio::net::TcpListener;
pub type Outcome = Result<(), Box<dyn Error>>;

pub const TABLE: &str = "customers";
pub const INDEX: &str = "phone-index";
pub const REFUSED: Action =
    Action::Error { status: 400, code: "ProvisionedThroughputExceededException", message: "slow down" };

/// A proxy before a database with one table, and a client of the proxy that does not retry.
pub struct Stage {
    pub proxy: Proxy,
    pub client: Client,
}

impl Stage {
    pub async fn new() -> Result<Self, Box<dyn Error>> {
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

    /// Puts customers `0` to `n - 1`, all with one phone number, and clears the record of these calls.
    pub async fn with_customers(n: usize) -> Result<Self, Box<dyn Error>> {
        let stage = Self::new().await?;
        for first in (0..n).step_by(25) {
            stage.put(first..n.min(first + 25)).send().await?;
        }
        stage.proxy.reset();
        Ok(stage)
    }

    pub fn put(&self, ids: impl IntoIterator<Item = usize>) -> BatchWriteItemFluentBuilder {
        let puts = ids.into_iter().map(put_request).collect();
        let call = self.client.batch_write_item();
        call.request_items(TABLE, puts)
    }

    pub fn get(&self, ids: impl IntoIterator<Item = usize>) -> BatchGetItemFluentBuilder {
        let keys = KeysAndAttributes::builder().set_keys(Some(ids.into_iter().map(key).collect()));
        let keys = keys.build().expect("the keys are set");
        let call = self.client.batch_get_item();
        call.request_items(TABLE, keys)
    }

    /// The customers stored, read without the proxy's settings.
    pub async fn stored(&self) -> Result<usize, Box<dyn Error>> {
        self.proxy.clear_rules();
        self.proxy.page_size(None);
        let all = self.client.scan().table_name(TABLE).send().await?;
        Ok(all.items().len())
    }

    pub fn select(&self, phones: &[&str]) -> ExecuteStatementFluentBuilder {
        let marks = vec!["?"; phones.len()].join(", ");
        let statement =
            format!("SELECT id, phone FROM \"{TABLE}\".\"{INDEX}\" WHERE phone IN [{marks}] AND tenant = ?");
        let values = phones.iter().chain([&"t"]).map(|value| s(value)).collect();
        let call = self.client.execute_statement().statement(statement);
        call.set_parameters(Some(values))
    }

    pub fn query(&self) -> QueryFluentBuilder {
        let call = self.client.query().table_name(TABLE).index_name(INDEX);
        call.key_condition_expression("phone = :phone AND tenant = :tenant")
            .expression_attribute_values(":phone", s("1"))
            .expression_attribute_values(":tenant", s("t"))
    }
}

pub fn client(endpoint: &str, change: impl FnOnce(Builder) -> Builder) -> Client {
    let config = testing::client::settings(endpoint).retry_config(RetryConfig::disabled());
    Client::from_conf(change(config).build())
}

pub async fn create_table(client: &Client) -> Outcome {
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

pub fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub fn key(id: usize) -> HashMap<String, AttributeValue> {
    [("id", id.to_string()), ("tenant", "t".to_owned())]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
        .into()
}

pub fn put_request(id: usize) -> WriteRequest {
    let mut item = key(id);
    item.insert("phone".to_owned(), s("1"));
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

pub fn ids(page: &ExecuteStatementOutput) -> Vec<String> {
    let id = |item: &HashMap<_, _>| match item.get("id") {
        Some(AttributeValue::S(id)) => id.clone(),
        other => panic!("an item without an id: {other:?}"),
    };
    page.items().iter().map(id).collect()
}

/// The message of a rejection by the proxy itself, not the database behind it.
#[track_caller]
pub fn rejection<T, E>(outcome: Result<T, SdkError<E>>) -> String
where
    E: Error + ProvideErrorMetadata + RequestId + 'static,
{
    let Err(error) = outcome else {
        panic!("the call was not rejected");
    };
    assert_eq!(error.code(), Some("ValidationException"));
    let id = error.request_id().unwrap_or_default().to_owned();
    assert!(id.starts_with("proxy-"), "not of the proxy: {id:?}");
    error.message().unwrap_or_default().to_owned()
}
