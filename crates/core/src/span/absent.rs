//! What stands in the place of spans in a program that has none: the same words, of no size, doing nothing.

use crate::{Alias, Answer, Call, Operation, Result, Scope};

/// No span.
pub(crate) struct AccessSpan;

/// No count of attempts.
pub(crate) struct Attempts;

impl Attempts {
    pub(crate) fn new() -> Self {
        Self
    }
}

#[expect(clippy::unused_self, reason = "it is used like the call that has a trace")]
impl Call {
    pub(crate) fn access_span(&self, _: &'static str) -> AccessSpan {
        AccessSpan
    }

    pub(crate) fn attempt_span(&self, _: Operation, _: &Alias, _: &Scope, _: &Attempts) -> AccessSpan {
        AccessSpan
    }

    /// A request to a provider, as it is.
    #[must_use]
    #[inline]
    pub fn traced<T>(&self, request: http::Request<T>) -> http::Request<T> {
        request
    }
}

#[expect(clippy::unused_self, reason = "it is used like the span that it stands for")]
impl AccessSpan {
    pub(crate) fn of<'a>(&self, call: &'a Call) -> &'a Call {
        call
    }

    pub(crate) fn answered(self, _: &Result<Answer>) {}

    pub(crate) fn answered_many(self, _: &[Result<Answer>]) {}

    pub(crate) fn ended<T>(self, _: &Result<T>) {}
}
