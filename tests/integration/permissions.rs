//! The role in `template.yaml` allows exactly what the function does.

use std::collections::BTreeSet;

use group_import::config::{Config, IdentityLookup, MAX_CONCURRENT_CALLS, MAX_PAYLOAD_BYTES, SkipUnchanged};
use serde_json::{Value, json};

use testing::dynamodb::Call;
use testing::function::{import_event, with_key};
use testing::model::draw::modes;
use testing::model::request::IDENTIFIERS;
use testing::shorthand::{numbered, off};
use testing::stage::Stage;
use testing::tables::TableNames;

/// An IAM action and the resource that it is allowed or performed on.
type Grants = BTreeSet<(String, String)>;

const TABLES: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/";

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
    let called: Grants = stage.database.calls().iter().flat_map(grants_of_call).collect();
    for own_tables in [true, false] {
        let template = Template { own_tables, ..Template::of(&stage.names) };
        assert_eq!(template.allowed(), called, "tables made by the stack: {own_tables}");
    }
}

#[tokio::test]
async fn reading_a_whole_index_is_denied() {
    let template = Template::default();
    let denied: Vec<_> = template.statements().into_iter().filter(|it| it["Effect"] != "Allow").collect();
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
    let default = Config::new(stage.config().tables);
    let identity_lookup = match default.identity_lookup {
        IdentityLookup::Statement => "statement",
        IdentityLookup::Query => "query",
    };
    let skip_unchanged = match default.skip_unchanged {
        SkipUnchanged::Auto => "auto",
        SkipUnchanged::Always => "always",
        SkipUnchanged::Never => "never",
    };
    for own_tables in [true, false] {
        let template = Template { own_tables, ..Template::of(&stage.names) };
        let expected = json!({
            "TENANTS_TABLE": stage.names.tenants,
            "CUSTOMERS_TABLE": stage.names.customers,
            "MEMBERSHIPS_TABLE": stage.names.memberships,
            "IMPORTS_TABLE": stage.names.imports,
            "MAX_RECORDS": default.max_records,
            "MAX_BODY_BYTES": default.max_body_bytes,
            "TOKEN_CACHE_SECONDS": default.token_cache.as_secs(),
            "IDENTITY_LOOKUP": identity_lookup,
            "SKIP_UNCHANGED": skip_unchanged,
            "METRICS_PER_TENANT": "false",
            "LOOKUP_CONCURRENCY": default.lookup_concurrency,
            "WRITE_CONCURRENCY": default.write_concurrency,
            "DEADLINE_MARGIN_MS": default.deadline_margin.as_millis() as u64,
        });
        assert_eq!(template.at("/Resources/Function/Properties/Environment/Variables"), expected);
    }
}

#[test]
fn parameters_have_the_limits_of_their_settings() {
    for (parameter, most) in [
        ("MaxBodyBytes", MAX_PAYLOAD_BYTES),
        ("LookupConcurrency", MAX_CONCURRENT_CALLS),
        ("WriteConcurrency", MAX_CONCURRENT_CALLS),
    ] {
        let parameter = Template::default().at(&format!("/Parameters/{parameter}"));
        assert_eq!((&parameter["MinValue"], &parameter["MaxValue"]), (&json!(1), &json!(most)));
    }
}

#[test]
fn arns_have_the_partition_of_the_region() {
    assert!(!include_str!("../../template.yaml").contains("arn:aws"));
    for partition in ["aws", "aws-us-gov", "aws-cn"] {
        let template = Template { partition, ..Template::default() };
        let statements = Value::Array(template.statements()).to_string();
        assert!(statements.contains(&format!("arn:{partition}:dynamodb:")), "{partition}");
    }
}

#[test]
fn what_requests_can_use_of_a_table_has_a_ceiling() {
    let template = Template::default();
    let ceiling = |pointer: &str| template.at(&format!("/Resources/{pointer}/OnDemandThroughput"));
    let (reads, writes) = (json!({"MaxReadRequestUnits": 12_000}), json!({"MaxWriteRequestUnits": 4_000}));
    assert_eq!(ceiling("CustomersTable/Properties"), reads);
    for index in 0..3 {
        assert_eq!(ceiling(&format!("CustomersTable/Properties/GlobalSecondaryIndexes/{index}")), reads);
    }
    assert_eq!(ceiling("ImportsTable/Properties"), writes);
    let both = json!({"MaxReadRequestUnits": 12_000, "MaxWriteRequestUnits": 4_000});
    assert_eq!(ceiling("MembershipsTable/Properties"), both);
}

#[test]
fn traces_are_made_on_request_only() {
    for (traced, mode) in [(false, "PassThrough"), (true, "Active")] {
        let template = Template { traced, ..Template::default() };
        assert_eq!(Value::Array(template.statements()).to_string().contains("xray:"), traced);
        assert_eq!(template.at("/Resources/Function/Properties/Tracing"), mode);
    }
}

