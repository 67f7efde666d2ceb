//! Every kind of fault, and every operation that may meet one.

use std::time::Duration;

use crate::dynamodb::{Action, Share};

/// Every operation that the function uses.
pub const OPERATIONS: [&str; 7] =
    ["GetItem", "ExecuteStatement", "Query", "BatchGetItem", "BatchWriteItem", "PutItem", "UpdateItem"];

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
    Action::BROKEN,
    Action::Error { status: 503, code: "ServiceUnavailable", message: "broken" },
    Action::status(503),
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
