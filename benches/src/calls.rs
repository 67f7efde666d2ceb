//! The calls of an import, compared with the fewest possible.

use crate::database::{Calls, FURTHER_PAGE, OF_MEMBERSHIPS};
use crate::process::{Process, Program};
use crate::report::Limits;
use crate::workload::{Import, Matching, SIZES};
use crate::{Bench, Failure};

/// Values of a statement, keys and items of a call: the maxima that the function must use.
const STATEMENT_VALUES: usize = 9;
const BATCH_GET_KEYS: usize = 100;
pub const BATCH_WRITE_ITEMS: usize = 25;

/// Checks the first import of a process. Further pages of a statement have no limit: each was requested because the
/// database returned a continuation.
pub async fn check(bench: &Bench, limits: &mut Limits) -> Result<(), Failure> {
    for matching in [Matching::Fuzzy, Matching::Exact] {
        for records in SIZES {
            let import = bench.workload.import(matching, records);
            let mut process = Process::start(&Program::function(), &bench.database).await?;
            let (_, tally) = import.run(&mut process, &bench.database).await?;
            let fewest = fewest(&import);
            for (kind, made) in tally.calls.into_iter().filter(|(kind, _)| *kind != FURTHER_PAGE) {
                let limit = fewest.get(kind).copied().unwrap_or_default();
                limits.at_most(&format!("{kind}, {matching:?} matching, {records} records"), made, limit);
            }
        }
    }
    Ok(())
}

/// The calls that an import cannot do without, by kind.
pub fn fewest(import: &Import) -> Calls {
    let [by_index @ .., ids] = import.looked_up;
    Calls::from([
        ("GetItem", 1),
        ("ExecuteStatement", by_index.iter().map(|values| values.div_ceil(STATEMENT_VALUES)).sum()),
        ("BatchGetItem", ids.div_ceil(BATCH_GET_KEYS)),
        // The sample.
        (OF_MEMBERSHIPS, 1),
        ("BatchWriteItem", import.after.len().div_ceil(BATCH_WRITE_ITEMS)),
    ])
}
