//! `type = "azure-key-vault"`.

use serde::{Deserialize, Serialize};

use super::shape::{Needs, provider};
use super::{Credential, Need, tagged};

provider! {
    /// Secrets of one Azure Key Vault. `insecure` also allows an address that is no vault of the cloud.
    pub struct AzureKeyVault asks {
        /// The vault's name, such as `payments`; or write `address`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub vault: Option<String>,
        /// The vault's address, such as `https://payments.vault.azure.net`, instead of `vault`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        /// The cloud: its vaults and its authority. The variable `AZURE_AUTHORITY_HOST` names another authority.
        #[serde(default)]
        pub cloud: AzureCloud,
        /// The tenant's id or one of its domains; else `AZURE_TENANT_ID`. A managed identity needs none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tenant: Option<String>,
        /// How to log in; without it, the first that the environment is set up for: `AZURE_CLIENT_SECRET`,
        /// `AZURE_CLIENT_CERTIFICATE_PATH`, `AZURE_FEDERATED_TOKEN_FILE`, the machine's identity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub auth: Option<AzureAuth>,
    }
}

/// One of Microsoft's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AzureCloud {
    /// Azure.
    #[default]
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure for US Government.
    UsGovernment,
}

tagged! {
    /// How to log in at Entra ID; `method` says which way.
    pub enum AzureAuth by "method" {
        /// An application with a secret.
        ClientSecret(AzureClientSecret) = "client-secret",
        /// An application with a certificate.
        ClientCertificate(AzureClientCertificate) = "client-certificate",
        /// A token of somebody whom the application trusts.
        WorkloadIdentity(AzureWorkloadIdentity) = "workload-identity",
        /// The identity of the machine or the app.
        ManagedIdentity(AzureManagedIdentity) = "managed-identity",
    }
}

/// An application with a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureClientSecret {
    /// The application's (client) id; else `AZURE_CLIENT_ID`. It is a name, not a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The secret; without it, the variable `AZURE_CLIENT_SECRET`.
    #[serde(default = "client_secret")]
    pub client_secret: Credential,
}

fn client_secret() -> Credential {
    Credential::Env("AZURE_CLIENT_SECRET".to_owned())
}

/// An application with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureClientCertificate {
    /// The application's (client) id; else `AZURE_CLIENT_ID`. It is a name, not a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Certificate and RSA key, without passphrase, in one PEM.
    pub certificate: Credential,
}

/// A token of somebody whom the application trusts: Kubernetes, GitHub, another cloud.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureWorkloadIdentity {
    /// The application's (client) id; else `AZURE_CLIENT_ID`. It is a name, not a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The token, read anew at each login; without it, the file in `AZURE_FEDERATED_TOKEN_FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Credential>,
}

/// The identity of the machine or the app. One of the ids at most; without any, the one that the machine has itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AzureManagedIdentity {
    /// The client id of an identity that was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The object (principal) id of an identity that was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// The resource id of an identity that was assigned: `/subscriptions/…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msi_res_id: Option<String>,
}

impl Needs for AzureKeyVault {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        match &self.auth {
            Some(AzureAuth::ClientSecret(login)) => {
                vec![("auth.client_secret", Need::Credential(&login.client_secret))]
            }
            Some(AzureAuth::ClientCertificate(login)) => {
                vec![("auth.certificate", Need::Credential(&login.certificate))]
            }
            Some(AzureAuth::WorkloadIdentity(login)) => {
                login.token.iter().map(|token| ("auth.token", Need::Credential(token))).collect()
            }
            Some(AzureAuth::ManagedIdentity(_)) | None => Vec::new(),
        }
    }
}
