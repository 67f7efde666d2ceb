//! The role in `template.yaml` allows exactly what the function does.

use std::collections::BTreeSet;

use group_import::config::{Config, IdentityLookup, MAX_CONCURRENT_CALLS, MAX_PAYLOAD_BYTES, SkipUnchanged};
use serde_json::{Value, json};

use crate::template::{at, list, text};
use testing::dynamodb::Call;
use testing::function::{import_event, with_key};
use testing::model::draw::modes;
use testing::model::request::IDENTIFIERS;
use testing::shorthand::{numbered, off};
use testing::stage::Stage;

/// An IAM action and the table or index that it is allowed or performed on: `table/customers/index/phone-index`.
type Grants = BTreeSet<(String, String)>;

#[tokio::test]
async fn the_role_allows_exactly_the_calls_of_imports() {
    let stage = Stage::new().await;
    let identified =
        |by: &str| IDENTIFIERS.iter().map(|field| (field.to_string(), json!(by))).collect::<Value>();
    stage.put_customers([identified("1")]).await;
    let by_statement = stage.function().await;
    let by_query = stage.function_with(|config| {
        config.identity_lookup = IdentityLookup::Query;
        config.skip_unchanged = SkipUnchanged::Always;
    });
    let by_query = by_query.await;
    // The second record of a fuzzy import reaches the last identifier.
    let mut data = json!([identified("1"), identified("2")]);
    data[1]["audienceUserId"] = "1".into();
    for record in data.as_array_mut().expect("records") {
        record["groups"] = "g".into();
    }
    for (opt_type, (_, mut params)) in ["add", "delete"].iter().flat_map(|it| modes().map(|mode| (it, mode)))
    {
        params["optType"] = (*opt_type).into();
        for function in [&by_statement, &by_query] {
            function.import(params.clone(), data.clone()).await.data();
        }
    }
    for _ in 0..2 {
        by_statement.invoke(with_key(import_event(off("add"), numbered(1)), "k1")).await.data();
    }
    let prefix = stage.names.tenants.trim_end_matches("tenants");
    let called = stage.database.calls();
    let called = called.iter().flat_map(grants_of_call).map(|(action, of)| (action, of.replace(prefix, "")));
    let mut allowed = Grants::new();
    for statement in statements().iter().filter(|it| it["Effect"] == "Allow") {
        for action in list(&statement["Action"]).iter().map(text).filter(|it| it.starts_with("dynamodb:")) {
            allowed.extend(resources(statement).iter().map(|arn| (action.to_owned(), resource(arn))));
        }
    }
    assert_eq!(allowed, called.collect());
}

#[test]
fn reading_a_whole_index_is_denied() {
    let denied = statements().into_iter().filter(|it| it["Effect"] == "Deny").collect();
    let expected = json!([{
        "Effect": "Deny",
        "Action": "dynamodb:PartiQLSelect",
        "Resource": "*",
        "Condition": {"Bool": {"dynamodb:FullTableScan": "true"}},
    }]);
    assert_eq!(Value::Array(denied), expected);
}

#[tokio::test]
async fn the_template_sets_tables_and_default_settings() {
    let stage = Stage::new().await;
    let default = Config::new(stage.names.config().tables);
    let expected = json!({
        "TENANTS_TABLE": "tenants",
        "CUSTOMERS_TABLE": "customers",
        "MEMBERSHIPS_TABLE": "memberships",
        "IMPORTS_TABLE": "imports",
        "MAX_RECORDS": default.max_records,
        "MAX_BODY_BYTES": default.max_body_bytes,
        "TOKEN_CACHE_SECONDS": default.token_cache.as_secs(),
        "IDENTITY_LOOKUP": format!("{:?}", default.identity_lookup).to_lowercase(),
        "SKIP_UNCHANGED": format!("{:?}", default.skip_unchanged).to_lowercase(),
        "METRICS_PER_TENANT": "false",
        "LOOKUP_CONCURRENCY": default.lookup_concurrency,
        "WRITE_CONCURRENCY": default.write_concurrency,
        "DEADLINE_MARGIN_MS": default.deadline_margin.as_millis() as u64,
    });
    let variables = at("/Resources/Function/Properties/Environment/Variables");
    let set = variables.as_object().expect("variables").iter().map(|(name, value)| {
        let default = |parameter| at(&format!("/Parameters/{parameter}/Default"));
        let parameter = value.as_str().and_then(|value| value.strip_prefix("Ref "));
        (name.clone(), parameter.map_or_else(|| table(value).into(), default))
    });
    assert_eq!(set.collect::<Value>(), expected);
}

