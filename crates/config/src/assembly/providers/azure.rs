//! The Azure Key Vaults of a configuration.

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Env, Error, ErrorKind, Result};
use lockstep_providers::Credential;
use lockstep_providers::azure::{AzureAuth, AzureKeyVault, AzureSettings, Cloud, Identity};

use super::remote::{self, profile, there};
use super::{Config, Made, Ports};
use crate::settings::{self, AzureCloud};

pub(super) fn make(config: &Config, ports: &Ports, vault: &settings::AzureKeyVault) -> Result<Made> {
    let cloud = match vault.cloud {
        AzureCloud::Public => Cloud::Public,
        AzureCloud::China => Cloud::China,
        AzureCloud::UsGovernment => Cloud::UsGovernment,
    };
    let address = match (&vault.address, &vault.vault) {
        (Some(address), _) => address.clone(),
        (None, name) => cloud.address(name.as_deref().unwrap_or_default())?,
    };
    let settings = AzureSettings {
        address,
        cloud,
        auth: auth(config, ports, vault)?,
        insecure: vault.insecure,
        members: vault.max_members as usize,
        environment: String::new(),
    };
    let ports = remote::ports(ports, &profile(config, &vault.tls))?;
    Ok((Arc::new(AzureKeyVault::new(settings, ports)?), None))
}

/// The login that is written, its gaps filled from the environment; else the one that the environment is set up for.
fn auth(config: &Config, ports: &Ports, vault: &settings::AzureKeyVault) -> Result<AzureAuth> {
    let env = &*ports.env;
    let tenant = || given(vault.tenant.as_ref(), env, "`tenant`", "AZURE_TENANT_ID");
    let client = |id: &Option<String>| given(id.as_ref(), env, "`client_id` of `auth`", "AZURE_CLIENT_ID");
    match &vault.auth {
        None => {
            let found = AzureAuth::from_environment(vault.tenant.as_deref(), env)?;
            if let Some(credential) = found.credential() {
                there(ports, credential, "Azure")?;
            }
            Ok(found)
        }
        Some(settings::AzureAuth::ClientSecret(login)) => Ok(AzureAuth::ClientSecret {
            tenant: tenant()?,
            client_id: client(&login.client_id)?,
            secret: config.credential(&login.client_secret),
        }),
        Some(settings::AzureAuth::ClientCertificate(login)) => Ok(AzureAuth::ClientCertificate {
            tenant: tenant()?,
            client_id: client(&login.client_id)?,
            certificate: config.credential(&login.certificate),
        }),
        Some(settings::AzureAuth::WorkloadIdentity(login)) => {
            let token = if let Some(token) = &login.token {
                config.credential(token)
            } else {
                let path = given(None, env, "`token` of `auth`", "AZURE_FEDERATED_TOKEN_FILE")?;
                let token = Credential::File(Path::new(&path).into());
                there(ports, &token, "Azure")?;
                token
            };
            Ok(AzureAuth::WorkloadIdentity { tenant: tenant()?, client_id: client(&login.client_id)?, token })
        }
        Some(settings::AzureAuth::ManagedIdentity(identity)) => {
            let client = identity.client_id.clone().map(Identity::Client);
            let object = identity.object_id.clone().map(Identity::Object);
            let resource = identity.msi_res_id.clone().map(Identity::Resource);
            Ok(AzureAuth::ManagedIdentity(client.or(object).or(resource)))
        }
    }
}

/// What is written, else the variable.
fn given(written: Option<&String>, env: &dyn Env, what: &str, variable: &str) -> Result<String> {
    written.cloned().or_else(|| env.var(variable)).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("{what} is missing; write it, or set the variable {variable}"))
    })
}
