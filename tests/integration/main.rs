//! The function against a real DynamoDB, over HTTP: one program, so that it is linked once.

mod imports;
mod looking;
mod process;
mod proxy;
mod retries;
mod support;
mod tables;
