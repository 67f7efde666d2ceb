//! What measurements are reported as: medians, and values beside their limits.

use std::time::Duration;

use crate::Failure;
use crate::process::Cost;

/// Median wall and CPU time in ms, of three digits: more are noise.
pub fn medians(costs: &[Cost]) -> [String; 2] {
    let times: [fn(&Cost) -> Duration; 2] = [|cost| cost.wall, |cost| cost.cpu];
    times.map(|time| {
        let mut times: Vec<_> = costs.iter().map(time).collect();
        times.sort_unstable();
        let ms = times[times.len() / 2].as_secs_f64() * 1e3;
        format!("{ms:.*}", usize::from(ms < 10.0) + usize::from(ms < 100.0))
    })
}

/// How many limits were met so far.
#[derive(Default)]
pub struct Limits {
    passed: usize,
    failed: usize,
}

impl Limits {
    /// Compares a value with its limit, and prints both.
    pub fn at_most(&mut self, what: &str, value: usize, limit: usize) {
        if value <= limit {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        let verdict = if value <= limit { "ok    " } else { "FAILED" };
        println!("{verdict} {what}: {value}, at most {limit}");
    }

    /// Prints the sum, which `.ci/run` reads.
    pub fn sum(&self) -> Result<(), Failure> {
        println!("limits: {} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { Ok(()) } else { Err("a limit is exceeded".into()) }
    }
}
