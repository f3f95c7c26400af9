//! `[providers.<alias>]`: each kind of provider with its own keys, and what they have in common.

mod aws;
mod azure;
mod cloudflare;
mod file;
mod gcp;
mod kubernetes;
mod lockstep;
mod mock;
mod shape;
mod simulation;
mod tagged;
mod vault;

use std::path::Path;

use lockstep_core::MAX_MEMBERS;

pub use self::aws::{AwsExternalId, AwsLogin, AwsParameterStore, AwsRole, AwsSecretsManager};
pub use self::azure::{
    AzureAuth, AzureClientCertificate, AzureClientSecret, AzureCloud, AzureKeyVault, AzureManagedIdentity,
    AzureWorkloadIdentity,
};
pub use self::cloudflare::CloudflareSecretsStore;
pub use self::file::File;
pub use self::gcp::{
    GcpAuth, GcpDefault, GcpMetadata, GcpSecretManager, GcpServiceAccount, GcpTokenType, GcpWorkloadIdentity,
};
pub use self::kubernetes::{Kubernetes, KubernetesAuth, KubernetesInCluster, KubernetesKubeconfig, KubernetesToken};
pub use self::lockstep::Lockstep;
pub use self::mock::{Mock, MockSecret, MockValue};
pub use self::simulation::{DryRun, Placeholder, Record, Replay};
pub(super) use self::tagged::tagged;
pub use self::vault::{
    Addresses, Vault, VaultAppRole, VaultAuth, VaultAws, VaultCert, VaultJwt, VaultKubernetes, VaultMount, VaultToken,
    VaultUserpass,
};
use super::{AliasName, Credential, Only, Tls, Upstream};
use crate::units::Period;

tagged! {
    /// One provider; `type` says which kind.
    pub enum Provider by "type" {
        /// AWS Secrets Manager.
        AwsSecretsManager(AwsSecretsManager) = "aws-secrets-manager",
        /// AWS Systems Manager Parameter Store.
        AwsParameterStore(AwsParameterStore) = "aws-parameter-store",
        /// Google Cloud Secret Manager.
        GcpSecretManager(GcpSecretManager) = "gcp-secret-manager",
        /// HashiCorp Vault or OpenBao.
        Vault(Vault) = "vault",
        /// Another Lockstep endpoint.
        Lockstep(Lockstep) = "lockstep",
        /// Cloudflare Secrets Store.
        CloudflareSecretsStore(CloudflareSecretsStore) = "cloudflare-secrets-store",
        /// Azure Key Vault.
        AzureKeyVault(AzureKeyVault) = "azure-key-vault",
        /// A Kubernetes cluster.
        Kubernetes(Kubernetes) = "kubernetes",
        /// A file of secrets.
        File(File) = "file",
        /// Made-up secrets and failures, for tests.
        Mock(Mock) = "mock",
        /// Another provider, recorded.
        Record(Record) = "record",
        /// A recording.
        Replay(Replay) = "replay",
        /// Another provider, never asked.
        DryRun(DryRun) = "dry-run",
    }
}

/// What every kind of provider has.
#[derive(Debug, Clone)]
pub struct Common<'a> {
    /// The layers around it.
    pub upstream: &'a Upstream,
    /// Its TTL, instead of the cache's.
    pub ttl: Option<Period>,
    /// Makes the names that it is asked for.
    pub name_template: Option<&'a str>,
    /// What it may be asked for.
    pub only: &'a Only,
    /// Keys and items that an answer of it may have; nothing for what parses no answer.
    pub max_members: Option<u32>,
    /// Whether it is told to be less careful than it would be.
    pub insecure: bool,
    /// What has to be there before it can be asked, by the key that names it.
    pub needs: Vec<(&'static str, Need<'a>)>,
}

impl<'a> Common<'a> {
    /// What nothing more is said of.
    fn of(upstream: &'a Upstream, only: &'a Only) -> Self {
        Self { upstream, only, ttl: None, name_template: None, max_members: None, insecure: false, needs: Vec::new() }
    }
}

/// Something outside the configuration that a provider needs.
#[derive(Debug, Clone, Copy)]
pub enum Need<'a> {
    /// A credential.
    Credential(&'a Credential),
    /// A file.
    File(&'a Path),
}

impl Provider {
    /// What it has in common with every other one.
    pub fn common(&self) -> Common<'_> {
        match self {
            Self::AwsSecretsManager(settings) => settings.common(),
            Self::AwsParameterStore(settings) => settings.common(),
            Self::GcpSecretManager(settings) => settings.common(),
            Self::Vault(settings) => settings.common(),
            Self::Lockstep(settings) => settings.common(),
            Self::CloudflareSecretsStore(settings) => settings.common(),
            Self::AzureKeyVault(settings) => settings.common(),
            Self::Kubernetes(settings) => settings.common(),
            Self::File(settings) => settings.common(),
            Self::Mock(settings) => settings.common(),
            Self::Record(settings) => settings.common(),
            Self::Replay(settings) => settings.common(),
            Self::DryRun(settings) => settings.common(),
        }
    }

    /// The provider that it is made around, if it is.
    pub(crate) fn of(&self) -> Option<&AliasName> {
        match self {
            Self::Record(settings) => Some(&settings.of),
            Self::DryRun(settings) => Some(&settings.of),
            _ => None,
        }
    }
}

fn members() -> u32 {
    u32::try_from(MAX_MEMBERS).unwrap_or(u32::MAX)
}
