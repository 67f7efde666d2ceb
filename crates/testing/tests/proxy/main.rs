//! The proxy, driven by the real SDK against an embedded DynamoDB.

mod batches_and_rules;
mod calls;
mod pages;
mod stage;
mod strict;
