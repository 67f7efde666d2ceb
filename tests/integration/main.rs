//! The function against a real DynamoDB, over HTTP: one program, so that it is linked once.

mod imports;
mod proxy;
mod support;
mod tables;
