//! Where the credentials of a configuration are read from.

use lockstep_providers::Credential;

use crate::config::Config;
use crate::settings;

impl Config {
    /// A credential, its path as the configuration's folder has it.
    pub(super) fn credential(&self, from: &settings::Credential) -> Credential {
        match from {
            settings::Credential::Env(name) => Credential::Env(name.as_str().into()),
            settings::Credential::File(path) => Credential::File(self.path(path).into_boxed_path()),
        }
    }
}
