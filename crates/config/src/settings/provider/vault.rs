//! `type = "vault"`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::{Needs, provider};
use super::{Credential, Need, tagged};

provider! {
    /// HashiCorp Vault or OpenBao.
    pub struct Vault asks {
        /// The server, such as `https://vault.internal:8200`.
        pub address: String,
        /// The namespace, such as `team/prod`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// How to log in; without it, the token in the variable `VAULT_TOKEN`.
        #[serde(default)]
        pub auth: VaultAuth,
        /// What is mounted where (mount path -> kind), for policies that do not let Lockstep find out by itself.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub mounts: BTreeMap<String, VaultMount>,
    }
}

tagged! {
    /// How to log in at a Vault; `method` says which way.
    pub enum VaultAuth by "method" {
        /// A token that somebody else renews.
        Token(VaultToken) = "token",
        /// AppRole.
        AppRole(VaultAppRole) = "approle",
    }
}

/// A token that somebody else renews, such as an agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultToken {
    /// The token.
    pub token: Credential,
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
}

fn approle() -> String {
    "approle".to_owned()
}

impl Default for VaultAuth {
    fn default() -> Self {
        Self::Token(VaultToken { token: Credential::Env("VAULT_TOKEN".to_owned()) })
    }
}

impl VaultAuth {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        match self {
            Self::Token(login) => vec![("auth.token", Need::Credential(&login.token))],
            Self::AppRole(login) => login.secret_id.iter().map(|id| ("auth.secret_id", Need::Credential(id))).collect(),
        }
    }
}

/// What a mount of a Vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum VaultMount {
    /// Key/value without versions.
    Kv1,
    /// Key/value with versions.
    Kv2,
    /// Anything else: each read makes a credential.
    Dynamic,
}

impl Needs for Vault {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        self.auth.needs()
    }
}
