//! The listener for Vault's clients: where it may listen, and what its mounts are.

use super::Checks;
use crate::settings::{Settings, VaultSurface, VaultSurfaceMount};

impl Checks<'_> {
    pub(super) fn vault_surface(&mut self, settings: &Settings, aliases: &[String]) {
        let (vault, listen) = (&settings.vault, &settings.listen);
        let remote = !vault.address.ip().to_canonical().is_loopback();
        if remote && !(listen.allow_remote && listen.tls.is_some()) {
            let message = format!(
                "{} can be reached from other machines; write `127.0.0.1:{}`, or `listen.allow_remote = true` with \
                 `listen.tls`",
                vault.address.ip(),
                vault.address.port()
            );
            self.wrong("vault.address", message);
        }
        let is_taken = vault.enabled && listen.unix_socket.is_none() && vault.address == listen.address;
        if is_taken && vault.address.port() != 0 {
            self.wrong(
                "vault.address",
                "`listen.address` is the same, and the paths mean other things there; write another port",
            );
        }
        if vault.enabled && vault.mounts.is_empty() {
            let message = "there is nothing to read without a mount; write for example `mounts = { secret = { provider \
                           = \"aws\" } }`";
            self.wrong("vault.mounts", message);
        }
        for (path, mount) in &vault.mounts {
            self.vault_surface_mount(vault, path, mount, aliases);
        }
    }

    fn vault_surface_mount(&mut self, vault: &VaultSurface, path: &str, mount: &VaultSurfaceMount, aliases: &[String]) {
        let key = format!("vault.mounts.{path}");
        self.alias(&format!("{key}.provider"), mount.provider.0.as_str(), aliases);
        if let Err(error) = mount.build(path) {
            self.wrong(&key, error.message());
            return;
        }
        // Of two that overlap the inner one is told.
        let inside = |other: &str| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        if let Some(other) = vault.mounts.keys().find(|other| inside(other)) {
            self.wrong(&key, format!("this mount stands in the mount `{other}`; rename one of them"));
        }
    }
}
