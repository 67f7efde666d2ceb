//! What a process holds on to: memory and file descriptors.

use std::fs;
use std::time::Instant;

/// Memory may grow by a tenth, or by this where that is more: what an allocator keeps differs from hour to hour.
const TOLERANCE_KIB: u64 = 2 * 1024;

pub struct Vitals {
    process: u32,
    /// Resident memory in KiB.
    samples: Vec<(Instant, u64)>,
}

impl Vitals {
    pub fn of(process: u32) -> Self {
        Self { process, samples: Vec::new() }
    }

    /// Notes the resident memory, as it is after a request.
    pub fn sample(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
        let kib = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        self.samples.push((Instant::now(), kib));
    }

    /// The number of open file descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process)).expect("the process lives").count()
    }

    /// The median of the resident memory during the second and during the last quarter of the time, in KiB.
    pub fn memory(&self) -> (u64, u64) {
        let (begin, end) = (self.samples[0].0, self.samples[self.samples.len() - 1].0);
        let quarter = |number: u32| {
            let from = begin + (end - begin) / 4 * number;
            let to = from + (end - begin) / 4;
            let mut of_it: Vec<_> =
                self.samples.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, kib)| *kib).collect();
            of_it.sort_unstable();
            of_it.get(of_it.len() / 2).copied().expect("samples in every quarter")
        };
        (quarter(1), quarter(3))
    }

    /// Whether memory grew by more than noise does.
    pub fn memory_grew(&self) -> bool {
        let (earlier, later) = self.memory();
        later > earlier + TOLERANCE_KIB.max(earlier / 10)
    }
}
