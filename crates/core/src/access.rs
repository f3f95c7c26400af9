//! Who asks, for what, and whether they may: the words that `auth` fills with meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Alias;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// A stable name for policies and audit records, such as `local` or `jwt:github:repo:acme/shop`. It never holds a
    /// credential.
    pub id: Arc<str>,
    /// What it has shown.
    pub login: Login,
    /// What was verified of it beside its name, such as the claims of its token.
    pub claims: Option<Arc<Claims>>,
    /// The address at the other end of the socket; never a forwarded header's.
    pub peer: Option<Arc<str>>,
    /// Whether its connection has shown a certificate that TLS has verified, whatever it has logged in with.
    pub mtls: bool,
}

/// What was verified of a caller beside its name: JSON, as its login tells it.
pub type Claims = serde_json::Map<String, serde_json::Value>;

impl Principal {
    /// A caller with the local token, of this name.
    pub fn new(id: &str) -> Self {
        Self { id: Arc::from(id), login: Login::Local, claims: None, peer: None, mtls: false }
    }

    /// The issuer of its token, by its name in the configuration; only who has shown a token has one.
    pub fn issuer(&self) -> Option<&str> {
        let named = self.id.strip_prefix("jwt:").filter(|_| self.login == Login::Jwt)?;
        Some(named.split_once(':')?.0)
    }

    /// What its requests are counted under: its id, without what it can choose anew for each request. Who assumes a role
    /// of AWS names the session.
    pub fn counted_as(&self) -> &str {
        let has_session = [":assumed-role/", ":federated-user/"].iter().any(|kind| self.id.contains(kind));
        match self.id.rsplit_once('/') {
            Some((role, _)) if has_session && self.login == Login::AwsIam => role,
            _ => &self.id,
        }
    }
}

/// What a caller shows to say who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Login {
    /// The token of a local listener, or being the process itself.
    Local,
    /// Being a user of this machine, at the other end of a Unix socket.
    Socket,
    /// A signed token of an issuer (JWT, OIDC).
    Jwt,
    /// A key that the operator has handed out.
    ApiKey,
    /// An identity of AWS.
    AwsIam,
    /// A certificate, at the other end of a TLS connection.
    Certificate,
}

impl Login {
    /// The word in policies and audit records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Socket => "socket",
            Self::Jwt => "jwt",
            Self::ApiKey => "api-key",
            Self::AwsIam => "aws-iam",
            Self::Certificate => "certificate",
        }
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
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::List, Self::Describe, Self::Rotate, Self::Changes, Self::ReportStale, Self::Invalidate];

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
    /// Its tags, where they are known.
    pub tags: Option<&'a BTreeMap<String, String>>,
}

/// Allow or deny, and who said so.
#[derive(Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the action may go on.
    pub allowed: bool,
    /// The policy that decided, for the audit record.
    pub policy: Arc<str>,
    /// It is denied as long as nobody knows the secret's tags: with them, it may be decided in another way.
    pub wants_tags: bool,
}

impl Decision {
    /// Allowed or denied by this policy, whatever else is known.
    pub fn new(allowed: bool, policy: impl Into<Arc<str>>) -> Self {
        Self { allowed, policy: policy.into(), wants_tags: false }
    }
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

    /// Whether any decision can hang on tags. Where none does, nobody asks for them.
    fn reads_tags(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: `has_session` in `counted_as`, or the login there.
    #[test]
    fn a_session_that_the_caller_names_makes_no_other_caller_of_it() {
        let counted = |id: &str, login| Principal { login, ..Principal::new(id) }.counted_as().to_owned();
        for (id, login, expected) in [
            ("iam:arn:aws:sts::1:assumed-role/app/one", Login::AwsIam, "iam:arn:aws:sts::1:assumed-role/app"),
            ("iam:arn:aws:sts::1:assumed-role/app/two", Login::AwsIam, "iam:arn:aws:sts::1:assumed-role/app"),
            ("iam:arn:aws:sts::1:federated-user/x", Login::AwsIam, "iam:arn:aws:sts::1:federated-user"),
            ("iam:arn:aws:iam::1:user/a/b", Login::AwsIam, "iam:arn:aws:iam::1:user/a/b"),
            ("jwt:gh:x:assumed-role/a/b", Login::Jwt, "jwt:gh:x:assumed-role/a/b"),
            ("key:app", Login::ApiKey, "key:app"),
        ] {
            assert_eq!(counted(id, login), expected);
        }
    }
}
