//! The spans inside: an access to secrets, and an attempt at a provider.

use std::sync::atomic::{AtomicU32, Ordering};

use http::header::{HeaderName, HeaderValue};

use super::record::{SpanKind, SpanValue};
use super::tracer::OpenSpan;
use crate::{Alias, Answer, CacheStatus, Call, Error, Operation, Result, Scope};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const PROVIDER: &str = "lockstep.provider";

/// A span with the call that belongs to it.
pub(crate) struct AccessSpan {
    span: OpenSpan,
    /// None where the call goes on as it is.
    call: Option<Box<Call>>,
}

/// How many attempts were made.
pub(crate) struct Attempts(AtomicU32);

impl Attempts {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl Call {
    /// Begins the span of an access.
    pub(crate) fn access_span(&self, name: &'static str) -> AccessSpan {
        self.begin(SpanKind::Internal, (SpanValue::Word(name), ""))
    }

    /// Begins the span of one attempt at a provider.
    pub(crate) fn attempt_span(
        &self,
        operation: Operation,
        alias: &Alias,
        scope: &Scope,
        attempts: &Attempts,
    ) -> AccessSpan {
        let number = attempts.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let name = (SpanValue::ProviderType(scope.clone()), operation.as_str());
        let mut begun = self.begin(SpanKind::Client, name);
        begun.span.set(PROVIDER, SpanValue::Alias(alias.clone()));
        begun.span.set("lockstep.provider.type", SpanValue::ProviderType(scope.clone()));
        begun.span.set("lockstep.attempt", SpanValue::Number(number.into()));
        begun
    }

    fn begin(&self, kind: SpanKind, name: (SpanValue, &'static str)) -> AccessSpan {
        let Some(traced) = &self.traced else { return AccessSpan { span: OpenSpan::none(), call: None } };
        let span = traced.below(&self.trace, kind, name);
        let call = span.is_taken().then(|| {
            let mut call = Box::new(self.clone());
            span.put_into(&mut call);
            call
        });
        AccessSpan { span, call }
    }

    /// A request to a provider, with the trace that it belongs to.
    #[must_use]
    pub fn traced<T>(&self, mut request: http::Request<T>) -> http::Request<T> {
        if let Some(trace) = &self.trace.0
            && let Ok(value) = HeaderValue::from_str(trace)
        {
            request.headers_mut().entry(TRACEPARENT).or_insert(value);
        }
        request
    }
}

impl AccessSpan {
    /// The call that belongs to it.
    pub(crate) fn of<'a>(&'a self, call: &'a Call) -> &'a Call {
        self.call.as_deref().unwrap_or(call)
    }

    /// Ends the span of a read.
    pub(crate) fn answered(self, result: &Result<Answer>) {
        self.span.answered(result.as_ref());
    }

    /// Ends the span of many reads.
    pub(crate) fn answered_many(mut self, results: &[Result<Answer>]) {
        let number = |count: usize| SpanValue::Number(i64::try_from(count).unwrap_or(i64::MAX));
        let failed = results.iter().filter(|result| result.is_err()).count();
        self.span.set("lockstep.batch.size", number(results.len()));
        self.span.set("lockstep.batch.failed", number(failed));
        self.span.end(None);
    }

    /// Ends the span of anything else.
    pub(crate) fn ended<T>(self, result: &Result<T>) {
        self.span.end(result.as_ref().err().map(|error| error.kind().code()));
    }
}

impl OpenSpan {
    /// Ends the span of a read.
    pub fn answered(mut self, result: Result<&Answer, &Error>) {
        let alias = match result {
            Ok(answer) => Some(&answer.alias),
            Err(error) => error.provider(),
        };
        if let Some(alias) = alias {
            self.set(PROVIDER, SpanValue::Alias(alias.clone()));
        }
        if let Ok(answer) = result {
            let found = match answer.status {
                CacheStatus::Hit => "hit",
                CacheStatus::Miss => "miss",
                CacheStatus::Stale(_) => "stale",
            };
            self.set("lockstep.cache", SpanValue::Word(found));
        }
        self.end(result.err().map(|error| error.kind().code()));
    }
}
