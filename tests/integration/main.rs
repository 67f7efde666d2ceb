//! The function against a real DynamoDB, over HTTP: one program, so that it is linked once.

mod answers;
mod batch;
mod dashboard;
mod deadlines;
mod events;
mod faults;
mod imports;
mod isolation;
mod looking;
mod lookups;
mod matching;
mod outages;
mod parameters;
mod permissions;
mod process;
mod properties;
mod proxy;
mod records;
mod retries;
mod schedules;
mod sent_back;
mod summary;
mod support;
mod tables;
mod tokens;
mod unchanged;
