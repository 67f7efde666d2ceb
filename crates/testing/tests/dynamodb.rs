//! The database of the tests: its faults, the rules and pages of AWS, and its record of calls.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testing::dynamodb::{Action, Dynamodb, Response, Rule, Sent, Share, Store};
use testing::items::{put_all, scan};
use testing::stage::{ACCESS_KEY, REGION};
use testing::tables::{self, TableNames};

const TABLE: &str = "customers";
const INDEX: &str = "phone-index";

/// A database with one table, with customers `0` to `n - 1` who share a phone number.
async fn with_customers(n: usize) -> Dynamodb {
    let attributes =
        ["id", "tenant", "phone"].map(|name| json!({"AttributeName": name, "AttributeType": "S"}));
    let key = |name, kind| json!({"AttributeName": name, "KeyType": kind});
    let keys = |hash, range| json!([key(hash, "HASH"), key(range, "RANGE")]);
    let index = json!({
        "IndexName": INDEX,
        "KeySchema": keys("phone", "tenant"),
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    });
    let table = json!({
        "TableName": TABLE,
        "AttributeDefinitions": attributes,
        "KeySchema": keys("id", "tenant"),
        "GlobalSecondaryIndexes": [index],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let database = Dynamodb::new(Store::memory());
    database.store().call("CreateTable", &table).await.and_then(Response::expect_ok).unwrap();
    let customers = (0..n).map(|id| json!({"id": id.to_string(), "tenant": "t", "phone": "1"}));
    put_all(database.store(), TABLE, customers).await.unwrap();
    database.table_key(TABLE, &["id", "tenant"]);
    database
}

/// The response to a call, which must be whole.
async fn answer(database: &Dynamodb, operation: &str, body: Value) -> Response {
    match database.call(operation, body).await.expect("a response") {
        Sent::Whole(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// The message of a rejection.
async fn rejection(database: &Dynamodb, operation: &str, body: Value) -> String {
    let answer = answer(database, operation, body).await;
    assert_eq!(
        (answer.status, &answer.body["__type"]),
        (400, &"com.amazon.coral.validate#ValidationException".into())
    );
    answer.body["message"].as_str().expect("a message").to_owned()
}

fn key(id: usize) -> Value {
    json!({"id": {"S": id.to_string()}, "tenant": {"S": "t"}})
}

fn puts(ids: impl IntoIterator<Item = usize>) -> Value {
    let put = |id| json!({"PutRequest": {"Item": key(id)}});
    json!({"RequestItems": {TABLE: ids.into_iter().map(put).collect::<Vec<_>>()}})
}

fn gets(ids: impl IntoIterator<Item = usize>) -> Value {
    json!({"RequestItems": {TABLE: {"Keys": ids.into_iter().map(key).collect::<Vec<_>>()}}})
}

fn select(phones: &[&str]) -> Value {
    let marks = vec!["?"; phones.len()].join(", ");
    let values = phones.iter().chain([&"t"]).map(|value| json!({"S": value}));
    json!({
        "Statement": format!(r#"SELECT id, phone FROM "{TABLE}"."{INDEX}" WHERE phone IN [{marks}] AND tenant = ?"#),
        "Parameters": values.collect::<Vec<_>>(),
    })
}

fn query() -> Value {
    json!({
        "TableName": TABLE,
        "IndexName": INDEX,
        "KeyConditionExpression": "phone = :phone AND tenant = :tenant",
        "ExpressionAttributeValues": {":phone": {"S": "1"}, ":tenant": {"S": "t"}},
    })
}

fn count(items: &Value) -> usize {
    items.as_array().expect("items").len()
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_the_error_named() {
    let database = with_customers(1).await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(database.connector());
    let client = Client::from_conf(config.build());
    let scan = async |fault: Action| {
        database.clear_rules();
        database.rule(Rule::on("Scan", fault));
        client.scan().table_name(TABLE).send().await
    };
    let throttled = scan(Action::THROTTLED).await.unwrap_err();
    assert_eq!(throttled.message(), Some("slow down"));
    assert!(throttled.into_service_error().is_provisioned_throughput_exceeded_exception());
    for fault in [Action::Reset, Action::Truncate] {
        assert!(matches!(scan(fault).await, Err(SdkError::DispatchFailure(_))));
    }
    let garbled = scan(Action::Garble).await.unwrap_err();
    assert_eq!((garbled.code(), garbled.raw_response().unwrap().status().as_u16()), (None, 200));
    let start = tokio::time::Instant::now();
    assert_eq!(scan(Action::Delay(Duration::from_secs(1))).await.unwrap().count(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(scan(Action::Respond(r#"{"Count": 7}"#)).await.unwrap().count(), 7);
    assert!(tokio::time::timeout(Duration::from_secs(60), scan(Action::Hang)).await.is_err());
    database.clear_rules();
    database.unreachable(true);
    assert!(matches!(client.scan().table_name(TABLE).send().await, Err(SdkError::DispatchFailure(_))));
}

#[tokio::test]
async fn a_truncated_response_is_one_to_a_call_that_took_effect() {
    let database = with_customers(0).await;
    database.rule(Rule::on_any(Action::Reset).times(1));
    database.rule(Rule::on_any(Action::Truncate));
    assert!(database.call("BatchWriteItem", puts([1])).await.is_err());
    assert_eq!(scan(database.store(), TABLE).await.unwrap().len(), 0);
    assert!(matches!(database.call("BatchWriteItem", puts([1])).await, Ok(Sent::Half(_))));
    assert_eq!(scan(database.store(), TABLE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unprocessed_part_is_returned_and_has_no_effect() {
    let database = with_customers(10).await;
    for (processed, writes, reads) in
        [(Share::Count(3), 3, 3), (Share::Fraction(1, 2), 5, 5), (Share::Count(0), 0, 0)]
    {
        database.clear_rules();
        database.rule(Rule::on_any(Action::Unprocessed { processed }));
        let before = scan(database.store(), TABLE).await.unwrap().len();
        let mut written =
            answer(&database, "BatchWriteItem", puts(100 + writes * 10..110 + writes * 10)).await.body;
        assert_eq!(count(&written["UnprocessedItems"][TABLE].take()), 10 - writes);
        assert_eq!(scan(database.store(), TABLE).await.unwrap().len(), before + writes);
        let mut read = answer(&database, "BatchGetItem", gets(0..10)).await.body;
        assert_eq!(read["Responses"][TABLE].as_array().map_or(0, Vec::len), reads);
        assert_eq!(count(&read["UnprocessedKeys"][TABLE]["Keys"].take()), 10 - reads);
    }
}

#[tokio::test]
async fn the_first_rule_that_matches_acts() {
    let database = with_customers(1).await;
    let of_seven = |body: &Value| body["RequestItems"][TABLE][0]["PutRequest"]["Item"]["id"]["S"] == "7";
    database.rule(Rule::on("Query", Action::THROTTLED).after(1).times(2));
    database.rule(Rule::on("BatchWriteItem", Action::THROTTLED).when(of_seven));
    let mut outcomes = Vec::new();
    for (operation, body) in std::iter::repeat_n(("Query", query()), 5)
        .chain([("BatchWriteItem", puts([6])), ("BatchWriteItem", puts([7]))])
    {
        outcomes.push(answer(&database, operation, body).await.is_ok());
    }
    assert_eq!(outcomes, [true, false, false, true, true, true, false]);
    assert_eq!(database.faults().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_are_recorded_and_counted_while_they_are_under_way() {
    let database = with_customers(1).await;
    database.rule(Rule::on("Query", Action::Delay(Duration::from_millis(100))));
    for together in [4, 2] {
        join_all((0..together).map(|_| database.call("Query", query()))).await;
    }
    assert_eq!((database.count("Query"), database.peak("Query"), database.peak("Scan")), (6, 4, 0));
    let calls = database.calls();
    assert_eq!((&calls[0].operation[..], &calls[0].body), ("Query", &query()));
    assert_eq!(calls[5].at - calls[0].at, Duration::from_millis(100));
    database.reset();
    assert_eq!((database.calls().len(), database.peak("Query")), (0, 0));
}

#[tokio::test]
async fn a_statement_comes_in_pages_that_can_be_read_again() {
    let database = with_customers(20).await;
    database.page_size(Some(10));
    let mut request = select(&["1", "2"]);
    let mut sizes = Vec::new();
    loop {
        let page = answer(&database, "ExecuteStatement", request.clone()).await;
        assert_eq!(
            answer(&database, "ExecuteStatement", request.clone()).await.body["Items"],
            page.body["Items"]
        );
        sizes.push(count(&page.body["Items"]));
        match &page.body["NextToken"] {
            Value::Null => break,
            token => request["NextToken"] = token.clone(),
        }
    }
    // A full page has a continuation even if nothing follows.
    assert_eq!(sizes, [10, 10, 0]);
    let mut other = select(&["2"]);
    other["NextToken"] = request["NextToken"].take();
    assert_eq!(rejection(&database, "ExecuteStatement", other).await, "NextToken does not match request");
    database.page_size(None);
    assert_eq!(count(&answer(&database, "ExecuteStatement", select(&["1"])).await.body["Items"]), 20);
    database.query_page_size(Some(10));
    assert_eq!(answer(&database, "Query", query()).await.body["Count"], 10);
}

/// What DynamoDB rejects and emulators accept.
#[tokio::test]
async fn what_aws_rejects_is_rejected() {
    let database = with_customers(0).await;
    let statement = |text: &str, parameters: &[&str]| {
        let parameters: Vec<_> = parameters.iter().map(|value| json!({"S": value})).collect();
        json!({"Statement": text, "Parameters": parameters})
    };
    let consistent = |mut request: Value| {
        request["ConsistentRead"] = true.into();
        request
    };
    let phones: Vec<_> = (0..51).map(|phone| phone.to_string()).collect();
    let phones: Vec<_> = phones.iter().map(String::as_str).collect();
    let long = format!("SELECT id FROM customers WHERE id = '{}'", "é".repeat(8_192));
    let mut twice = puts([1, 2]);
    let delete = json!({"DeleteRequest": {"Key": key(1)}});
    twice["RequestItems"][TABLE].as_array_mut().expect("entries").push(delete);
    let literal = statement("SELECT id FROM customers WHERE tenant = ? AND id in ('a', ?)", &["t", "a"]);
    let mut empty = query();
    empty["ExpressionAttributeValues"][":phone"]["S"] = "".into();
    for (operation, request, message) in [
        ("ExecuteStatement", select(&["1", "2", "1"]), "Overlapping conditions"),
        ("ExecuteStatement", literal, "Overlapping conditions"),
        ("ExecuteStatement", select(&phones), "The IN lists contain 51"),
        ("ExecuteStatement", select(&["1", &"x".repeat(2_049)]), "One or more parameter values were invalid"),
        ("ExecuteStatement", select(&["1", ""]), "One or more parameter values were invalid"),
        ("Query", empty, "One or more parameter values were invalid"),
        ("ExecuteStatement", statement(&long, &[]), "1 validation error detected: Value at 'statement'"),
        ("ExecuteStatement", consistent(select(&["1"])), "Strongly consistent read"),
        ("Query", consistent(query()), "Consistent reads"),
        ("BatchWriteItem", puts(0..26), "1 validation error detected: Value at 'requestItems'"),
        ("BatchWriteItem", twice, "Provided list of item keys contains duplicates"),
        ("BatchGetItem", gets(0..101), "1 validation error detected: Value at 'requestItems'"),
        ("BatchGetItem", gets([1, 2, 1]), "Provided list of item keys contains duplicates"),
    ] {
        let found = rejection(&database, operation, request).await;
        assert!(found.starts_with(message), "{found}");
    }
    for (operation, request) in [
        ("ExecuteStatement", select(&phones[..50])),
        (
            "ExecuteStatement",
            statement(
                "SELECT id FROM customers WHERE id IN [?, 'IN [?, ?]'] AND tenant IN [?, 'b']",
                &["a", "a"],
            ),
        ),
        ("BatchWriteItem", puts(0..25)),
        ("BatchGetItem", gets(0..100)),
    ] {
        assert!(answer(&database, operation, request).await.is_ok());
    }
    database.accept_what_the_store_accepts();
    assert!(answer(&database, "ExecuteStatement", select(&phones)).await.is_ok());
}

/// A response with what may come in any order in the order of its text; of an error, the code.
fn comparable(mut response: Response) -> (u16, Value) {
    for list in ["/Items", "/Responses/customers"] {
        if let Some(Value::Array(items)) = response.body.pointer_mut(list) {
            items.sort_unstable_by_key(Value::to_string);
        }
    }
    if response.body["__type"].is_string() {
        response.body = json!({"code": response.body["__type"], "Item": response.body["Item"]});
    }
    (response.status, response.body)
}

/// The calls of the function, and some that are not valid.
#[tokio::test]
async fn hash_maps_respond_like_the_embedded_database() {
    let names = TableNames::prefixed("");
    let stores = [Store::maps(), Store::memory()];
    for store in &stores {
        tables::create_all(store, &names).await.unwrap();
    }
    let key = |id: &str| json!({"audienceUserId": {"S": id}, "tenantId": {"S": "t"}});
    let customer = |id: &str, phone: &str| {
        let mut customer = key(id);
        customer["phone"] = json!({"S": phone});
        json!({"PutRequest": {"Item": customer}})
    };
    let write = |writes: Value| ("BatchWriteItem", json!({"RequestItems": {"customers": writes}}));
    let read = |keys: Value| {
        let keys = json!({"Keys": keys, "ProjectionExpression": "audienceUserId, phone"});
        ("BatchGetItem", json!({"RequestItems": {"customers": keys}}))
    };
    let query = |phone: &str, more: Value| {
        let mut query = json!({
            "TableName": "customers",
            "IndexName": "phone-index",
            "KeyConditionExpression": "#identifier = :value AND tenantId = :tenant",
            "ExpressionAttributeNames": {"#identifier": "phone"},
            "ExpressionAttributeValues": {":value": {"S": phone}, ":tenant": {"S": "t"}},
        });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("Query", query)
    };
    let of_table = |id: &str| {
        let query = json!({
            "TableName": "customers",
            "KeyConditionExpression": "audienceUserId = :id AND tenantId = :tenant",
            "ExpressionAttributeValues": {":id": {"S": id}, ":tenant": {"S": "t"}},
        });
        ("Query", query)
    };
    let last = |id: &str| {
        let mut last = key(id);
        last["phone"] = json!({"S": "1"});
        json!({"ExclusiveStartKey": last, "Limit": 2})
    };
    let claim = |run: &str, hash: &str, now: u64| {
        let number = |number: u64| json!({"N": number.to_string()});
        (
            "PutItem",
            json!({
                "TableName": "imports",
                "Item": {
                    "importKey": {"S": "t#k"}, "bodyHash": {"S": hash}, "run": {"S": run},
                    "leaseUntil": number(now + 30), "expiresAt": number(now + 100),
                },
                "ConditionExpression": "attribute_not_exists(importKey) OR expiresAt <= :now \
                    OR (bodyHash = :bodyHash AND attribute_not_exists(failures) AND leaseUntil <= :now)",
                "ExpressionAttributeValues": {":now": number(now), ":bodyHash": {"S": hash}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }),
        )
    };
    let end = |run: &str| {
        (
            "UpdateItem",
            json!({
                "TableName": "imports",
                "Key": {"importKey": {"S": "t#k"}},
                "ConditionExpression": "#run = :run",
                "UpdateExpression": "SET failures = :failures, leaseUntil = :never",
                "ExpressionAttributeNames": {"#run": "run"},
                "ExpressionAttributeValues": {":run": {"S": run}, ":failures": {"M": {}}, ":never": {"N": "0"}},
            }),
        )
    };
    let import = || ("GetItem", json!({"TableName": "imports", "Key": {"importKey": {"S": "t#k"}}}));
    let long = "x".repeat(2_049);
    let calls = [
        write(json!([customer("a", "1"), customer("b", "1"), customer("c", "1"), customer("d", "2")])),
        write(
            json!([customer("d", "1"), {"DeleteRequest": {"Key": key("c")}}, {"DeleteRequest": {"Key": key("x")}}]),
        ),
        query("1", json!({})),
        query("2", json!({})),
        query("1", json!({"Limit": 2})),
        query("1", json!({"Limit": 3})),
        query("1", last("b")),
        query("1", last("d")),
        of_table("a"),
        of_table("x"),
        read(json!([key("a"), key("x"), key("d")])),
        ("Scan", json!({"TableName": "customers"})),
        // Not valid.
        write(json!([])),
        write(json!([customer("e", "3"), customer("", "3")])),
        write(json!([customer("e", "3"), customer(&long, "3")])),
        write(json!([{"DeleteRequest": {"Key": {"audienceUserId": {"S": "a"}}}}])),
        read(json!([])),
        read(json!([key(&long)])),
        // Valid, and without effect.
        query("3", json!({})),
        // A key is free, its lease has not ended, it is another body's, it is taken over, it has an outcome, it has expired.
        end("1"),
        claim("1", "h", 100),
        claim("2", "h", 129),
        claim("2", "another", 130),
        claim("2", "h", 130),
        end("1"),
        end("2"),
        import(),
        claim("3", "h", 161),
        claim("3", "another", 230),
        import(),
    ];
    for (operation, request) in calls {
        let [maps, embedded] = &stores;
        let maps = comparable(maps.call(operation, &request).await.unwrap());
        let embedded = comparable(embedded.call(operation, &request).await.unwrap());
        assert_eq!(maps, embedded, "{operation} {request}");
    }
}
