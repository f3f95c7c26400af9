//! [`Scope`]: whose secrets; and [`CanonicalId`]: the one identity of a secret that all its spellings lead to.

use std::fmt;
use std::sync::Arc;

use crate::SecretName;

/// Whose secrets a provider reads. Two scopes that differ in any field never share a cache entry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Scope(Arc<ScopeParts>);

/// The fields of a [`Scope`]. What a provider doesn't have stays empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ScopeParts {
    /// The provider's type, such as `aws-secrets-manager`.
    pub provider: String,
    /// Base address or path.
    pub endpoint: String,
    /// AWS account, Azure tenant or GCP project.
    pub account: String,
    /// Region or location.
    pub region: String,
    /// Who logs in: never the credential, but what tells two of them apart.
    pub identity: String,
    /// Vault or Kubernetes namespace.
    pub namespace: String,
    /// Vault mount.
    pub mount: String,
    /// Environment of the configuration.
    pub environment: String,
    /// What is done to the value on the way: an undecrypted read is another secret than a decrypted one.
    pub transform: String,
}

impl Scope {
    /// A scope of these parts.
    pub fn new(parts: ScopeParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The parts.
    pub fn parts(&self) -> &ScopeParts {
        &self.0
    }

    /// The same scope with another account and region: an ARN's override the provider's.
    pub fn located(&self, account: &str, region: &str) -> Self {
        if self.0.account == account && self.0.region == region {
            return self.clone();
        }
        Self::new(ScopeParts { account: account.into(), region: region.into(), ..(*self.0).clone() })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity that the provider answers with (an AWS ARN, say), inside its scope. Spellings of a name are learned to
/// lead here, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalId {
    /// Whose secret.
    pub scope: Scope,
    /// The canonical name.
    pub name: SecretName,
}
