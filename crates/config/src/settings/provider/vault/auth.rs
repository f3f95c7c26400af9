//! `auth` of a Vault: `method` says which way, and each way has its own keys.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Credential, Need, Tls, tagged};

tagged! {
    /// How to log in at a Vault; `method` says which way.
    pub enum VaultAuth by "method" {
        /// A token that somebody else renews.
        Token(VaultToken) = "token",
        /// AppRole.
        AppRole(VaultAppRole) = "approle",
        /// The service account of a pod.
        Kubernetes(VaultKubernetes) = "kubernetes",
        /// A JWT that an identity provider has signed.
        Jwt(VaultJwt) = "jwt",
        /// The AWS identity of this process.
        Aws(VaultAws) = "aws",
        /// The client certificate of `tls`.
        Cert(VaultCert) = "cert",
        /// A name and a password.
        Userpass(VaultUserpass) = "userpass",
    }
}

/// A token that somebody else renews, such as an agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultToken {
    /// The token.
    pub token: Credential,
    /// That it is a wrapping token, which is opened once.
    #[serde(default)]
    pub wrapped: bool,
    /// The path that what is wrapped must come from, such as `auth/token/create`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_path: Option<String>,
}

/// A login with AppRole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultAppRole {
    /// Where the method is mounted.
    #[serde(default = "approle")]
    pub mount: String,
    /// The role id. It is a name, not a secret.
    pub role_id: String,
    /// The secret id; none where the role binds by address alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<Credential>,
    /// That `secret_id` is a wrapping token, which is opened once.
    #[serde(default)]
    pub wrapped: bool,
    /// The path that what is wrapped must come from, such as `auth/approle/role/app/secret-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_path: Option<String>,
    /// Logs in within each request, without a token (OpenBao 2.4 and later). It needs `mounts`.
    #[serde(default)]
    pub inline: bool,
}

/// A login with the token of a pod's service account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultKubernetes {
    /// Where the method is mounted.
    #[serde(default = "kubernetes")]
    pub mount: String,
    /// The role.
    pub role: String,
    /// The token, read anew for each login.
    #[serde(default = "service_account")]
    pub jwt: Credential,
    /// Logs in within each request, without a token (OpenBao 2.4 and later). It needs `mounts`.
    #[serde(default)]
    pub inline: bool,
}

/// A login with a JWT.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultJwt {
    /// Where the method is mounted.
    #[serde(default = "jwt")]
    pub mount: String,
    /// The role; else the mount's default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The JWT, read anew for each login.
    pub jwt: Credential,
    /// Logs in within each request, without a token (OpenBao 2.4 and later). It needs `mounts`.
    #[serde(default)]
    pub inline: bool,
}

/// A login with AWS credentials, which come from AWS's own chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultAws {
    /// Where the method is mounted.
    #[serde(default = "aws")]
    pub mount: String,
    /// The role; else the one that is named like the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the mount's `iam_server_id_header_value` says, if it says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The region whose STS Vault asks (its `sts_endpoint`); else the global STS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A profile of the shared credentials file, as the only source of credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A login with the client certificate of `tls`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultCert {
    /// Where the method is mounted.
    #[serde(default = "cert")]
    pub mount: String,
    /// The certificate role; else the server looks for one that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A login with a name and a password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultUserpass {
    /// Where the method is mounted.
    #[serde(default = "userpass")]
    pub mount: String,
    /// The name.
    pub username: String,
    /// The password, read anew for each login.
    pub password: Credential,
    /// Logs in within each request, without a token (OpenBao 2.4 and later). It needs `mounts`.
    #[serde(default)]
    pub inline: bool,
}

fn approle() -> String {
    "approle".to_owned()
}

fn kubernetes() -> String {
    "kubernetes".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

fn aws() -> String {
    "aws".to_owned()
}

fn cert() -> String {
    "cert".to_owned()
}

fn userpass() -> String {
    "userpass".to_owned()
}

fn service_account() -> Credential {
    Credential::File(Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token").to_owned())
}

impl Default for VaultAuth {
    fn default() -> Self {
        let token = Credential::Env("VAULT_TOKEN".to_owned());
        Self::Token(VaultToken { token, wrapped: false, creation_path: None })
    }
}

impl VaultAuth {
    /// What has to be there before anybody can log in.
    pub(super) fn needs<'a>(&'a self, tls: &'a Tls) -> Vec<(&'static str, Need<'a>)> {
        match self {
            Self::Token(login) => vec![("auth.token", Need::Credential(&login.token))],
            Self::AppRole(login) => login.secret_id.iter().map(|id| ("auth.secret_id", Need::Credential(id))).collect(),
            Self::Kubernetes(login) => vec![("auth.jwt", Need::Credential(&login.jwt))],
            Self::Jwt(login) => vec![("auth.jwt", Need::Credential(&login.jwt))],
            Self::Userpass(login) => vec![("auth.password", Need::Credential(&login.password))],
            Self::Cert(_) => {
                let files = [("tls.client_cert", &tls.client_cert), ("tls.client_key", &tls.client_key)];
                files.into_iter().filter_map(|(key, path)| Some((key, Need::File(path.as_deref()?)))).collect()
            }
            Self::Aws(_) => Vec::new(),
        }
    }

    /// Whether each request logs in by itself.
    pub(crate) fn inline(&self) -> bool {
        match self {
            Self::AppRole(login) => login.inline,
            Self::Kubernetes(login) => login.inline,
            Self::Jwt(login) => login.inline,
            Self::Userpass(login) => login.inline,
            Self::Token(_) | Self::Aws(_) | Self::Cert(_) => false,
        }
    }

    /// Whether it says where a wrapped credential comes from, though none is wrapped.
    pub(crate) fn is_path_without_wrapping(&self) -> bool {
        match self {
            Self::Token(login) => login.creation_path.is_some() && !login.wrapped,
            Self::AppRole(login) => login.creation_path.is_some() && !login.wrapped,
            _ => false,
        }
    }
}
