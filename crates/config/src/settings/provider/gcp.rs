//! `type = "gcp-secret-manager"`.

use serde::{Deserialize, Serialize};

use super::shape::{Needs, provider};
use super::{Credential, Need, tagged};

provider! {
    /// Google Cloud Secret Manager: the secrets of one project, global or of one location.
    pub struct GcpSecretManager asks {
        /// The project, by its id such as `acme-prod`, or its number.
        pub project: String,
        /// The location of regional secrets, such as `europe-west3`; without it, global ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub location: Option<String>,
        /// Instead of Google's address of Secret Manager: scheme, host and port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        /// Instead of Google's address for tokens (OAuth for a key, the security token service for workload identity): the
        /// whole URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token_endpoint: Option<String>,
        /// Instead of Google's address for impersonation: scheme, host and port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub iam_endpoint: Option<String>,
        /// The domain of another cloud that runs Google's software; without it, `googleapis.com`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub universe_domain: Option<String>,
        /// How to log in; without it, the file in `GOOGLE_APPLICATION_CREDENTIALS`, else the machine's metadata server.
        #[serde(default)]
        pub auth: GcpAuth,
    }
}

tagged! {
    /// How to log in at Google; `method` says which way.
    pub enum GcpAuth by "method" {
        /// The file in `GOOGLE_APPLICATION_CREDENTIALS`, else the machine's metadata server.
        Default(GcpDefault) = "default",
        /// A service account with a key.
        ServiceAccount(GcpServiceAccount) = "service-account",
        /// The machine's service account, as its metadata server says.
        Metadata(GcpMetadata) = "metadata",
        /// Somebody else's token, exchanged for one of Google's.
        WorkloadIdentity(GcpWorkloadIdentity) = "workload-identity",
    }
}

/// The login that the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpDefault {
    /// The service account to take the place of, by its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
}

/// A login with the key of a service account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpServiceAccount {
    /// The key: the whole JSON file that Google made of it.
    pub key: Credential,
    /// Whether tokens are signed here, which asks nobody, or fetched from Google for a signed assertion.
    #[serde(default = "yes")]
    pub self_signed: bool,
    /// The service account to take the place of, by its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
}

/// A login as the machine's service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpMetadata {
    /// The service account to take the place of, by its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
}

/// A login with somebody else's token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpWorkloadIdentity {
    /// The provider of the pool:
    /// `//iam.googleapis.com/projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>`.
    pub audience: String,
    /// The token. It is read again for each login.
    pub token: Credential,
    /// What kind of token it is.
    #[serde(default)]
    pub token_type: GcpTokenType,
    /// The service account to take the place of, by its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
}

/// The kind of somebody else's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GcpTokenType {
    /// A JWT of an OIDC issuer, such as Kubernetes or GitHub.
    #[default]
    Jwt,
    /// An id token of OpenID Connect.
    IdToken,
    /// A SAML 2.0 assertion.
    Saml2,
}

fn yes() -> bool {
    true
}

impl Default for GcpAuth {
    fn default() -> Self {
        Self::Default(GcpDefault::default())
    }
}

impl GcpAuth {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        match self {
            Self::ServiceAccount(login) => vec![("auth.key", Need::Credential(&login.key))],
            Self::WorkloadIdentity(login) => vec![("auth.token", Need::Credential(&login.token))],
            Self::Default(_) | Self::Metadata(_) => Vec::new(),
        }
    }
}

impl Needs for GcpSecretManager {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        self.auth.needs()
    }
}