#[test]
fn parameters_have_the_limits_of_their_settings() {
    for (parameter, most) in [
        ("MaxBodyBytes", MAX_PAYLOAD_BYTES),
        ("LookupConcurrency", MAX_CONCURRENT_CALLS),
        ("WriteConcurrency", MAX_CONCURRENT_CALLS),
    ] {
        let parameter = at(&format!("/Parameters/{parameter}"));
        assert_eq!((&parameter["MinValue"], &parameter["MaxValue"]), (&json!(1), &json!(most)));
    }
}

#[test]
fn what_requests_can_use_of_a_table_has_a_ceiling() {
    let of = |table: &str| at(&format!("/Resources/{table}/Properties"));
    let reads = json!({"MaxReadRequestUnits": "Ref MaxReadUnits"});
    let customers = of("CustomersTable");
    for of_index in list(&customers["GlobalSecondaryIndexes"]).iter().chain([&customers]) {
        assert_eq!(of_index["OnDemandThroughput"], reads);
    }
    let writes = json!({"MaxWriteRequestUnits": "Ref MaxWriteUnits"});
    assert_eq!(of("ImportsTable")["OnDemandThroughput"], writes);
    let both =
        json!({"MaxReadRequestUnits": "Ref MaxReadUnits", "MaxWriteRequestUnits": "Ref MaxWriteUnits"});
    assert_eq!(of("MembershipsTable")["OnDemandThroughput"], both);
    for (parameter, default) in [("MaxReadUnits", 12_000), ("MaxWriteUnits", 4_000)] {
        assert_eq!(at(&format!("/Parameters/{parameter}/Default")), default);
    }
}

#[test]
fn traces_are_made_on_request_only() {
    assert_eq!(at("/Resources/Function/Properties/Tracing"), "Ref Tracing");
    assert_eq!(at("/Parameters/Tracing/Default"), "PassThrough");
    assert_eq!(at("/Conditions/Trace"), json!(["Equals", "Ref Tracing", "Active"]));
    let mut statements = statements();
    statements.retain(|it| it.to_string().contains("xray:"));
    let [statement] = &statements[..] else { panic!("{statements:?}") };
    let [condition, _, otherwise] = list(statement) else { panic!("{statement}") };
    assert_eq!((condition, otherwise), (&json!("Trace"), &json!("Ref AWS::NoValue")));
}

/// The permissions that a call requires (service authorization reference of DynamoDB).
fn grants_of_call(call: &Call) -> Vec<(String, String)> {
    let of = |name: &Value| format!("table/{}", text(name));
    let resources = match call.operation.as_str() {
        "GetItem" | "PutItem" | "UpdateItem" => vec![of(&call.body["TableName"])],
        "Query" => {
            vec![format!("{}/index/{}", of(&call.body["TableName"]), text(&call.body["IndexName"]))]
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = call.body["RequestItems"].as_object().expect("tables");
            tables.keys().map(|name| format!("table/{name}")).collect()
        }
        "ExecuteStatement" => {
            // The double knows no statement of another form.
            let names: Vec<_> = text(&call.body["Statement"]).split('"').skip(1).step_by(2).collect();
            let [.., table, index, _, _] = names[..] else { panic!("{names:?}") };
            vec![format!("table/{table}/index/{index}")]
        }
        other => panic!("an operation without a permission: {other}"),
    };
    let action = match call.operation.as_str() {
        "ExecuteStatement" => "PartiQLSelect",
        operation => operation,
    };
    resources.into_iter().map(|resource| (format!("dynamodb:{action}"), resource)).collect()
}

/// The statements of the role.
fn statements() -> Vec<Value> {
    let policies = at("/Resources/FunctionRole/Properties/Policies");
    let documents = list(&policies).iter().map(|policy| &policy["PolicyDocument"]);
    documents.flat_map(|document| list(&document["Statement"])).cloned().collect()
}

/// The ARNs of a statement: each is a text and what is named in it.
fn resources(statement: &Value) -> &[Value] {
    let resource = &statement["Resource"];
    if resource[0].is_array() { list(resource) } else { std::slice::from_ref(resource) }
}

/// The table or index that an ARN in the template names, in any partition, region and account.
fn resource(arn: &Value) -> String {
    let path = text(&arn[0]);
    let path =
        path.strip_prefix("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:").expect(path);
    path.replace("${Table}", &table(&arn[1]["Table"]))
}

/// The table that the template names: that of the stack, or an existing one by its parameter.
fn table(reference: &Value) -> String {
    let own = text(&reference[2]).trim_start_matches("Ref ");
    let either = ["If".to_owned(), format!("Make{own}"), format!("Ref {own}"), format!("Ref {own}Name")];
    assert_eq!(*reference, json!(either));
    own.trim_end_matches("Table").to_lowercase()
}
