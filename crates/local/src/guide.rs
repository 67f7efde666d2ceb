//! What a newcomer sees once everything runs: commands to paste.

use testing::demo::{RIVAL_TOKEN, SHARED_PHONE, TOKEN};

const FUZZY_ADD: &str = r#"{"isMatching": true, "matchingType": 2, "identifyWay": 1, "optType": "add"}"#;
const EXACT_DELETE: &str = r#"{"isMatching": true, "matchingType": 1, "optType": "delete"}"#;

/// The text to print. `url` is the address of the function, `port` and `db_port` are the ports of function and database.
pub fn text(url: &str, port: u16, db_port: u16) -> String {
    let curl = |token, params, records: &[&str]| {
        let records = records.join(", ");
        format!(
            "curl -w '\\n' {url} -H 'X-Token: {token}' -H 'Content-Type: application/json' \
             -d '{{\"publicParams\": {params}, \"data\": [{records}]}}'"
        )
    };
    let shared_phone = format!(r#"{{"phone": "{SHARED_PHONE}", "groups": "vip"}}"#);
    let fuzzy = [
        r#"{"unionid": "u0001", "groups": "vip,spring"}"#,
        r#"{"unionid": "unknown", "phone": "+86 138-0000-0002", "groups": "vip"}"#,
        &shared_phone,
        r#"{"openid": "nobody", "groups": "vip"}"#,
    ];
    let exact = [r#"{"unionid": "u0001", "openid": "o0001", "groups": "spring"}"#];
    let same_openid = [r#"{"openid": "o0001", "groups": "vip"}"#];
    let examples = [
        (
            "Fuzzy add: two records match, one is ambiguous (two customers have its phone), one matches nobody",
            curl(TOKEN, FUZZY_ADD, &fuzzy),
        ),
        (
            "Exact delete: takes the first customer out of one of the groups",
            curl(TOKEN, EXACT_DELETE, &exact),
        ),
        (
            "Another tenant: that customer's openid belongs to another customer there",
            curl(RIVAL_TOKEN, FUZZY_ADD, &same_openid),
        ),
        ("An unknown token", curl("bad-token", FUZZY_ADD, &same_openid)),
        ("The function alone, with an event as API Gateway sends it", invoke(port)),
        ("The groups written, as JSON Lines", show(db_port)),
    ];
    let mut text = format!("\nThe function is running at {url}\n");
    for (title, command) in examples {
        text.push_str(&format!("\n# {title}\n{command}\n"));
    }
    text.push_str("\nCtrl-C ends everything.\n");
    text
}

fn invoke(port: u16) -> String {
    let port = match port {
        9000 => String::new(),
        port => format!(" PORT={port}"),
    };
    format!("make invoke EVENT=events/fuzzy-add.json{port}")
}

fn show(db_port: u16) -> String {
    let port = match db_port {
        8000 => String::new(),
        port => format!(" --db-port {port}"),
    };
    format!("cargo run --quiet -p local -- --show{port}")
}
