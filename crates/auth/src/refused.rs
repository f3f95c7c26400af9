//! [`Refused`]: why a login got nobody in. All logins of this crate share it.
//!
//! The reason is a word for audit records and metrics, the detail is for who operates the endpoint. Neither holds any
//! part of what was presented, and the caller is told neither: to it, one refusal looks like another.

use std::borrow::Cow;
use std::fmt;

/// A login that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whether to show something else helps, or to try again.
    pub kind: RefusedKind,
    /// The word for audit records and metrics, in snake case, such as `jwt_expired`. There is a fixed number of them.
    pub reason: &'static str,
    /// What is wrong and what to look at. It holds no part of what was presented.
    pub detail: Cow<'static, str>,
}

/// What a refusal says of the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedKind {
    /// It is not accepted. The answer is 401.
    NotAccepted,
    /// Nobody can tell: what it is checked with can't be had now. The answer is 503, and never 401: a good credential
    /// may be behind it.
    NotNow,
}

impl Refused {
    /// What was presented is not accepted.
    pub(crate) fn credential(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: RefusedKind::NotAccepted, reason, detail: detail.into() }
    }

    /// What was presented can't be checked now.
    #[cfg(any(feature = "jwt", feature = "aws-iam"))]
    pub(crate) fn not_now(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: RefusedKind::NotNow, reason, detail: detail.into() }
    }

    /// Whether trying again, with the same credential, may help.
    pub fn is_transient(&self) -> bool {
        self.kind == RefusedKind::NotNow
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Refused {}
