//! Every kind of fault, and when it occurs.

use std::time::Duration;

use crate::dynamodb::{Action, Rule, Share};

/// Every operation that the function uses.
pub const OPERATIONS: [&str; 7] =
    ["GetItem", "ExecuteStatement", "Query", "BatchGetItem", "BatchWriteItem", "PutItem", "UpdateItem"];

const fn broken(status: u16, code: &'static str) -> Action {
    Action::Error { status, code, message: "broken" }
}

/// Every kind of fault.
pub const FAULTS: [Action; 20] = [
    Action::rejected("ProvisionedThroughputExceededException"),
    Action::rejected("ThrottlingException"),
    Action::rejected("RequestLimitExceeded"),
    Action::rejected("ExpiredTokenException"),
    Action::rejected("UnrecognizedClientException"),
    Action::rejected("ResourceNotFoundException"),
    Action::rejected("ValidationException"),
    Action::rejected("AccessDeniedException"),
    broken(500, "InternalServerError"),
    broken(503, "ServiceUnavailable"),
    // As from something in front of DynamoDB.
    broken(503, ""),
    Action::Reset,
    Action::Truncate,
    Action::Garble,
    Action::Respond(""),
    Action::Hang,
    Action::Delay(Duration::from_millis(400)),
    Action::Delay(Duration::from_secs(4)),
    Action::Unprocessed { processed: Share::Count(0) },
    Action::Unprocessed { processed: Share::Fraction(1, 2) },
];

/// A fault, and which calls it is for.
#[derive(Clone, Debug)]
pub struct Fault {
    pub action: Action,
    /// `None` is for calls of every operation.
    pub operation: Option<&'static str>,
    /// The number of these calls that pass before the first fault.
    pub after: usize,
    /// The number of faults; `None` is for all further calls.
    pub times: Option<usize>,
}

impl Fault {
    pub fn rule(&self) -> Rule {
        let rule = match self.operation {
            Some(operation) => Rule::on(operation, self.action.clone()),
            None => Rule::on_any(self.action.clone()),
        };
        let rule = rule.after(self.after);
        match self.times {
            Some(times) => rule.times(times),
            None => rule,
        }
    }

    /// Whether each of its calls takes seconds.
    pub fn is_slow(&self) -> bool {
        matches!(self.action, Action::Hang)
            || matches!(self.action, Action::Delay(time) if time.as_secs() > 0)
    }
}
