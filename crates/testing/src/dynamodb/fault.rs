//! Which calls get a fault instead of the response of the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::batch::Share;
use super::call::Call;
use crate::capacity::EXCEEDED;

/// What happens to a call that a [`Rule`] matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// Waits, then forwards.
    Delay(Duration),
    /// Responds with an error in DynamoDB's form; nothing is forwarded.
    Error { status: u16, code: &'static str, message: &'static str },
    /// Never responds; the call ends when the client disconnects.
    Hang,
    /// Closes the connection without a response; nothing is forwarded.
    Reset,
    /// Forwards, but breaks the connection halfway through the response: the call has taken effect,
    /// and the client cannot know.
    Truncate,
    /// Responds 200 with a body that is not JSON; nothing is forwarded. The SDK does not retry it.
    Garble,
    /// Responds 200 with this body; nothing is forwarded.
    Respond(&'static str),
    /// Forwards the first part of a `BatchWriteItem` or `BatchGetItem` and returns the rest as
    /// unprocessed. Other operations are forwarded whole.
    Unprocessed { processed: Share },
}

impl Action {
    pub const THROTTLED: Self = Self::Error { status: 400, code: EXCEEDED, message: "slow down" };
    pub const BROKEN: Self = Self::Error { status: 500, code: "InternalServerError", message: "broken" };

    /// An error that is the request's own fault, or that of its credentials.
    pub const fn rejected(code: &'static str) -> Self {
        Self::Error { status: 400, code, message: "rejected" }
    }

    /// As from something in front of DynamoDB: a status alone.
    pub const fn status(status: u16) -> Self {
        Self::Error { status, code: "", message: "" }
    }

    /// The name under which the action is counted: that of an error is its code.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Error { code, .. } => code,
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::Garble => "garble",
            Self::Respond(_) => "respond",
            Self::Unprocessed { .. } => "unprocessed",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Predicate(Arc<dyn Fn(&Value) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a predicate")
    }
}

/// A fault: an [`Action`], and which calls it is for.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `None` is for calls of every operation.
    pub operation: Option<&'static str>,
    pub(crate) when: Option<Predicate>,
    /// The number of matching calls still to skip.
    pub(crate) skip: usize,
    /// The number of matching calls still to act on; `None` means all.
    pub left: Option<usize>,
    pub action: Action,
}

impl Rule {
    /// Acts on every call of one operation.
    pub fn on(operation: &'static str, action: Action) -> Self {
        Self { operation: Some(operation), ..Self::on_any(action) }
    }

    /// Acts on every call.
    pub fn on_any(action: Action) -> Self {
        Self { operation: None, when: None, skip: 0, left: None, action }
    }

    /// Only on calls whose body satisfies the predicate.
    pub fn when(mut self, predicate: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Predicate(Arc::new(predicate)));
        self
    }

    /// Skips the first `calls` matching calls, which pass to the next rule.
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }

    /// Acts on at most this many calls.
    pub fn times(mut self, calls: usize) -> Self {
        self.left = Some(calls);
        self
    }

    /// The action for this call, if the rule matches; counts as one use.
    pub(super) fn act_on(&mut self, call: &Call) -> Option<Action> {
        if self.operation.is_some_and(|name| name != call.operation)
            || self.when.as_ref().is_some_and(|when| !(when.0)(&call.body))
        {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        Some(self.action.clone())
    }
}
