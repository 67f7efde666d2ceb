//! The faults of the database, encoded in the input.

use std::sync::LazyLock;
use std::time::Duration;

use testing::dynamodb::{Action, Dynamodb, Rule};
use testing::model::verdict;
use testing::trial::fault::FAULTS;

/// The item of a token whose tenant is malformed.
const MALFORMED: &str = r#"{"Item": {"tenantId": {"S": "a#b"}}}"#;

/// Only one table is read by single items, so these are items of a token.
const TOKENS: [&str; 4] = [
    "{}",
    r#"{"Item": {"tenantId": {"S": "demo"}, "enabled": {"BOOL": false}}}"#,
    r#"{"Item": {"tenantId": {"S": "demo"}, "expiresAt": {"N": "1"}}}"#,
    MALFORMED,
];

/// No fault: the call is only counted.
const NONE: Action = Action::Delay(Duration::ZERO);

/// Every fault.
static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut all = vec![Rule::on_any(NONE)];
    for fault in FAULTS {
        match fault {
            Action::Unprocessed { .. } => {
                all.extend(["BatchGetItem", "BatchWriteItem"].map(|name| Rule::on(name, fault.clone())));
            }
            fault => all.push(Rule::on_any(fault)),
        }
    }
    all.extend(TOKENS.map(|item| Rule::on("GetItem", Action::Respond(item))));
    all
});

/// The SDK's attempts at a call: a fault that lasts for so many is an outage.
const ATTEMPTS: usize = 4;

/// Enough for the calls of any input, where faults repeat.
const MOST: usize = 400;

/// The faults of one run, each byte that of one attempt or of a whole call.
pub struct Faults<'i> {
    /// Whether customers are looked up by queries.
    pub by_query: bool,
    repeat: bool,
    bytes: &'i [u8],
}

impl<'i> Faults<'i> {
    pub const NONE: Self = Self { by_query: false, repeat: false, bytes: &[] };

    /// Splits an input: the event, and after the first NUL a byte of settings and the faults.
    pub fn split(input: &'i [u8]) -> (&'i [u8], Self) {
        let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
        let (json, rest) = input.split_at(end);
        let (settings, bytes) = match rest {
            [0, settings, bytes @ ..] => (*settings, bytes),
            _ => (0, &[][..]),
        };
        (json, Self { by_query: settings & 1 != 0, repeat: settings & 2 != 0, bytes })
    }

    /// Each is for the next call that it can be for.
    pub fn set(&self, database: &Dynamodb) {
        database.reset();
        database.clear_rules();
        let rounds = if self.repeat { MOST } else { 1 };
        let bytes = std::iter::repeat_n(self.bytes, rounds).flatten().take(MOST);
        for byte in bytes.map(|byte| usize::from(*byte)) {
            let lasts = byte / ALL.len() % 2 == 1;
            database.rule(ALL[byte % ALL.len()].clone().times(if lasts { ATTEMPTS } else { 1 }));
        }
    }
}

/// What the faults that have occurred may have caused.
pub fn excused(database: &Dynamodb) -> verdict::Faults {
    let faults = database.faults();
    let is_none = |fault: &Action| matches!(fault, Action::Delay(Duration::ZERO));
    let any = faults.iter().any(|(_, fault)| !is_none(fault));
    let internal_error = faults.iter().any(|(_, fault)| matches!(fault, Action::Respond(MALFORMED)));
    verdict::Faults { internal_error, ..if any { verdict::Faults::OF_CALLS } else { verdict::Faults::NONE } }
}
