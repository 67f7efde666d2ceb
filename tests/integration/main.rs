//! The function against a real DynamoDB, over HTTP: one program, so that it is linked once.

mod imports;
mod process;
mod proxy;
mod support;
mod tables;
