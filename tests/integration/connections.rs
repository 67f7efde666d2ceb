//! The connections of a process to a database behind TLS.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use testing::function::{Response, post_event};
use testing::runtime_api::Process;
use testing::serve::{self, Server, Transport};
use testing::stage::{Stage, TOKEN};
use testing::tls::Tls;
use tokio::net::TcpListener;

/// The default limit of concurrent calls.
const CALLS_AT_A_TIME: usize = 32;

/// Enough to reach the limit of concurrent calls.
const MANY: usize = 600;

struct Secured {
    tls: Tls,
    stage: Stage,
    server: Server,
    process: Process,
}

impl Secured {
    async fn start() -> Self {
        let tls = Tls::new();
        let stage = Stage::new().await;
        let customer =
            |number| json!({"audienceUserId": format!("c{number}"), "openid": format!("o{number}")});
        stage.put_customers((0..MANY).map(customer)).await;
        let server = stage.database.serve(Transport::Tls(tls.clone()), serve::ANY).await;
        let server = server.expect("there is a free port");
        let port = server.address().port();
        let trusted = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{port}.pem"));
        fs::write(&trusted, tls.trusted()).expect("the folder is there");
        let process =
            start(&stage, &server.origin(), &[("SSL_CERT_FILE", trusted.to_str().expect("text"))]).await;
        Self { tls, stage, server, process }
    }

    /// Waits until the process has started.
    async fn started(&mut self) {
        self.process.poll().await.expect("the process starts");
    }

    /// Imports the first customers.
    async fn import(&mut self, records: usize) {
        let params = json!({"isMatching": true, "matchingType": 1, "optType": "add"});
        let record = |number| json!({"openid": format!("o{number}"), "groups": "vip"});
        let data: Vec<Value> = (0..records).map(record).collect();
        let event = post_event(TOKEN, json!({"publicParams": params, "data": data}).to_string());
        let outcome = self.process.invoke(event).await;
        assert_eq!(Response::read(&outcome.body).failures(), [""; 0], "{records} records");
        assert_eq!(self.stage.database.rejections(), [""; 0]);
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.child.id().expect("the process runs");
        kill(Pid::from_raw(id as i32), signal).expect("the signal is sent");
    }
}

/// Starts a process that calls this endpoint.
async fn start(stage: &Stage, endpoint: &str, more: &[(&str, &str)]) -> Process {
    let environment = [&[("AWS_ENDPOINT_URL_DYNAMODB", endpoint)], more].concat();
    stage.process(crate::FUNCTION.as_ref(), Duration::from_secs(30), &environment).await
}

#[tokio::test]
async fn the_start_opens_the_connection_that_small_imports_use() {
    let mut secured = Secured::start().await;
    secured.started().await;
    assert_eq!(secured.tls.handshakes(), 1);
    assert!(secured.stage.database.calls().is_empty(), "nothing is sent");
    for _ in 0..3 {
        secured.import(1).await;
    }
    assert_eq!(secured.tls.handshakes(), 1);
}

#[tokio::test]
async fn connections_never_exceed_concurrent_calls() {
    let mut secured = Secured::start().await;
    for _ in 0..3 {
        secured.import(MANY).await;
    }
    let handshakes = secured.tls.handshakes();
    assert!((2..=CALLS_AT_A_TIME).contains(&handshakes), "{handshakes} handshakes");
}

#[tokio::test]
async fn connections_closed_while_the_process_is_frozen_fail_no_record() {
    let mut secured = Secured::start().await;
    secured.import(MANY).await;
    let before = secured.tls.handshakes();
    secured.signal(Signal::SIGSTOP);
    secured.server.close_connections();
    secured.signal(Signal::SIGCONT);
    secured.import(MANY).await;
    assert!(secured.tls.handshakes() > before, "all connections were closed");
}

/// As if the server had closed them and its FIN or RST were lost while the process was frozen.
#[tokio::test]
async fn connections_that_broke_unnoticed_fail_no_record() {
    let mut secured = Secured::start().await;
    for records in [1, MANY] {
        secured.import(MANY).await;
        secured.signal(Signal::SIGSTOP);
        secured.server.break_connections();
        secured.signal(Signal::SIGCONT);
        secured.import(records).await;
    }
}

/// As if a firewall had forgotten the connections, and dropped what is sent on them.
#[tokio::test]
async fn silent_connections_fail_no_record() {
    let run = async |records| {
        let mut secured = Secured::start().await;
        secured.import(MANY).await;
        secured.server.silence_connections();
        secured.import(records).await;
        secured.server.unanswered()
    };
    let (one, many) = tokio::join!(run(1), run(MANY));
    assert_eq!(one, 1, "the second attempt takes a new connection");
    assert!(many <= CALLS_AT_A_TIME, "{many} attempts in vain");
}

#[tokio::test]
async fn the_process_starts_although_the_database_does_not_respond() {
    let stage = Stage::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let endpoint = format!("https://{}", silent.local_addr().expect("it is bound"));
    let mut process = start(&stage, &endpoint, &[]).await;
    process.poll().await.expect("the process starts");
    drop(silent);
    let mut process = start(&stage, &endpoint, &[]).await;
    process.poll().await.expect("the process starts");
}
