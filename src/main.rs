//! The Lambda function's process: settings, clients and the event loop.

use std::process::ExitCode;
use std::sync::Arc;

use group_import::config::Config;
use group_import::database::{self, Connections, Database};
use group_import::http::handler::Handler;
use group_import::http::incoming::Incoming;
use group_import::telemetry::log;
use lambda_http::{Error, LambdaEvent, lambda_runtime, service_fn};
use mimalloc::MiMalloc;
use tokio::runtime;
use tracing::error;

/// A request is thousands of small objects: of its instructions, the system's allocator took a sixth.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    log::init();
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let is_sequential = config.concurrent_requests == 1;
    match threads(&config)
        .enable_all()
        .build()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(serve(config)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where it may not quote what a direct caller sent as `ClientContext`.
            let cause = (is_sequential && !error.is::<serde_json::Error>()).then(|| error.to_string());
            error!(cause, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// One thread: most of the time is spent waiting for the database, and Lambda provides a full core
/// only at 1,769 MB. On Lambda Managed Instances, which set the maximum concurrency, one thread per
/// core.
fn threads(config: &Config) -> runtime::Builder {
    match config.concurrent_requests {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    }
}

async fn serve(config: Config) -> Result<(), Error> {
    let connections = Connections::new(&config);
    let sdk = database::sdk_config().http_client(connections.clone()).load().await;
    let database = Database::new(&sdk, &config);
    database.connect(&connections).await;
    let handler = Arc::new(Handler::new(config, database));
    let handle = service_fn(move |event: LambdaEvent<Incoming>| {
        let handler = Arc::clone(&handler);
        async move { handler.handle(event.payload, &event.context).await }
    });
    // Concurrent requests on Lambda Managed Instances, otherwise one at a time.
    lambda_runtime::run_concurrent(handle).await
}
