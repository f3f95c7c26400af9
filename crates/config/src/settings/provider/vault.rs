//! `type = "vault"`.

mod address;
mod auth;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::address::Addresses;
pub use self::auth::{
    VaultAppRole, VaultAuth, VaultAws, VaultCert, VaultJwt, VaultKubernetes, VaultToken, VaultUserpass,
};
use super::shape::{Needs, provider};
use super::{Credential, Need, Tls, tagged};

provider! {
    /// HashiCorp Vault or OpenBao.
    pub struct Vault asks {
        /// The server, such as `https://vault.internal:8200`; or a list of the nodes of one cluster, from 1 to 16, of
        /// which the first that can serve is asked.
        pub address: Addresses,
        /// The namespace, such as `team/prod`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// How to log in; without it, the token in the variable `VAULT_TOKEN`.
        #[serde(default)]
        pub auth: VaultAuth,
        /// What is mounted where (mount path -> kind), for policies that do not let Lockstep find out by itself.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub mounts: BTreeMap<String, VaultMount>,
        /// Asks a node that is behind what was seen before to forward to the active one (Vault Enterprise).
        #[serde(default)]
        pub forward_stale: bool,
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
        self.auth.needs(&self.tls)
    }
}
