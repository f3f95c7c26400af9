//! Who asks, for what, and whether they may: the words that `auth` fills with meaning.

use std::fmt;
use std::sync::Arc;

use crate::Alias;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// A stable name for policies and audit records, such as `local` or `oidc:repo:acme/shop`. It never holds a
    /// credential.
    pub id: Arc<str>,
    /// The address at the other end of the socket; never a forwarded header's.
    pub peer: Option<Arc<str>>,
}

impl Principal {
    /// A principal of this name.
    pub fn new(id: &str) -> Self {
        Self { id: Arc::from(id), peer: None }
    }
}

/// What a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Read a value.
    Get,
    /// See the names of secrets.
    List,
    /// See metadata and versions.
    Describe,
    /// Ask the provider to rotate.
    Rotate,
    /// Read the journal.
    Changes,
    /// Say that a value no longer works.
    ReportStale,
    /// Drop what is cached.
    Invalidate,
}

impl Action {
    /// The word in policies and audit records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Describe => "describe",
            Self::Rotate => "rotate",
            Self::Changes => "changes",
            Self::ReportStale => "report-stale",
            Self::Invalidate => "invalidate",
        }
    }
}

/// What an action is wanted on: one candidate of the plan, or a canonical name that a provider answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Which provider.
    pub provider: &'a Alias,
    /// The name, or the prefix of a list.
    pub name: &'a str,
}

/// Allow or deny, and who said so.
#[derive(Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the action may go on.
    pub allowed: bool,
    /// The policy that decided, for the audit record.
    pub policy: Arc<str>,
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", if self.allowed { "allowed" } else { "denied" }, self.policy)
    }
}

/// Decides what a principal may do. It is asked for each candidate before any call, and again for the canonical name
/// before release.
pub trait Authorizer: Send + Sync {
    /// The decision.
    fn decide(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Decision;
}
