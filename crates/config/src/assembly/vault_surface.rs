//! From `[vault]` to what stands behind the listener for Vault's clients.

use lockstep_api::{Api, KvVersion, VaultMount, VaultSurface};
use lockstep_core::{Error, ErrorKind, Result};

use crate::config::Config;
use crate::problem::Problems;
use crate::settings::VaultSurfaceMount;

impl VaultSurfaceMount {
    /// The mount at this path.
    ///
    /// # Errors
    /// `Config` when the path, the prefix or the version is none.
    pub(crate) fn build(&self, path: &str) -> Result<VaultMount> {
        let version = match self.kv {
            1 => KvVersion::One,
            2 => KvVersion::Two,
            _ => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "there is no such version of KV; write `kv = 1` or `kv = 2`",
                ));
            }
        };
        VaultMount::new(path, self.provider.0.clone(), version, &self.prefix)
    }
}

impl Config {
    /// Adds the surface, if it is on.
    pub(super) fn with_vault(&self, api: Api) -> Result<Api, Problems> {
        let vault = &self.settings().vault;
        if !vault.enabled {
            return Ok(api);
        }
        let mounts = vault.mounts.iter().map(|(path, mount)| mount.build(path)).collect::<Result<_>>();
        let surface = mounts.and_then(VaultSurface::new);
        Ok(api.with_vault(surface.map_err(|error| self.problem("vault.mounts", error.message()))?))
    }
}
