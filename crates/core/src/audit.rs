//! [`AuditRecord`]: one line per access, without a value. [`Chain`] binds the lines together, and [`ChainVerifier`] looks
//! whether they still are.

mod chain;
mod verify;

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

pub use self::chain::{Chain, ChainHash, ChainKey, ChainLine, ChainPlace, ChainTail, ChainWriter, lost_line};
pub use self::verify::{ChainBreak, ChainEnd, ChainFault, ChainReport, ChainVerifier};
use crate::{Alias, ErrorKind, RequestId, UnixMillis};

/// One access, or a count of equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When; for a count, when its last access was.
    pub at: UnixMillis,
    /// The request that made it; for a count, the last one.
    pub request_id: RequestId,
    /// Who asked.
    pub principal: Arc<str>,
    /// The address at the other end of the socket; for a count, the last one's.
    pub peer: Option<Arc<str>>,
    /// What they wanted, as [`Action::as_str`](crate::Action::as_str) says it, or `login`.
    pub action: &'static str,
    /// Which provider answered or was to be asked.
    pub provider: Option<Alias>,
    /// Which secret; of a request that was refused before one was looked at, its path. For a count of those, the last one's.
    pub name: Box<str>,
    /// Which version was released.
    pub version: Option<Box<str>>,
    /// What came of it.
    pub outcome: Outcome,
    /// Where the answer came from.
    pub cached: bool,
    /// The policy that decided.
    pub policy: Option<Arc<str>>,
    /// How many equal accesses this record stands for.
    pub count: u64,
}

/// What came of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The value, or what was asked for, was released.
    Released,
    /// A value was released that the provider could not confirm in time.
    ReleasedStale,
    /// Our own rules refused.
    Refused,
    /// It failed.
    Failed(ErrorKind),
}

impl Outcome {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::ReleasedStale => "released_stale",
            Self::Refused => "refused",
            Self::Failed(kind) => kind.code(),
        }
    }
}

impl AuditRecord {
    /// The record as one line of JSON. Every character that could break a line or a terminal is escaped.
    pub fn to_json(&self) -> String {
        let line = serde_json::to_string(&Line {
            time: self.at.to_rfc3339(),
            request_id: self.request_id.to_string(),
            principal: &self.principal,
            peer: self.peer.as_deref(),
            action: self.action,
            provider: self.provider.as_ref().map(Alias::as_str),
            name: &self.name,
            version: self.version.as_deref(),
            outcome: self.outcome.as_str(),
            cached: self.cached,
            policy: self.policy.as_deref(),
            count: self.count,
        });
        escape_beyond_ascii(&line.unwrap_or_default())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    request_id: String,
    principal: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    outcome: &'a str,
    cached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    count: u64,
}

/// JSON escapes the ASCII controls itself; DEL, C1, bidirectional controls and `<` are left to us, since the record may
/// end in a terminal or a web page.
fn escape_beyond_ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '<' || c == '\u{7f}' || !c.is_ascii() {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
#[path = "audit/chain_tests.rs"]
mod chain_tests;

#[cfg(test)]
mod tests {
    use super::*;

    /// M6: break `escape_beyond_ascii`.
    #[test]
    fn m6_a_name_with_controls_stays_one_escaped_line() {
        let record = AuditRecord {
            at: UnixMillis(0),
            request_id: "r\n1".into(),
            principal: "local".into(),
            peer: None,
            action: "get",
            provider: None,
            name: "a\n\u{1b}[31m<script>\u{202e}\u{85}".into(),
            version: None,
            outcome: Outcome::Failed(ErrorKind::InvalidName),
            cached: false,
            policy: None,
            count: 1,
        };
        let json = record.to_json();
        assert!(json.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'<'), "{json}");
        assert!(json.contains(r#""name":"a\n\u001b[31m\u003cscript>\u202e\u0085""#), "{json}");
    }
}
