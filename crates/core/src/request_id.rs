//! [`RequestId`]: what ties the answer, the log and the audit record of one request together.

use std::fmt;
use std::sync::Arc;

/// The id of one request. One that was made costs no memory; whoever wants its text prints it.
///
/// ```
/// use lockstep_core::RequestId;
/// let made = RequestId::Made { process: 0xab, number: 1 };
/// assert_eq!(made.to_string(), "00000000000000ab0000000000000001");
/// assert_eq!(RequestId::from("req-1").to_string(), "req-1");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// A number that is random per process, and a count: 32 hex digits.
    Made {
        /// The process's half.
        process: u64,
        /// The request's half.
        number: u64,
    },
    /// The caller's own, or the host's word for work that no request has asked for.
    Given(Arc<str>),
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self::Given(Arc::from(text))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made { process, number } => write!(f, "{process:016x}{number:016x}"),
            Self::Given(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
