//! Work in real time beside a runtime whose clock is paused.
//!
//! A paused clock jumps to the next timer as soon as its runtime has nothing to do, and waiting for a socket counts as
//! nothing. While a blocking task runs it stands still (Tokio, `time::pause`): so that is where such work is done.

use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Does the work on a runtime of its own, which also runs what the work spawns.
pub async fn run<F>(work: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    tokio::task::spawn_blocking(|| RUNTIME.block_on(work)).await.expect("the work does not panic")
}
