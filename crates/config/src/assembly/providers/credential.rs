//! Where the credentials of a configuration are read from.

use lockstep_providers::Credential;

use super::Config;
use crate::settings;

/// A credential, its path as the configuration's folder has it.
pub(in crate::assembly) fn credential(config: &Config, credential: &settings::Credential) -> Credential {
    match credential {
        settings::Credential::Env(name) => Credential::Env(name.as_str().into()),
        settings::Credential::File(path) => Credential::File(config.path(path).into_boxed_path()),
    }
}
