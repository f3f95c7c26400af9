//! Spans: what a request, an access and an attempt at a provider took, and which of them belongs to which.
//!
//! A program without the feature `spans` has none of this: what stands in the resolver and around providers is then of no
//! size and does nothing (`absent`). With it, a [`Tracer`] makes ids and decides whose trace is taken; where spans go when
//! they have ended is the host's, behind [`SpanSink`]. The context travels with the [`Call`](crate::Call).

#[cfg(not(feature = "spans"))]
mod absent;
#[cfg(feature = "spans")]
mod access;
#[cfg(feature = "spans")]
mod context;
#[cfg(feature = "spans")]
mod record;
#[cfg(feature = "spans")]
mod tracer;

#[cfg(not(feature = "spans"))]
pub(crate) use self::absent::Attempts;
#[cfg(feature = "spans")]
pub(crate) use self::access::Attempts;
#[cfg(feature = "spans")]
pub(crate) use self::tracer::Traced;
#[cfg(feature = "spans")]
pub use self::{
    record::{Span, SpanCounts, SpanKind, SpanSink, SpanValue},
    tracer::{OpenSpan, Sampling, Tracer, TracerParts},
};
