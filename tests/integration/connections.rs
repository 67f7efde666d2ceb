//! The connections of a process to a database behind TLS.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use testing::function::{Response, post_event};
use testing::memory::server::MemoryServer;
use testing::memory::{CUSTOMERS, Customer, MEMBERSHIPS, Memory, TENANTS};
use testing::runtime_api::Process;
use testing::serve::Transport;
use testing::tls::Tls;
use tokio::net::TcpListener;

/// The default limit of concurrent calls.
const CALLS_AT_A_TIME: usize = 32;

/// Enough to reach the limit of concurrent calls.
const MANY: usize = 600;

struct Secured {
    tls: Tls,
    database: MemoryServer,
    process: Process,
}

impl Secured {
    async fn start() -> Self {
        let tls = Tls::new();
        let customers = (0..MANY).map(|number| Customer {
            tenant: "t".to_owned(),
            id: format!("c{number}"),
            identifiers: [None, Some(format!("o{number}")), None],
        });
        let memory = Memory::new("t", customers);
        let database = MemoryServer::start_over(Transport::Tls(tls.clone()), memory).await;
        let database = database.expect("there is a free port");
        let endpoint = database.endpoint();
        let port = endpoint.rsplit(':').next().expect("a port");
        let trusted = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{port}.pem"));
        fs::write(&trusted, tls.trusted()).expect("the folder is there");
        let process = start(&endpoint, &[("SSL_CERT_FILE", trusted.to_str().expect("text"))]).await;
        Self { tls, database, process }
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
        let event = post_event("token", json!({"publicParams": params, "data": data}).to_string());
        let outcome = self.process.invoke(event).await;
        assert_eq!(Response::read(&outcome.body).failures(), [""; 0], "{records} records");
        let violations = self.database.take_tally().violations;
        assert_eq!(violations, [""; 0]);
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.child.id().expect("the process runs");
        kill(Pid::from_raw(id as i32), signal).expect("the signal is sent");
    }
}

async fn start(endpoint: &str, more: &[(&str, &str)]) -> Process {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("TENANTS_TABLE", TENANTS),
        ("CUSTOMERS_TABLE", CUSTOMERS),
        ("MEMBERSHIPS_TABLE", MEMBERSHIPS),
    ];
    environment.extend(more);
    Process::start(crate::FUNCTION.as_ref(), &environment, Duration::from_secs(30)).await
}

#[tokio::test]
async fn the_start_opens_the_connection_that_small_imports_use() {
    let mut secured = Secured::start().await;
    secured.started().await;
    assert_eq!(secured.tls.handshakes(), 1);
    assert!(secured.database.take_tally().calls.is_empty(), "nothing is sent");
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
    secured.database.close_connections();
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
        secured.database.break_connections();
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
        secured.database.silence_connections();
        secured.import(records).await;
        secured.database.unanswered()
    };
    let (one, many) = tokio::join!(run(1), run(MANY));
    assert_eq!(one, 1, "the second attempt takes a new connection");
    assert!(many <= CALLS_AT_A_TIME, "{many} attempts in vain");
}

#[tokio::test]
async fn the_process_starts_although_the_database_does_not_respond() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let endpoint = format!("https://{}", silent.local_addr().expect("it is bound"));
    let mut process = start(&endpoint, &[]).await;
    process.poll().await.expect("the process starts");
    drop(silent);
    let mut process = start(&endpoint, &[]).await;
    process.poll().await.expect("the process starts");
}
