//! The function on a database in this process, and as a process that calls it over HTTP: one program, so that it is linked once.

mod alarms;
mod bulk;
mod connections;
mod dashboard;
mod deadlines;
mod direct;
mod docs;
mod dry_run;
mod events;
mod faults;
mod hostile;
mod isolation;
mod lookups;
mod matching;
mod openapi;
mod outages;
mod parameters;
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

/// The function's binary.
const FUNCTION: &str = env!("CARGO_BIN_EXE_customer-group-import");
