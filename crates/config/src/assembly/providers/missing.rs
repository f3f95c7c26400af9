//! Files and variables that a provider needs and that are not there: said at start, with the place of the setting, and
//! not at the first read.

use std::path::Path;

use lockstep_core::Alias;

use super::Ports;
use crate::config::Config;
use crate::problem::Problem;
use crate::settings::{Credential, Need, Provider};

/// What is missing for this provider.
pub(super) fn of(config: &Config, ports: &Ports, alias: &Alias, provider: &Provider) -> Vec<Problem> {
    let missing = |(key, need): (&str, Need<'_>)| {
        let key = format!("providers.{alias}.{key}");
        match need {
            Need::Credential(from) => credential(config, ports, &key, from),
            Need::File(path) => file(config, ports, &key, path),
        }
    };
    let mut problems: Vec<Problem> = provider.common().needs.into_iter().filter_map(missing).collect();
    #[cfg(feature = "kubernetes")]
    if let (Provider::Kubernetes(settings), true) = (provider, problems.is_empty()) {
        let lacks = super::kubernetes::missing(config, ports, settings);
        problems.extend(lacks.map(|message| config.problem(&format!("providers.{alias}.auth"), message)));
    }
    problems
}

pub(in crate::assembly) fn credential(
    config: &Config,
    ports: &Ports,
    key: &str,
    credential: &Credential,
) -> Option<Problem> {
    match credential {
        Credential::Env(name) if ports.env.var(name).is_none() => {
            let message = format!("the variable {name} is not set, or empty; set it, or name another one");
            Some(config.problem(key, message))
        }
        Credential::Env(_) => None,
        Credential::File(path) => file(config, ports, key, path),
    }
}

fn file(config: &Config, ports: &Ports, key: &str, path: &Path) -> Option<Problem> {
    let path = config.path(path);
    let error = ports.files.stamp(&path).err()?;
    Some(config.problem(key, error.message()))
}
