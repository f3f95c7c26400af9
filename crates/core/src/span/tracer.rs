//! [`Tracer`]: begins traces and spans, and decides which traces are taken. [`OpenSpan`]: a span that has not ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::record::{Span, SpanCounts, SpanKind, SpanSink, SpanValue};
use crate::{Call, Clock, Random, TraceParent, UnixMillis};

/// What a span says that was dropped before its work was done: who wanted it had gone away.
const CANCELLED: &str = "cancelled";

/// Which traces are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Whether a caller's own decision counts, where there is one.
    pub follow_caller: bool,
    /// The part of all other traces that is taken, from 0 to 1. The same trace is decided in the same way everywhere.
    pub ratio: f64,
}

impl Sampling {
    fn takes(self, caller: Option<Context>, trace: u128) -> bool {
        match caller {
            Some(caller) if self.follow_caller => caller.is_sampled(),
            _ => self.takes_root(trace),
        }
    }

    /// As OpenTelemetry's `TraceIdRatioBased` decides: by the lower half of the id, which is random.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a range: which trace stands at its very edge does not matter"
    )]
    fn takes_root(self, trace: u128) -> bool {
        let bound = (self.ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        (trace as u64 >> 1) < bound
    }
}

/// What a [`Tracer`] is made of.
pub struct TracerParts {
    /// For the times of spans.
    pub clock: Arc<dyn Clock>,
    /// For ids.
    pub random: Arc<dyn Random>,
    /// Which traces are taken.
    pub sampling: Sampling,
    /// Where spans go.
    pub sink: Arc<dyn SpanSink>,
}

/// Begins spans.
pub struct Tracer(TracerParts);

/// What a call carries of the tracer: with the trace in it, that is enough to begin a span below.
#[derive(Clone)]
pub(crate) struct Traced {
    pub(super) tracer: Arc<Tracer>,
    anchor: Anchor,
}

/// A moment on both clocks. All spans of a request tell their times from one of these: the wall clock alone counts
/// milliseconds, and may be set in between.
#[derive(Clone, Copy)]
struct Anchor {
    wall: UnixMillis,
    monotonic: Duration,
}

impl Anchor {
    fn nanos(self, monotonic: Duration) -> u64 {
        let since = monotonic.saturating_sub(self.monotonic);
        let since = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.wall.0.saturating_mul(1_000_000).saturating_add(since)
    }
}

impl Tracer {
    /// A tracer.
    pub fn new(parts: TracerParts) -> Self {
        Self(parts)
    }

    /// What became of the spans.
    pub fn counts(&self) -> SpanCounts {
        self.0.sink.counts()
    }

    /// Begins the span of a request. `caller` is the place in a trace that the caller belongs to; without one, a trace
    /// begins here.
    pub fn request(self: &Arc<Self>, caller: &TraceParent) -> OpenSpan {
        let caller = Context::of(caller);
        let here = caller.map_or_else(|| Context::root(&*self.0.random), |caller| caller.child(&*self.0.random));
        let here = here.sampled(self.0.sampling.takes(caller, here.trace));
        let anchor = Anchor { wall: self.0.clock.wall(), monotonic: self.0.clock.monotonic() };
        let traced = Traced { tracer: Arc::clone(self), anchor };
        if here.is_sampled() {
            return traced.open(
                here,
                caller.map(|caller| caller.span),
                SpanKind::Server,
                (SpanValue::Word("HTTP"), ""),
            );
        }
        // Nobody will see this span: what comes after it belongs to whom it belongs to itself.
        let passed = caller.map_or(here, |caller| caller.sampled(false));
        OpenSpan { trace: passed.parent(), open: None }
    }
}

impl Traced {
    pub(super) fn below(&self, trace: &TraceParent, kind: SpanKind, name: (SpanValue, &'static str)) -> OpenSpan {
        match Context::of(trace) {
            Some(parent) if parent.is_sampled() => {
                self.open(parent.child(&*self.tracer.0.random), Some(parent.span), kind, name)
            }
            _ => OpenSpan { trace: trace.clone(), open: None },
        }
    }

    fn open(&self, here: Context, parent: Option<u64>, kind: SpanKind, name: (SpanValue, &'static str)) -> OpenSpan {
        let begun = self.tracer.0.clock.monotonic();
        let start = self.anchor.nanos(begun);
        let span = Span {
            trace: here.trace,
            id: here.span,
            parent,
            flags: here.flags,
            name,
            kind,
            start,
            end: start,
            attributes: Vec::new(),
            failure: None,
        };
        OpenSpan { trace: here.parent(), open: Some(Box::new(Open { span, traced: self.clone() })) }
    }
}

/// A span that has not ended, or the place of one that is not taken. Dropped before it ends, it says that its work was
/// cancelled.
pub struct OpenSpan {
    trace: TraceParent,
    open: Option<Box<Open>>,
}

struct Open {
    span: Span,
    traced: Traced,
}

impl OpenSpan {
    /// The place of no span, in no trace.
    pub fn none() -> Self {
        Self { trace: TraceParent::default(), open: None }
    }

    /// Whether anybody will see it.
    pub fn is_taken(&self) -> bool {
        self.open.is_some()
    }

    /// Makes a call part of this span.
    pub fn put_into(&self, call: &mut Call) {
        call.trace = self.trace.clone();
        call.traced = self.open.as_ref().map(|open| open.traced.clone());
    }

    /// Names it.
    pub fn name(&mut self, first: SpanValue, second: &'static str) {
        if let Some(open) = &mut self.open {
            open.span.name = (first, second);
        }
    }

    /// Says something of it.
    pub fn set(&mut self, key: &'static str, value: SpanValue) {
        if let Some(open) = &mut self.open {
            open.span.attributes.push((key, value));
        }
    }

    /// Begins a span below this one.
    pub fn below(&self, name: &'static str) -> Self {
        match &self.open {
            Some(open) => open.traced.below(&self.trace, SpanKind::Internal, (SpanValue::Word(name), "")),
            None => Self::none(),
        }
    }

    /// Ends it; `failure` is why its work failed, if it did.
    pub fn end(mut self, failure: Option<&'static str>) {
        self.close(failure);
    }

    /// Forgets it: its work has not begun.
    pub fn forget(mut self) {
        self.open = None;
    }

    fn close(&mut self, failure: Option<&'static str>) {
        let Some(open) = self.open.take() else { return };
        let Open { mut span, traced: Traced { tracer, anchor } } = *open;
        span.end = anchor.nanos(tracer.0.clock.monotonic()).max(span.start);
        span.failure = failure;
        if let Some(failure) = failure {
            span.attributes.push(("error.type", SpanValue::Word(failure)));
        }
        tracer.0.sink.take(span);
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        self.close(Some(CANCELLED));
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSpan").field("trace", &self.trace).finish_non_exhaustive()
    }
}
