//! Which calls meet what instead of an answer of the upstream.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::batch::Share;
use super::wire::Request;

/// What happens to a call that a [`Rule`] matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// Waits, then forwards.
    Delay(Duration),
    /// Answers with an error of DynamoDB's form; nothing is forwarded.
    Error { status: u16, code: &'static str, message: &'static str },
    /// Never answers; the call ends when the client hangs up.
    Hang,
    /// Closes the connection without an answer; nothing is forwarded.
    Reset,
    /// Forwards, but breaks the connection halfway through the answer: what was asked for is done,
    /// and the client cannot know.
    Truncate,
    /// Answers 200 with a body that is not JSON; nothing is forwarded. The SDK does not retry it.
    Garble,
    /// Forwards the first part of a `BatchWriteItem` or `BatchGetItem` and answers that the rest is
    /// unprocessed. Other operations are forwarded whole.
    Unprocessed { processed: Share },
}

impl Action {
    /// What it is called where actions are counted: an error by its code.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Error { code, .. } => code,
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::Garble => "garble",
            Self::Unprocessed { .. } => "unprocessed",
        }
    }
}

type Predicate = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// Which calls an [`Action`] is for.
#[derive(Clone)]
pub struct Rule {
    operation: Option<&'static str>,
    when: Option<Predicate>,
    /// Matching calls still to let pass.
    skip: usize,
    /// Matching calls still to act on; `None` is all of them.
    left: Option<usize>,
    action: Action,
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
        self.when = Some(Arc::new(predicate));
        self
    }

    /// Lets the first `calls` matching calls pass to the next rule.
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }

    /// Acts on at most this many calls.
    pub fn times(mut self, calls: usize) -> Self {
        self.left = Some(calls);
        self
    }

    /// The action for this call, if it is for this rule; one of its times is then used up.
    pub(super) fn act_on(&mut self, request: &Request) -> Option<Action> {
        if self.operation.is_some_and(|name| name != request.operation)
            || self.when.as_ref().is_some_and(|when| !when(&request.body))
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
