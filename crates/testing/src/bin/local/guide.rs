//! What a newcomer sees once everything runs: commands to paste.

use testing::demo::{SHARED_PHONE, TOKEN};

/// The address of the API, on this port.
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/api/integrate/audience/info/batchAdd")
}

/// The text to print. `database` is the database's address, `memberships` the name of its table.
pub fn text(port: u16, database: &str, memberships: &str) -> String {
    let url = url(port);
    let import = |parameters| {
        format!(
            "curl -w '\\n' {url} -H 'X-Token: {TOKEN}' -H 'Content-Type: application/json' -d '{{
  \"publicParams\": {{\"isMatching\": true, \"matchingType\": 2, \"identifyWay\": 1, \"optType\": \"add\"{parameters}}},
  \"data\": [
    {{\"unionid\": \"u0001\", \"groups\": \"vip,spring\"}},
    {{\"unionid\": \"unknown\", \"phone\": \"+86 138-0000-0002\", \"groups\": \"vip\"}},
    {{\"phone\": \"{SHARED_PHONE}\", \"groups\": \"vip\"}},
    {{\"openid\": \"nobody\", \"groups\": \"vip\"}}
  ]
}}'"
        )
    };
    let dry_run = import(r#", "dryRun": true, "explain": true"#);
    let import = import("");
    let port = if port == 9000 { String::new() } else { format!(" PORT={port}") };
    format!(
        "
The function is running at {url}
The database is running at {database}

# A dry run that names each record's customer: two match, one phone belongs to two customers, one matches nobody
{dry_run}

# The import
{import}

# What it wrote
curl -w '\\n' {database} --aws-sigv4 aws:amz:us-east-1:dynamodb --user local:local \\
  -H 'X-Amz-Target: DynamoDB_20120810.Scan' -H 'Content-Type: application/x-amz-json-1.0' \\
  -d '{{\"TableName\": \"{memberships}\"}}'

# The function alone, with an event as API Gateway sends it
make invoke EVENT=events/fuzzy-add.json{port}

A change of src/ is compiled and served within seconds. Ctrl-C ends everything."
    )
}
