//! [`Error`]: what failed, on what, and whether trying again helps.
//!
//! One opaque type crosses every boundary of the resolver. Its message says what failed and what to do; it never holds
//! a value, a token or an upstream body. Cloning is cheap, because everyone who waited for one fetch gets its error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Alias, SecretName};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
///
/// Transient kinds ([`ErrorKind::is_transient`]) say nothing about the secret, so a stale value may stand in. Every
/// other kind is an *answer*: it evicts what is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration is wrong.
    Config,
    /// The name is not one this provider can have.
    InvalidName,
    /// A reference does not parse.
    InvalidReference,
    /// The provider does not accept our login.
    Unauthenticated,
    /// The provider, or this instance's own rules, refuse the read.
    Denied,
    /// There is no such secret.
    NotFound,
    /// The secret exists, this version or key of it does not.
    VersionNotFound,
    /// The secret or version is deleted and could be recovered.
    Deleted,
    /// The secret or version is gone for good.
    Destroyed,
    /// The provider could not decrypt it.
    Decrypt,
    /// The provider's state does not allow the operation.
    Conflict,
    /// A rotation is already under way.
    RotationInProgress,
    /// The secret has no rotation.
    RotationNotConfigured,
    /// The secret or version is disabled.
    Disabled,
    /// Too many calls; try later.
    Throttled,
    /// A quota that does not refill by waiting.
    QuotaExceeded,
    /// The provider, or the node asked, can't answer now.
    Unavailable,
    /// The deadline passed.
    Timeout,
    /// No connection, or it broke.
    Network,
    /// The TLS handshake failed.
    Tls,
    /// The answer is not what the provider's documentation promises.
    Malformed,
    /// The answer or the request is larger than a limit.
    TooLarge,
    /// The provider can't do this.
    Unsupported,
    /// The provider failed so often that it is left alone for a while.
    CircuitOpen,
    /// A fault of Lockstep itself.
    Internal,
}

impl ErrorKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 25] = [
        Self::Config,
        Self::InvalidName,
        Self::InvalidReference,
        Self::Unauthenticated,
        Self::Denied,
        Self::NotFound,
        Self::VersionNotFound,
        Self::Deleted,
        Self::Destroyed,
        Self::Decrypt,
        Self::Conflict,
        Self::RotationInProgress,
        Self::RotationNotConfigured,
        Self::Disabled,
        Self::Throttled,
        Self::QuotaExceeded,
        Self::Unavailable,
        Self::Timeout,
        Self::Network,
        Self::Tls,
        Self::Malformed,
        Self::TooLarge,
        Self::Unsupported,
        Self::CircuitOpen,
        Self::Internal,
    ];

    /// Whether the kind says nothing about the secret itself.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::Unavailable
                | Self::Timeout
                | Self::Network
                | Self::Tls
                | Self::Malformed
                | Self::CircuitOpen
                | Self::Internal
        )
    }

    /// The name used in problem documents, metrics and audit records, such as `not_found`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::InvalidName => "invalid_name",
            Self::InvalidReference => "invalid_reference",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::VersionNotFound => "version_not_found",
            Self::Deleted => "deleted",
            Self::Destroyed => "destroyed",
            Self::Decrypt => "decrypt",
            Self::Conflict => "conflict",
            Self::RotationInProgress => "rotation_in_progress",
            Self::RotationNotConfigured => "rotation_not_configured",
            Self::Disabled => "disabled",
            Self::Throttled => "throttled",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::CircuitOpen => "circuit_open",
            Self::Internal => "internal",
        }
    }
}

/// Whether, and when, the same call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never: the answer would be the same.
    Never,
    /// After a pause; with a duration, not before it (the provider said so).
    After(Option<Duration>),
    /// Once, with a new login: the provider has dropped its credential before it said so.
    OnceWithFreshCredentials,
}

/// The operation that failed; the word used in messages, metrics and audit records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Read one value.
    Get,
    /// Read several values in one call.
    GetMany,
    /// Read metadata.
    Describe,
    /// List the versions of a secret.
    Versions,
    /// List secrets.
    List,
    /// Ask the provider to rotate.
    Rotate,
    /// Renew a lease.
    Renew,
    /// Revoke a lease.
    Revoke,
    /// Check that the provider answers.
    Check,
    /// Log in at the provider.
    Login,
    /// Drop what is cached.
    Invalidate,
    /// Read the journal.
    Journal,
}

impl Operation {
    /// The word, such as `get`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Describe => "describe",
            Self::Versions => "versions",
            Self::List => "list",
            Self::Rotate => "rotate",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
            Self::Check => "check",
            Self::Login => "login",
            Self::Invalidate => "invalidate",
            Self::Journal => "journal",
        }
    }
}

