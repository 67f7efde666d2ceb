//! What the integration tests share.

#[path = "../../../examples/local/demo.rs"]
pub mod demo;
#[path = "../../../examples/local/embedded.rs"]
pub mod embedded;
pub mod gateway;
pub mod import_file;
pub mod model;
pub mod proxy;
pub mod runtime_api;
pub mod secrets;
pub mod shorthand;
pub mod stage;
#[path = "../../../examples/local/tables.rs"]
pub mod tables;
pub mod worlds;
