//! [`Pattern`]: a glob over the names of secrets. Routes and allow-lists use this one and no other.
//!
//! It is read once, and says then what can never match. Matching allocates nothing, never goes back further than to the
//! last `**`, and takes at most the name's length times the pattern's number of segments.

use std::fmt;
use std::sync::Arc;

use crate::{NameError, SecretName};

/// A glob over [`SecretName`]s.
///
/// `*` stands for any part of one segment, `**` for any number of whole segments, none included; at the end it stands
/// for one at least, so that `db/**` is everything under `db` and not `db` itself. Every other character stands for
/// itself, and case is significant. A leading `/` counts: `prod/*` does not match `/prod/db`, but `**` does.
///
/// ```
/// use lockstep_core::Pattern;
/// let pattern = Pattern::parse("db/**/*-rw")?;
/// assert!(pattern.matches("db/orders-rw"));
/// assert!(pattern.matches("db/eu/prod/orders-rw"));
/// assert!(!pattern.matches("db/orders-ro"));
/// # Ok::<(), lockstep_core::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    segments: Arc<[Segment]>,
}

/// Why a text is no [`Pattern`]; its message says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing was written.
    #[error("the pattern is empty; write `**` for every name")]
    Empty,
    /// `db**`, `***`.
    #[error("`**` stands for whole segments; write `db/**` or `**/db`, or one `*` for a part of a segment")]
    PartOfSegment,
    /// `db/`.
    #[error("the pattern ends in `/`; write `db/**` for everything under `db`, or `db/*` for one segment below it")]
    TrailingSlash,
    /// No name looks like this.
    #[error("the pattern can't match a name: {0}")]
    Name(#[from] NameError),
}

/// What stands between two slashes of a pattern.
#[derive(Debug)]
enum Segment {
    /// `**`
    Many,
    /// Text without a `*`; empty before a leading slash.
    Exact(Box<str>),
    /// Text with a `*`: how it begins, what stands between the stars, how it ends.
    Parts { first: Box<str>, middle: Box<[Box<str>]>, last: Box<str> },
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.split('/').any(|segment| segment != "**" && segment.contains("**")) {
            return Err(PatternError::PartOfSegment);
        }
        if text.len() > 1 && text.ends_with('/') {
            return Err(PatternError::TrailingSlash);
        }
        // A star could stand for an `x`, so what is no name with it never matches one.
        SecretName::parse(&text.replace('*', "x"))?;
        Ok(Self { text: Arc::from(text), segments: text.split('/').map(Segment::parse).collect() })
    }

    /// Whether the whole name fits.
    pub fn matches(&self, name: &str) -> bool {
        // The one that fits everything is the one that most have.
        if matches!(self.segments[..], [Segment::Many]) {
            return true;
        }
        let mut rest = name.split('/');
        let mut at = 0;
        // After a `**`: the segment of the pattern behind it, and where in the name it was tried last.
        let mut again: Option<(usize, std::str::Split<'_, char>)> = None;
        loop {
            match (self.segments.get(at), rest.clone().next()) {
                (Some(Segment::Many), next) => {
                    at += 1;
                    if at == self.segments.len() {
                        return next.is_some();
                    }
                    again = Some((at, rest.clone()));
                }
                (Some(segment), Some(text)) if segment.matches(text) => {
                    at += 1;
                    rest.next();
                }
                (None, None) => return true,
                // The name has ended; to let a `**` stand for more of it does not help.
                (Some(_), None) => return false,
                (_, Some(_)) => {
                    let Some((behind, tried)) = &mut again else { return false };
                    tried.next();
                    at = *behind;
                    rest = tried.clone();
                }
            }
        }
    }

    /// Whether some name that begins with this text would fit: what a list of names needs to know. The prefix is text
    /// and may end in the middle of a segment.
    pub fn may_match_under(&self, prefix: &str) -> bool {
        let (whole, begun) = match prefix.rsplit_once('/') {
            Some((whole, begun)) => (Some(whole), begun),
            None => (None, prefix),
        };
        let mut segments = self.segments.iter();
        for text in whole.iter().flat_map(|whole| whole.split('/')) {
            match segments.next() {
                // It can stand for the rest of the prefix, and what follows it for the rest of the name.
                Some(Segment::Many) => return true,
                Some(segment) if segment.matches(text) => {}
                _ => return false,
            }
        }
        segments.next().is_some_and(|segment| segment.may_begin(begun))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        if text == "**" {
            return Self::Many;
        }
        let mut parts: Vec<Box<str>> = text.split('*').map(Box::from).collect();
        let last = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Self::Exact(last);
        }
        let first = parts.remove(0);
        Self::Parts { first, middle: parts.into(), last }
    }

    /// Whether one segment of a name fits. The first place where a middle part fits is as good as any later one.
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Many => true,
            Self::Exact(exact) => **exact == *text,
            Self::Parts { first, middle, last } => {
                let between = text.strip_prefix(&**first).and_then(|text| text.strip_suffix(&**last));
                let Some(mut rest) = between.filter(|_| !text.is_empty()) else { return false };
                middle.iter().all(|part| {
                    let Some(at) = rest.find(&**part) else { return false };
                    rest = &rest[at + part.len()..];
                    true
                })
            }
        }
    }

    /// Whether a segment that begins like this could fit.
    fn may_begin(&self, begun: &str) -> bool {
        match self {
            Self::Many => true,
            Self::Exact(exact) => exact.starts_with(begun),
            Self::Parts { first, .. } => first.starts_with(begun) || begun.starts_with(&**first),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

#[cfg(test)]
#[path = "pattern/tests.rs"]
mod tests;
