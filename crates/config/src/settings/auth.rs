//! `[auth]`: who calls, and what they may do.

#[cfg(not(all(feature = "callers", feature = "policy")))]
mod absent;
#[cfg(feature = "callers")]
mod callers;
#[cfg(feature = "callers")]
mod issuer;

use serde::{Deserialize, Serialize};

#[cfg(not(feature = "callers"))]
use self::absent::{ApiKeys, AwsIdentities, Certificates, Issuers};
#[cfg(not(feature = "policy"))]
use self::absent::{PolicyFiles, PolicyText};
#[cfg(feature = "callers")]
pub use self::callers::{ApiKey, ApiKeyHash, ApiKeys, AwsIam, AwsIdentities, Certificate, Certificates};
#[cfg(feature = "callers")]
pub use self::issuer::{
    AwsWebIdentityIssuer, CloudflareAccessIssuer, EntraIssuer, EntraTokenVersion, GithubActionsIssuer, GoogleIssuer,
    Issuer, IssuerCommon, Issuers, KubernetesIssuer, OidcIssuer,
};
use super::AllowRule;

/// `auth.policies`.
#[cfg(feature = "policy")]
pub(super) type PolicyFiles = Vec<std::path::PathBuf>;
/// `auth.policy`.
#[cfg(feature = "policy")]
pub(super) type PolicyText = Option<String>;

/// `[auth]`: who calls, and what they may do.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Patterns of the names that may be used, or `alias://pattern` for the names of one provider. `["**"]` allows every
    /// name, `[]` none.
    pub allow: Vec<AllowRule>,
    /// Files with policies in Cedar. With them, what no policy permits is denied; `allow` stands before them.
    #[serde(skip_serializing_if = "PolicyFiles::is_empty")]
    pub policies: PolicyFiles,
    /// Policies in Cedar, written here.
    #[serde(skip_serializing_if = "PolicyText::is_none")]
    pub policy: PolicyText,
    /// Answers what is denied as what is not there, so that nobody learns which secrets exist. The audit still says which.
    pub hide_denied: bool,
    /// Issuers of signed tokens (JWT, OIDC), each by a name of yours: callers are `jwt:<name>:<subject>`.
    #[serde(skip_serializing_if = "Issuers::is_empty")]
    pub jwt: Issuers,
    /// API keys, each by whom it is for: callers are `key:<name>`.
    #[serde(skip_serializing_if = "ApiKeys::is_empty")]
    pub keys: ApiKeys,
    /// Identities of AWS: callers are `iam:<arn>`.
    #[serde(skip_serializing_if = "AwsIdentities::is_none")]
    pub aws_iam: AwsIdentities,
    /// Certificates that `listen.tls` has verified, each by whom it is for: callers are `cert:<name>`.
    #[serde(skip_serializing_if = "Certificates::is_empty")]
    pub certificates: Certificates,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            allow: vec![AllowRule("**".to_owned())],
            policies: PolicyFiles::default(),
            policy: PolicyText::default(),
            hide_denied: false,
            jwt: Issuers::default(),
            keys: ApiKeys::default(),
            aws_iam: AwsIdentities::default(),
            certificates: Certificates::default(),
        }
    }
}

impl Auth {
    /// Whether policies are written.
    pub fn has_policies(&self) -> bool {
        !self.policies.is_empty() || self.policy.is_some()
    }

    /// Whether anybody logs in with more than being on this machine.
    pub fn has_logins(&self) -> bool {
        !self.jwt.is_empty() || !self.keys.is_empty() || self.aws_iam.is_some() || !self.certificates.is_empty()
    }
}
