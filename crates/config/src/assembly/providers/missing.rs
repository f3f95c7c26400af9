//! Files and variables that a provider needs and that are not there: said at start, with the place of the setting, and
//! not at the first read.

use std::path::Path;

use lockstep_core::Alias;

use super::Ports;
use crate::config::Config;
use crate::problem::Problem;
use crate::settings::{Credential, Provider, VaultAuth};

/// What is missing for this provider.
pub(super) fn of(config: &Config, ports: &Ports, alias: &Alias, provider: &Provider) -> Vec<Problem> {
    let key = |rest: &str| format!("providers.{alias}.{rest}");
    match provider {
        Provider::File(settings) => file(config, ports, &key("path"), &settings.path).into_iter().collect(),
        Provider::Vault(settings) => match &settings.auth {
            VaultAuth::Token { token } => credential(config, ports, &key("auth.token"), token).into_iter().collect(),
            VaultAuth::AppRole { secret_id, .. } => {
                let secret_id = secret_id.as_ref();
                secret_id.and_then(|id| credential(config, ports, &key("auth.secret_id"), id)).into_iter().collect()
            }
        },
        _ => Vec::new(),
    }
}

fn credential(config: &Config, ports: &Ports, key: &str, credential: &Credential) -> Option<Problem> {
    match credential {
        Credential::Env(name) if ports.env.var(name).is_none() => {
            let message = format!("the variable {name} is not set; set it, or name another one");
            Some(config.problem(key, message))
        }
        Credential::Env(_) => None,
        Credential::File(path) => file(config, ports, key, path),
    }
}

fn file(config: &Config, ports: &Ports, key: &str, path: &Path) -> Option<Problem> {
    let path = config.path(path);
    let error = ports.files.stamp(&path).err()?;
    Some(config.problem(key, format!("{}; name a file that is there", error.message())))
}
