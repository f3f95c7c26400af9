//! `[auth]`: who calls, and what they may do.

#[cfg(feature = "callers")]
mod callers;
#[cfg(feature = "callers")]
mod issuer;

use serde::{Deserialize, Serialize};

#[cfg(feature = "callers")]
pub use self::callers::{ApiKey, ApiKeyHash, AwsIam, Certificate};
#[cfg(feature = "callers")]
pub use self::issuer::{
    AwsWebIdentityIssuer, CloudflareAccessIssuer, EntraIssuer, EntraTokenVersion, GithubActionsIssuer, GoogleIssuer,
    Issuer, IssuerCommon, KubernetesIssuer, OidcIssuer,
};
use super::AllowRule;

#[cfg(feature = "callers")]
type Table<T> = std::collections::BTreeMap<super::AliasName, T>;

/// `[auth]`: who calls, and what they may do.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Patterns of the names that may be used, or `alias://pattern` for the names of one provider. `["**"]` allows every
    /// name, `[]` none.
    pub allow: Vec<AllowRule>,
    /// Issuers of signed tokens (JWT, OIDC), each by a name of yours: callers are `jwt:<name>:<subject>`.
    #[cfg(feature = "callers")]
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub jwt: Table<Issuer>,
    /// API keys, each by whom it is for: callers are `key:<name>`.
    #[cfg(feature = "callers")]
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub keys: Table<ApiKey>,
    /// Identities of AWS: callers are `iam:<arn>`.
    #[cfg(feature = "callers")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_iam: Option<AwsIam>,
    /// Certificates that `listen.tls` has verified, each by whom it is for: callers are `cert:<name>`.
    #[cfg(feature = "callers")]
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub certificates: Table<Certificate>,
    #[cfg(not(feature = "callers"))]
    #[serde(skip_serializing)]
    jwt: Absent,
    #[cfg(not(feature = "callers"))]
    #[serde(skip_serializing)]
    keys: Absent,
    #[cfg(not(feature = "callers"))]
    #[serde(skip_serializing)]
    aws_iam: Absent,
    #[cfg(not(feature = "callers"))]
    #[serde(skip_serializing)]
    certificates: Absent,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            allow: vec![AllowRule("**".to_owned())],
            jwt: Default::default(),
            keys: Default::default(),
            aws_iam: Default::default(),
            certificates: Default::default(),
        }
    }
}

impl Auth {
    /// Whether anybody logs in with more than being on this machine.
    pub fn has_logins(&self) -> bool {
        #[cfg(feature = "callers")]
        return !self.jwt.is_empty()
            || !self.keys.is_empty()
            || self.aws_iam.is_some()
            || !self.certificates.is_empty();
        #[cfg(not(feature = "callers"))]
        return false;
    }
}

/// A key of the configuration that this program does not have.
#[cfg(not(feature = "callers"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Absent;

#[cfg(not(feature = "callers"))]
impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "this program answers callers of its own machine alone; remove this, or let `lockstep serve` answer",
        ))
    }
}
