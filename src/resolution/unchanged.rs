//! Whether it pays to check memberships before they are written. Pure.
//!
//! Putting or deleting an item costs a write unit, even if that changes nothing; a strongly
//! consistent check whether it exists costs a read unit. A write unit costs five times a read unit
//! (Amazon DynamoDB pricing, on demand: $0.625 and $0.125 a million in us-east-1). Checking a whole
//! batch therefore costs a fifth of writing it, and pays if at least a fifth of the memberships need
//! no write: the break-even share. A sample estimates the share of a batch.

/// The price of a write unit, in read units.
const READS_PER_WRITE: usize = 5;

/// The most memberships of a sample: as many as one `BatchGetItem` accepts.
pub const SAMPLE_SIZE: usize = 100;

/// The positions of a sample of `total` memberships, ascending and evenly spread, so that no single
/// customer or group dominates the sample.
pub fn sample(total: usize) -> Vec<usize> {
    let size = total.min(SAMPLE_SIZE);
    (0..size).map(|nth| nth * total / size).collect()
}

/// Whether checking the rest costs no more than it saves, if of `checked` memberships `unchanged`
/// need no write.
pub fn check_pays(unchanged: usize, checked: usize) -> bool {
    checked > 0 && unchanged * READS_PER_WRITE >= checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_is_evenly_spread_and_bounded() {
        for total in [0, 1, 99, 100, 101, 199, 200, 250, 10_000, 12_345] {
            let sample = sample(total);
            assert_eq!(sample.len(), total.min(SAMPLE_SIZE), "{total}");
            assert!(sample.iter().all(|&position| position < total));
            let step = total / sample.len().max(1);
            assert!(
                sample.windows(2).all(|pair| (step..=step + 1).contains(&(pair[1] - pair[0]))),
                "{total}"
            );
        }
    }

    #[test]
    fn check_pays_from_a_fifth() {
        assert!(check_pays(20, 100) && check_pays(100, 100) && check_pays(1, 5) && check_pays(2, 7));
        assert!(!check_pays(19, 100) && !check_pays(0, 100) && !check_pays(1, 6) && !check_pays(0, 0));
    }
}
