//! The Lambda function's process: settings, clients, and the loop that serves events.

use std::process::ExitCode;
use std::sync::Arc;

use group_import::config::Config;
use group_import::database::{self, Database};
use group_import::event::Event;
use group_import::handler::Handler;
use group_import::log;
use lambda_http::{Error, LambdaEvent, lambda_runtime, service_fn};
use tracing::error;

// One thread: the work is waiting for the database, and Lambda gives a whole core only at 1,769 MB.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init();
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let sdk = database::sdk_config().load().await;
    let database = Database::new(&sdk, &config);
    let handler = Arc::new(Handler::new(config, database));
    let serve = service_fn(move |event: LambdaEvent<Event>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Error>(handler.handle(event.payload, &event.context).await) }
    });
    match lambda_runtime::run_concurrent(serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}
