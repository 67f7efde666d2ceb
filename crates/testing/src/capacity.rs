//! What a table can take: partitions, each with units a second and a burst (DynamoDB developer guide, "Throttling and
//! hot partitions").

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The error code of a call that exceeds the capacity.
pub const EXCEEDED: &str = "ProvisionedThroughputExceededException";

/// The capacity of a table for reads or for writes.
#[derive(Debug)]
pub struct Capacity {
    units_per_second: f64,
    burst: f64,
    partitions: Mutex<Vec<Partition>>,
}

#[derive(Clone, Debug)]
struct Partition {
    units: f64,
    at: Instant,
}

impl Capacity {
    /// Equal partitions, each with this rate and a burst of that many seconds at this rate.
    pub fn new(partitions: usize, units_per_second: f64, burst_seconds: f64) -> Self {
        let burst = units_per_second * burst_seconds;
        let full = Partition { units: burst, at: Instant::now() };
        Self { units_per_second, burst, partitions: Mutex::new(vec![full; partitions]) }
    }

    /// Takes units from the partition that holds `key`, if it has enough.
    pub fn take(&self, key: &str, units: f64) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let count = partitions.len() as u64;
        let partition = &mut partitions[(hasher.finish() % count) as usize];
        let now = Instant::now();
        let gained = (now - partition.at).as_secs_f64() * self.units_per_second;
        partition.units = (partition.units + gained).min(self.burst);
        partition.at = now;
        let is_there = partition.units >= units;
        if is_there {
            partition.units -= units;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partition_allows_its_burst_and_then_its_rate() {
        let capacity = Capacity::new(1, 100.0, 2.0);
        let take = || (0..1_000).filter(|_| capacity.take("k", 1.0)).count();
        assert_eq!((take(), take()), (200, 0));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(take(), 50);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(take(), 200);
    }
}
