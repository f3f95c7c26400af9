//! The Vaults of a configuration.

use std::sync::Arc;

use lockstep_core::Result;
use lockstep_providers::vault::{MountKind, VaultAuth, VaultProvider, VaultSettings};

use super::remote::{self, credential, profile};
use super::{Config, Made, Ports};
use crate::settings::{self, VaultMount};

pub(super) fn make(config: &Config, ports: &Ports, vault: &settings::Vault) -> Result<Made> {
    let auth = match &vault.auth {
        settings::VaultAuth::Token(login) => VaultAuth::Token(credential(config, &login.token)),
        settings::VaultAuth::AppRole(login) => VaultAuth::AppRole {
            mount: login.mount.clone(),
            role_id: login.role_id.clone(),
            secret_id: login.secret_id.as_ref().map(|id| credential(config, id)),
        },
    };
    let kind = |mount: &VaultMount| match mount {
        VaultMount::Kv1 => MountKind::Kv1,
        VaultMount::Kv2 => MountKind::Kv2,
        VaultMount::Dynamic => MountKind::Dynamic,
    };
    let settings = VaultSettings {
        address: vault.address.clone(),
        namespace: vault.namespace.clone(),
        auth,
        mounts: vault.mounts.iter().map(|(path, mount)| (path.clone(), kind(mount))).collect(),
        members: vault.max_members as usize,
        environment: String::new(),
    };
    let ports = remote::ports(ports, &profile(config, &vault.tls))?;
    Ok((Arc::new(VaultProvider::new(settings, ports)?), None))
}
