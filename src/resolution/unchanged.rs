//! Which memberships are worth asking about before they are written. Pure.
//!
//! An item costs a write unit to put or to delete, also where that changes nothing; to ask whether
//! it is there, strongly consistent, costs a read unit. A write unit costs five times a read unit
//! (Amazon DynamoDB pricing, on demand: $0.625 and $0.125 a million in us-east-1), so that asking
//! about all memberships of a batch costs a fifth of writing them, and pays as soon as a fifth of
//! them need no write: the break-even share. A sample tells which batch that is.

/// How many read units cost as much as a write unit.
const READS_PER_WRITE: usize = 5;

/// The most memberships of a sample: what one `BatchGetItem` takes.
pub const SAMPLE: usize = 100;

/// The places of a sample of `total` memberships, in rising order, spread evenly, so that one
/// customer's or one group's do not speak for all.
pub fn sample(total: usize) -> Vec<usize> {
    let size = total.min(SAMPLE);
    (0..size).map(|nth| nth * total / size).collect()
}

/// Whether asking about the rest costs no more than it saves, if of `asked` memberships `unchanged`
/// need no write.
pub fn asking_pays(unchanged: usize, asked: usize) -> bool {
    asked > 0 && unchanged * READS_PER_WRITE >= asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_evenly_and_has_no_more_than_there_is() {
        for total in [0, 1, 99, 100, 101, 199, 200, 250, 10_000, 12_345] {
            let sample = sample(total);
            assert_eq!(sample.len(), total.min(SAMPLE), "{total}");
            assert!(sample.iter().all(|&place| place < total));
            let step = total / sample.len().max(1);
            assert!(
                sample.windows(2).all(|pair| (step..=step + 1).contains(&(pair[1] - pair[0]))),
                "{total}"
            );
        }
    }

    #[test]
    fn asking_pays_from_a_fifth_on() {
        assert!(asking_pays(20, 100) && asking_pays(100, 100) && asking_pays(1, 5) && asking_pays(2, 7));
        assert!(!asking_pays(19, 100) && !asking_pays(0, 100) && !asking_pays(1, 6) && !asking_pays(0, 0));
    }
}
