//! The connections of a process to a database behind TLS.

use std::fs;
use std::path::Path;

use crate::start;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testing::function::{Response, import_event};
use testing::runtime_api::Process;
use testing::serve::{self, Server, Transport};
use testing::shorthand::{customers, exact, records};
use testing::stage::Stage;
use testing::tls::Tls;
use tokio::net::TcpListener;

/// The variable with the URL of the database.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

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
        stage.put_customers(customers(MANY)).await;
        let server = stage.database.serve(Transport::Tls(tls.clone()), serve::ANY).await;
        let server = server.expect("there is a free port");
        let port = server.address().port();
        let trusted = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{port}.pem"));
        fs::write(&trusted, tls.trusted()).expect("the folder is there");
        let trusted = ("SSL_CERT_FILE", trusted.to_str().expect("text"));
        let process = start(&stage, &[(ENDPOINT, &server.origin()), trusted]).await;
        Self { tls, stage, server, process }
    }

    /// Imports the first customers.
    async fn import(&mut self, n: usize) {
        let outcome = self.process.invoke(import_event(exact("add"), records("openid", "o", n))).await;
        assert_eq!(Response::read(&outcome.body).failures(), [""; 0], "{n} records");
        assert_eq!(self.stage.database.rejections(), [""; 0]);
    }

    /// Does something to the connections while the process is frozen.
    fn while_frozen(&self, act: impl FnOnce(&Server)) {
        let id = Pid::from_raw(self.process.child.id().expect("the process runs") as i32);
        kill(id, Signal::SIGSTOP).expect("the signal is sent");
        act(&self.server);
        kill(id, Signal::SIGCONT).expect("the signal is sent");
    }
}

#[tokio::test]
async fn the_start_opens_the_connection_that_small_imports_use() {
    let mut secured = Secured::start().await;
    secured.process.poll().await.expect("the process starts");
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

/// Broken: as if the server had closed them and its FIN or RST were lost while the process was frozen.
#[tokio::test]
async fn connections_closed_or_broken_while_the_process_is_frozen_fail_no_record() {
    let mut secured = Secured::start().await;
    for (act, records) in [
        (Server::close_connections as fn(&Server), MANY),
        (Server::break_connections, 1),
        (Server::break_connections, MANY),
    ] {
        secured.import(MANY).await;
        let before = secured.tls.handshakes();
        secured.while_frozen(act);
        secured.import(records).await;
        assert!(secured.tls.handshakes() > before, "all connections were closed");
    }
}

/// As if a firewall had forgotten the connections, and dropped what is sent on them: dozens of attempts would be in vain if
/// they were tried one after the other.
#[tokio::test]
async fn silent_connections_are_given_up_together() {
    let mut secured = Secured::start().await;
    secured.import(MANY).await;
    secured.server.silence_connections();
    // Not every attempt that ends shows that its connection is silent where the machine is busy: see `RESPONSE_TIMEOUT`.
    for _ in 0..3 {
        secured.process.invoke(import_event(exact("add"), records("openid", "o", 1))).await;
    }
    secured.import(1).await;
    let unanswered = secured.server.unanswered();
    assert!((1..=3).contains(&unanswered), "{unanswered} attempts in vain");
}

#[tokio::test]
async fn the_process_starts_although_the_database_does_not_respond() {
    let stage = Stage::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let endpoint = format!("https://{}", silent.local_addr().expect("it is bound"));
    let mut process = start(&stage, &[(ENDPOINT, &endpoint)]).await;
    process.poll().await.expect("the process starts");
    drop(silent);
    let mut process = start(&stage, &[(ENDPOINT, &endpoint)]).await;
    process.poll().await.expect("the process starts");
}
