//! The calls of an import, compared with the fewest possible.

use std::collections::BTreeMap;

use crate::database::{Calls, FURTHER_PAGE, OF_MEMBERSHIPS};
use crate::process::{Process, Program};
use crate::report::Limits;
use crate::workload::{Import, LARGEST, Matching, SIZES};
use crate::{Bench, Failure};

/// Values of a statement, keys and items of a call: the maxima that the function must use.
const STATEMENT_VALUES: usize = 9;
const BATCH_GET_KEYS: usize = 100;
pub const BATCH_WRITE_ITEMS: usize = 25;

/// Checks the first import of a process, and a repeat of the largest. Further pages of a statement have no limit: each
/// was requested because the database returned a continuation.
pub async fn check(bench: &Bench, limits: &mut Limits) -> Result<(), Failure> {
    for matching in [Matching::Fuzzy, Matching::Exact] {
        for records in SIZES {
            let mut import = bench.workload.import(matching, records);
            let what = format!("{matching:?} matching, {records} records");
            compare(bench, limits, &import, fewest(&import), &what).await?;
            if records == LARGEST {
                import.before.clone_from(&import.after);
                let mut fewest = fewest(&import);
                fewest.insert(OF_MEMBERSHIPS, import.after.len().div_ceil(BATCH_GET_KEYS));
                fewest.insert("BatchWriteItem", 0);
                compare(bench, limits, &import, fewest, &format!("{what}, nothing new")).await?;
            }
        }
    }
    Ok(())
}

async fn compare(
    bench: &Bench,
    limits: &mut Limits,
    import: &Import,
    fewest: Calls,
    what: &str,
) -> Result<(), Failure> {
    let mut process = Process::start(&Program::function(), &bench.database).await?;
    let (_, calls) = import.run(&mut process, &bench.database).await?;
    for (kind, made) in calls.into_iter().filter(|(kind, _)| *kind != FURTHER_PAGE) {
        limits.at_most(&format!("{kind}, {what}"), made, fewest.get(kind).copied().unwrap_or_default());
    }
    Ok(())
}

/// The calls that a first import cannot do without, by kind.
pub fn fewest(import: &Import) -> Calls {
    let mut by_field = BTreeMap::<_, usize>::new();
    for (field, _) in &import.looked_up {
        *by_field.entry(*field).or_default() += 1;
    }
    let ids = by_field.remove("audienceUserId").unwrap_or_default();
    Calls::from([
        ("GetItem", 1),
        ("ExecuteStatement", by_field.values().map(|values| values.div_ceil(STATEMENT_VALUES)).sum()),
        ("BatchGetItem", ids.div_ceil(BATCH_GET_KEYS)),
        // The sample.
        (OF_MEMBERSHIPS, 1),
        ("BatchWriteItem", import.after.len().div_ceil(BATCH_WRITE_ITEMS)),
    ])
}
