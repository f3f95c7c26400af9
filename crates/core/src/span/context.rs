//! [`Context`]: a place in a trace, as W3C's `traceparent` writes it.

use std::fmt;

use crate::{Random, TraceParent};

/// The flag that says that the trace is taken.
const SAMPLED: u8 = 1;

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) flags: u8,
}

impl Context {
    /// Reads version 00; whatever else stands there is no place in a trace.
    pub(super) fn of(parent: &TraceParent) -> Option<Self> {
        let mut parts = parent.0.as_deref()?.split('-');
        let mut part = |length: usize| {
            let part = parts.next()?;
            (part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(part)
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (version == "00" && parts.next().is_none()).then_some(Self { trace, span, flags })
    }

    /// The beginning of a trace.
    pub(super) fn root(random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        Self { trace: u128::from_be_bytes(id).max(1), span: span_id(random), flags: 0 }
    }

    /// A place below this one.
    pub(super) fn child(self, random: &dyn Random) -> Self {
        Self { span: span_id(random), ..self }
    }

    pub(super) fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    pub(super) fn sampled(self, is_sampled: bool) -> Self {
        Self { flags: if is_sampled { self.flags | SAMPLED } else { self.flags & !SAMPLED }, ..self }
    }

    pub(super) fn parent(self) -> TraceParent {
        TraceParent(Some(self.to_string().into()))
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

fn span_id(random: &dyn Random) -> u64 {
    let mut id = [0; 8];
    random.fill(&mut id);
    u64::from_be_bytes(id).max(1)
}