/// The permissions that a call requires (service authorization reference of DynamoDB).
fn grants_of_call(call: &Call) -> Vec<(String, String)> {
    let of = |name: &Value| format!("{TABLES}{}", name.as_str().expect("a name"));
    let resources = match call.operation.as_str() {
        "GetItem" | "PutItem" | "UpdateItem" => vec![of(&call.body["TableName"])],
        "Query" => {
            vec![format!(
                "{}/index/{}",
                of(&call.body["TableName"]),
                call.body["IndexName"].as_str().expect("a name")
            )]
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = call.body["RequestItems"].as_object().expect("tables");
            tables.keys().map(|name| format!("{TABLES}{name}")).collect()
        }
        "ExecuteStatement" => vec![selected(call.body["Statement"].as_str().expect("a statement"))],
        other => panic!("an operation without a permission: {other}"),
    };
    let action = match call.operation.as_str() {
        "ExecuteStatement" => "PartiQLSelect",
        operation => operation,
    };
    resources.into_iter().map(|resource| (format!("dynamodb:{action}"), resource)).collect()
}

/// The index of `SELECT … FROM "table"."index" WHERE …`.
fn selected(statement: &str) -> String {
    let (list, rest) = statement.split_once(" FROM ").expect("a selection");
    assert!(list.starts_with("SELECT "), "{statement}");
    let (from, _) = rest.split_once(" WHERE ").expect("a condition");
    let (table, index) = from.split_once('.').expect("an index");
    format!("{TABLES}{}/index/{}", table.trim_matches('"'), index.trim_matches('"'))
}

/// `template.yaml` in one configuration: with tables of its own, or with existing tables of the same names.
struct Template {
    names: TableNames,
    own_tables: bool,
    partition: &'static str,
    traced: bool,
}

/// With tables of its own, in a commercial region.
impl Default for Template {
    fn default() -> Self {
        Self { names: TableNames::prefixed("test-"), own_tables: true, partition: "aws", traced: false }
    }
}

impl Template {
    /// With tables of these names.
    fn of(names: &TableNames) -> Self {
        Self { names: names.clone(), ..Self::default() }
    }

    /// Every allowed action on every DynamoDB resource.
    fn allowed(&self) -> Grants {
        let mut allowed = Grants::new();
        for statement in self.statements().iter().filter(|it| it["Effect"] == "Allow") {
            for action in texts(&statement["Action"]).filter(|it| it.starts_with("dynamodb:")) {
                let resources = texts(&statement["Resource"]);
                allowed.extend(resources.map(|resource| (action.to_owned(), resource.to_owned())));
            }
        }
        allowed
    }

    fn statements(&self) -> Vec<Value> {
        let policies = self.at("/Resources/FunctionRole/Properties/Policies");
        let statements =
            policies.as_array().expect("a list").iter().map(|it| &it["PolicyDocument"]["Statement"]);
        statements.flat_map(|it| it.as_array().expect("a list")).cloned().collect()
    }

    /// The part of the template at a JSON pointer, with its functions resolved.
    fn at(&self, pointer: &str) -> Value {
        let template = crate::template::read();
        self.resolve(&template, template.pointer(pointer).expect("a part of the template"))
    }

    fn resolve(&self, template: &Value, value: &Value) -> Value {
        let resolve = |value| self.resolve(template, value);
        let object = match value {
            Value::Array(list) => return list.iter().map(resolve).filter(|it| !it.is_null()).collect(),
            Value::Object(object) => object,
            _ => return value.clone(),
        };
        if let Some(name) = object.get("Ref") {
            self.reference(template, name.as_str().expect("a name"))
        } else if let Some(branches) = object.get("Fn::If") {
            resolve(&branches[if self.holds(&branches[0]) { 1 } else { 2 }])
        } else if let Some(Value::Array(sub)) = object.get("Fn::Sub") {
            let text = sub[0].as_str().expect("a text");
            let named = [
                ("AWS::Partition", self.partition),
                ("AWS::Region", "us-east-1"),
                ("AWS::AccountId", "123456789012"),
            ];
            let text = named
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
            let table = resolve(&sub[1]["Table"]);
            text.replace("${Table}", table.as_str().expect("a name")).into()
        } else {
            let members = object.iter().map(|(name, value)| (name.clone(), resolve(value)));
            members.filter(|(_, value)| !value.is_null()).collect()
        }
    }

    fn holds(&self, condition: &Value) -> bool {
        match condition.as_str().expect("a condition") {
            "Trace" => self.traced,
            "ReserveConcurrency" => false,
            name => {
                assert!(name.starts_with("Make"), "{name}");
                self.own_tables
            }
        }
    }

    /// The name of a table, given its resource or parameter; the default of any other parameter; null for no value.
    fn reference(&self, template: &Value, name: &str) -> Value {
        let suffix = if self.own_tables { "Table" } else { "TableName" };
        match name.strip_suffix(suffix) {
            Some("Tenants") => self.names.tenants.clone().into(),
            Some("Customers") => self.names.customers.clone().into(),
            Some("Memberships") => self.names.memberships.clone().into(),
            Some("Imports") => self.names.imports.clone().into(),
            _ if name == "Tracing" && self.traced => "Active".into(),
            _ => template["Parameters"][name]["Default"].clone(),
        }
    }
}

/// The texts of a list, or a single text.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().map(|it| it.as_str().expect("a text"))
}
