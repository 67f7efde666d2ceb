//! The function on a database in this process, and as a process that calls it over HTTP: one program, so that it is linked once.

mod alarms;
mod bulk;
mod connections;
mod dashboard;
mod deadlines;
mod direct;
mod docs;
mod events;
mod faults;
mod hostile;
mod isolation;
mod lookups;
mod matching;
mod openapi;
mod outages;
mod permissions;
mod process;
mod properties;
mod records;
mod responses;
mod retries;
mod secrets;
mod shared_values;
mod structure;
mod summary;
mod template;
mod throttling;
mod tokens;
mod trials;
mod unchanged;

use std::time::Duration;

use testing::runtime_api::Process;
use testing::stage::Stage;

/// The function's binary.
const FUNCTION: &str = env!("CARGO_BIN_EXE_customer-group-import");

/// The function as a process, with these settings.
async fn start(stage: &Stage, settings: &[(&str, &str)]) -> Process {
    stage.process(FUNCTION.as_ref(), Duration::from_secs(30), settings).await
}
