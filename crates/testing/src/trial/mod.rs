//! Imports drawn at random and sent through faults, each compared with the model (contract, sections 4 to 9).
//!
//! No fault may lose or corrupt a record: what a response says of each record is true, resending what failed produces the
//! complete state, and a key keeps its outcome. Three programs run trials: `tests/integration/trials.rs`, each on a
//! database of its own and a paused clock; `soak`, with the release binary, for minutes; and the fuzzer draws from the
//! same [faults](fault).
//!
//! # Layout
//!
//! - [`fault`]: every kind of fault, and every operation that may meet one
//! - [`draw`]: the contents of a trial, and how they are drawn
//! - [`run`]: the requests of a trial and what must hold of them
//! - [`keys`]: the same of an `Idempotency-Key`

#[cfg(feature = "stage")]
pub mod draw;
pub mod fault;
#[cfg(feature = "stage")]
mod keys;
#[cfg(feature = "stage")]
pub mod run;
