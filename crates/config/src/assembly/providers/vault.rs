//! The Vaults of a configuration.

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Error, ErrorKind, Result};
use lockstep_providers::vault::{Handed, MountKind, VaultAuth, VaultProvider, VaultSettings, Wrapping};

use super::remote::{self, profile};
use super::{Config, Logins, Made, Ports};
use crate::settings::{self, VaultMount};

pub(super) fn make(config: &Config, ports: &Ports, logins: &mut Logins, vault: &settings::Vault) -> Result<Made> {
    let kind = |mount: &VaultMount| match mount {
        VaultMount::Kv1 => MountKind::Kv1,
        VaultMount::Kv2 => MountKind::Kv2,
        VaultMount::Dynamic => MountKind::Dynamic,
    };
    let tls = profile(config, &vault.tls);
    let settings = VaultSettings {
        addresses: vault.address.0.clone(),
        namespace: vault.namespace.clone(),
        auth: auth(
            config,
            ports,
            logins,
            &vault.auth,
            vault.tls.client_cert.as_deref().map(|path| config.path(path)).as_deref(),
        )?,
        inline: vault.auth.inline(),
        forward_stale: vault.forward_stale,
        mounts: vault.mounts.iter().map(|(path, mount)| (path.clone(), kind(mount))).collect(),
        members: vault.max_members as usize,
        environment: String::new(),
    };
    let ports = remote::ports(ports, &tls)?;
    Ok((Arc::new(VaultProvider::new(settings, ports)?), None))
}

fn auth(
    config: &Config,
    ports: &Ports,
    logins: &mut Logins,
    auth: &settings::VaultAuth,
    certificate: Option<&Path>,
) -> Result<VaultAuth> {
    let handed = |from: &settings::Credential, wrapped: bool, creation_path: &Option<String>| Handed {
        from: config.credential(from),
        wrapped: wrapped.then(|| Wrapping { creation_path: creation_path.clone() }),
    };
    Ok(match auth.clone() {
        settings::VaultAuth::Token(login) => {
            VaultAuth::Token(handed(&login.token, login.wrapped, &login.creation_path))
        }
        settings::VaultAuth::AppRole(login) => VaultAuth::AppRole {
            secret_id: login.secret_id.as_ref().map(|id| handed(id, login.wrapped, &login.creation_path)),
            mount: login.mount,
            role_id: login.role_id,
        },
        settings::VaultAuth::Kubernetes(login) => {
            VaultAuth::Kubernetes { jwt: config.credential(&login.jwt), mount: login.mount, role: login.role }
        }
        settings::VaultAuth::Jwt(login) => {
            VaultAuth::Jwt { jwt: config.credential(&login.jwt), mount: login.mount, role: login.role }
        }
        settings::VaultAuth::Aws(login) => aws(config, ports, logins, login)?,
        settings::VaultAuth::Cert(login) => {
            let missing = || Error::new(ErrorKind::Config, "the method `cert` needs `tls.client_cert` and its key");
            let certificate = certificate.ok_or_else(missing)?.into();
            VaultAuth::Cert { mount: login.mount, name: login.name, certificate }
        }
        settings::VaultAuth::Userpass(login) => VaultAuth::Userpass {
            password: config.credential(&login.password),
            mount: login.mount,
            username: login.username,
        },
    })
}

/// AWS's credentials come over AWS's own way, not over the one with Vault's TLS profile.
#[cfg(feature = "aws")]
fn aws(config: &Config, ports: &Ports, logins: &mut Logins, login: settings::VaultAws) -> Result<VaultAuth> {
    let region = login.region.as_deref().unwrap_or("us-east-1");
    let session = logins.of(config, ports, region, login.profile.as_deref())?;
    let settings::VaultAws { mount, role, server_id, region, profile: _ } = login;
    Ok(VaultAuth::Aws { mount, role, server_id, region, session })
}

#[cfg(not(feature = "aws"))]
fn aws(_: &Config, _: &Ports, _: &mut Logins, _: settings::VaultAws) -> Result<VaultAuth> {
    let message = "logging in with AWS credentials is not in this build; use another build, or another method";
    Err(Error::new(ErrorKind::Config, message))
}
