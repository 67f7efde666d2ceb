//! The faults of the database, encoded in the input.

use group_import::config::IdentityLookup;

/// What happens to a call instead of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// An error in DynamoDB's form: HTTP status and code.
    Error(u16, &'static str),
    /// The connection breaks before the call is processed.
    Reset,
    /// The connection breaks after the call is processed.
    AnswerLost,
    /// There is never a response.
    Hang,
    /// A response after some seconds.
    Slow(u64),
    /// 200 with a body that is not JSON.
    Garbled,
    /// 200 with the first half of the response.
    Truncated,
    /// Only a part of a batch is processed, given by this divisor: 0 none, 2 half.
    Unprocessed(usize),
    /// `tenants` has no item for the token, a disabled one, or a malformed one.
    Token(Token),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Unknown,
    Disabled,
    Expired,
    Malformed,
}

const FAULTS: [Fault; 21] = [
    Fault::None,
    Fault::Error(500, "InternalServerError"),
    Fault::Error(400, "ProvisionedThroughputExceededException"),
    Fault::Error(400, "ThrottlingException"),
    Fault::Error(400, "ValidationException"),
    Fault::Error(400, "AccessDeniedException"),
    Fault::Error(400, "ResourceNotFoundException"),
    Fault::Error(503, ""),
    Fault::Reset,
    Fault::AnswerLost,
    Fault::Hang,
    Fault::Slow(3),
    Fault::Slow(20),
    Fault::Garbled,
    Fault::Truncated,
    Fault::Unprocessed(0),
    Fault::Unprocessed(2),
    Fault::Token(Token::Unknown),
    Fault::Token(Token::Disabled),
    Fault::Token(Token::Expired),
    Fault::Token(Token::Malformed),
];

/// The SDK's attempts at a call: a fault that lasts for so many is an outage.
const ATTEMPTS: usize = 4;

/// The faults of one run, in the order of the calls: each byte is that of one attempt or of a whole call.
#[derive(Clone, Debug)]
pub struct Faults {
    pub lookup: IdentityLookup,
    /// Whether they repeat.
    for_ever: bool,
    calls: Vec<Fault>,
    next: usize,
}

impl Faults {
    pub const NONE: Self =
        Self { lookup: IdentityLookup::Statement, for_ever: false, calls: Vec::new(), next: 0 };

    /// Splits an input: the event, and after the first NUL a byte of settings and the faults.
    pub fn split(input: &[u8]) -> (&[u8], Self) {
        let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
        let (json, rest) = input.split_at(end);
        let [0, settings, faults @ ..] = rest else { return (json, Self::NONE) };
        let lookup = if settings & 1 == 0 { IdentityLookup::Statement } else { IdentityLookup::Query };
        let calls = faults.iter().flat_map(|byte| {
            let (times, which) = (usize::from(*byte) / FAULTS.len(), usize::from(*byte) % FAULTS.len());
            vec![FAULTS[which]; if times.is_multiple_of(2) { 1 } else { ATTEMPTS }]
        });
        let calls = calls.collect();
        (json, Self { lookup, for_ever: settings & 2 != 0, calls, next: 0 })
    }

    /// What happens to the next call.
    pub fn next(&mut self) -> Fault {
        if self.for_ever && self.next >= self.calls.len() {
            self.next = 0;
        }
        let fault = self.calls.get(self.next).copied().unwrap_or(Fault::None);
        self.next += 1;
        fault
    }
}
