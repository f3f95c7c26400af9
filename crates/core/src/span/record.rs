//! [`Span`]: one that has ended, and [`SpanSink`], the port that takes it.

use std::borrow::Cow;

use crate::{Alias, Scope};

/// Where spans go once they have ended.
pub trait SpanSink: Send + Sync {
    /// Takes a span. It never waits: what it has no room for is dropped, and counted.
    fn take(&self, span: Span);

    /// What became of the spans since the start.
    fn counts(&self) -> SpanCounts;
}

/// What became of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanCounts {
    /// Taken by the collector.
    pub exported: u64,
    /// Dropped, since the queue was full.
    pub dropped: u64,
    /// Refused by the collector: it will not take them at another time either.
    pub rejected: u64,
    /// Waiting to be sent.
    pub waiting: u64,
}

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that is answered.
    Server,
    /// Work inside.
    Internal,
    /// A call to somebody else.
    Client,
}

/// What a span can say: words of this program, what the operator has named, and numbers.
///
/// No variant holds a text from outside. So no name of a secret, no value, token, header or query gets into a trace,
/// whoever forgets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A word of this program.
    Word(&'static str),
    /// The alias of a provider.
    Alias(Alias),
    /// The type of the provider that this is the scope of; nothing else of the scope is told.
    ProviderType(Scope),
    /// A number.
    Number(i64),
}

impl SpanValue {
    /// As text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Word(word) => Cow::Borrowed(word),
            Self::Alias(alias) => Cow::Borrowed(alias.as_str()),
            Self::ProviderType(scope) => Cow::Borrowed(&scope.parts().provider),
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// Its own id.
    pub id: u64,
    /// The span that it belongs to; none begins a trace.
    pub parent: Option<u64>,
    /// The flags of W3C's trace context.
    pub flags: u8,
    /// Its name, in one or two words: `secrets.get`, `vault get`, `GET /api/v1/secrets/{name}`.
    pub name: (SpanValue, &'static str),
    /// What it is about.
    pub kind: SpanKind,
    /// Its beginning, in nanoseconds since 1970.
    pub start: u64,
    /// Its end, in the same.
    pub end: u64,
    /// What else is known.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Why it failed, if it did.
    pub failure: Option<&'static str>,
}

impl Span {
    /// The whole name.
    pub fn full_name(&self) -> String {
        match &self.name {
            (first, "") => first.text().into_owned(),
            (first, second) => format!("{} {second}", first.text()),
        }
    }
}
