//! `[vault]`: the listener that Vault's clients read from.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::AliasName;

/// `[vault]`: the listener that Vault's clients read from. Limits, TLS, hosts and callers are those of `[listen]` and
/// `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VaultSurface {
    /// Whether it listens.
    pub enabled: bool,
    /// Address and port. Loopback only, unless `listen.allow_remote` is on. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The mounts, by path: `secret` stands for `/v1/secret/…`. None stands in another one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, VaultSurfaceMount>,
}

impl Default for VaultSurface {
    fn default() -> Self {
        Self { enabled: false, address: (Ipv4Addr::LOCALHOST, 8200).into(), mounts: BTreeMap::new() }
    }
}

/// A mount: a path for the names of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VaultSurfaceMount {
    /// The provider that answers.
    pub provider: AliasName,
    /// The version of Vault's key/value store that it looks like: 1 or 2.
    #[serde(default = "two")]
    pub kv: u8,
    /// What stands before a path in the provider's names: nothing, or a folder such as `app/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

fn two() -> u8 {
    2
}
