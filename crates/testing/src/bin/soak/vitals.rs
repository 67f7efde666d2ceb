//! The memory and file descriptors of a process.

use std::fs;

/// How much memory may grow: what an allocator retains varies by half of it.
const TOLERANCE_KIB: u64 = 4 * 1024;

pub struct Vitals {
    process: u32,
}

impl Vitals {
    pub fn of(process: u32) -> Self {
        Self { process }
    }

    /// The resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).expect("the process lives");
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line with the memory");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// The number of open file descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process)).expect("the process lives").count()
    }
}

/// Whether memory grew by more than noise.
pub fn grew(earlier: u64, later: u64) -> bool {
    later > earlier + TOLERANCE_KIB
}
