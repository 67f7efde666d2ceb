//! The memory and file descriptors of a process.

use std::fs;

/// How much memory may grow: what an allocator retains varies by half of it within a minute.
const TOLERANCE_KIB: u64 = 4 * 1024;

pub struct Vitals {
    process: u32,
    /// Resident memory in KiB.
    samples: Vec<u64>,
}

impl Vitals {
    pub fn of(process: u32) -> Self {
        Self { process, samples: Vec::new() }
    }

    /// Samples the resident memory.
    pub fn sample(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).expect("the process lives");
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line with the memory");
        self.samples.push(line.trim().trim_end_matches("kB").trim().parse().expect("a number"));
    }

    /// The number of open file descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process)).expect("the process lives").count()
    }

    /// The median of the resident memory in the second and in the last quarter of the samples, in KiB. The first is
    /// left out: a process grows until every kind of request has run once.
    pub fn memory(&self) -> (u64, u64) {
        let quarter = |number: usize| {
            let count = self.samples.len();
            let mut of_it = self.samples[count * number / 4..count * (number + 1) / 4].to_vec();
            of_it.sort_unstable();
            of_it.get(of_it.len() / 2).copied().expect("the soak is long enough for four samples")
        };
        (quarter(1), quarter(3))
    }
}

/// Whether memory grew by more than noise.
pub fn grew(earlier: u64, later: u64) -> bool {
    later > earlier + TOLERANCE_KIB
}