/// A failure of any part of Lockstep.
///
/// ```
/// use lockstep_core::{Error, ErrorKind, Operation, SecretName};
/// let name = SecretName::parse("db/creds")?;
/// let error = Error::new(ErrorKind::NotFound, "there is no such secret").during(Operation::Get).on(&name);
/// assert_eq!(error.to_string(), "get db/creds: there is no such secret");
/// # Ok::<(), lockstep_core::NameError>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Box<str>,
    operation: Option<Operation>,
    provider: Option<Alias>,
    name: Option<SecretName>,
    code: Option<Box<str>>,
    status: Option<u16>,
    unsent: bool,
    request_id: Option<Box<str>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message says what failed and what to do, and holds nothing that came from a value,
    /// a credential or an upstream body.
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        let retry =
            if kind.is_transient() && kind != ErrorKind::CircuitOpen { Retry::After(None) } else { Retry::Never };
        Self(Arc::new(Inner {
            kind,
            retry,
            message: message.into(),
            operation: None,
            provider: None,
            name: None,
            code: None,
            status: None,
            unsent: false,
            request_id: None,
            source: None,
        }))
    }

    /// An [`ErrorKind::Unsupported`] error: `what` names the thing that the provider can't do.
    pub fn unsupported(what: &str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("the provider can't {what}"))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets when the call may be tried again.
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|inner| inner.retry = retry)
    }

    /// Names the operation, unless an inner layer has.
    pub fn during(self, operation: Operation) -> Self {
        self.with(|inner| inner.operation = inner.operation.or(Some(operation)))
    }

    /// Names the provider, unless an inner layer has.
    pub fn from_provider(self, alias: &Alias) -> Self {
        self.with(|inner| inner.provider = inner.provider.take().or_else(|| Some(alias.clone())))
    }

    /// Names the secret, unless an inner layer has.
    pub fn on(self, name: &SecretName) -> Self {
        self.with(|inner| inner.name = inner.name.take().or_else(|| Some(name.clone())))
    }

    /// Keeps the provider's own error code and HTTP status, which a drop-in surface passes through. What does not look
    /// like a code (64 letters, digits, `.` and `_` at most) is none: it is passed on to callers, and no other text of an
    /// answer may be.
    pub fn upstream(self, code: &str, status: u16) -> Self {
        let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
        let code = if code.len() <= 64 && code.bytes().all(is_code) { code } else { "" };
        self.with(|inner| {
            inner.code = Some(code.into());
            inner.status = Some(status);
        })
    }

    /// Says that nothing of the request left this process, so that even one that makes something may go elsewhere.
    pub fn unsent(self) -> Self {
        self.with(|inner| inner.unsent = true)
    }

    /// Keeps the provider's request id, cut to 128 printable ASCII characters.
    pub fn request_id(self, id: &str) -> Self {
        let id: String = id.chars().filter(char::is_ascii_graphic).take(128).collect();
        self.with(|inner| inner.request_id = Some(id.into()))
    }

    /// Keeps the cause. It must print no value and no token.
    pub fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the kind says nothing about the secret itself.
    pub fn is_transient(&self) -> bool {
        self.0.kind.is_transient()
    }

    /// Whether the same call may be tried again.
    pub fn retry_hint(&self) -> Retry {
        self.0.retry
    }

    /// What failed and what to do, without the operation and the name.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The provider that failed.
    pub fn provider(&self) -> Option<&Alias> {
        self.0.provider.as_ref()
    }

    /// The secret that it failed on.
    pub fn name(&self) -> Option<&SecretName> {
        self.0.name.as_ref()
    }

    /// Whether it is certain that nothing of the request was sent.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// The provider's own error code.
    pub fn upstream_code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The HTTP status that the provider answered with.
    pub fn upstream_status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's request id.
    pub fn upstream_request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(operation) = inner.operation {
            write!(f, "{}", operation.as_str())?;
            // What is fetched is fetched from somebody; a login is made at somebody, for what was to be fetched.
            let (name, provider) = (inner.name.as_ref(), inner.provider.as_ref());
            if operation == Operation::Login {
                provider.map_or(Ok(()), |provider| write!(f, " at {provider}"))?;
                name.map_or(Ok(()), |name| write!(f, " for {name}"))?;
            } else {
                name.map_or(Ok(()), |name| write!(f, " {name}"))?;
                provider.map_or(Ok(()), |provider| write!(f, " from {provider}"))?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}, {:?}: {self}", self.0.kind.code(), self.0.retry)?;
        if let Some(code) = &self.0.code {
            write!(f, " [{code}]")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<crate::NameError> for Error {
    fn from(error: crate::NameError) -> Self {
        Self::new(ErrorKind::InvalidName, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M1. Break: either half of the check in `Error::upstream`.
    #[test]
    fn m1_what_does_not_look_like_a_code_is_not_passed_on() {
        let of = |code: &str| Error::new(ErrorKind::Denied, "no").upstream(code, 400);
        for bad in ["a b", "c4n4ry!", "a\"b", "\u{e4}", "a/b", &"x".repeat(65)] {
            assert_eq!((of(bad).upstream_code(), of(bad).upstream_status()), (Some(""), Some(400)), "{bad:?}");
        }
        for good in ["NOT_FOUND", "a.B_1", &"x".repeat(64)] {
            assert_eq!(of(good).upstream_code(), Some(good));
        }
    }

    #[test]
    fn all_holds_every_kind_once_and_codes_are_distinct() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert_eq!(ErrorKind::ALL.len(), ErrorKind::Internal as usize + 1);
    }

    #[test]
    fn an_inner_layer_names_first() {
        let (inner, outer) = (Alias::parse("vault").unwrap(), Alias::parse("chain").unwrap());
        let error = Error::new(ErrorKind::Timeout, "no answer").from_provider(&inner).from_provider(&outer);
        assert_eq!(error.provider(), Some(&inner));
    }

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
