//! What a Vault's keys say of one another.

use super::Checks;
use crate::settings::{Vault, VaultAuth};

/// More nodes than any cluster has.
const MOST_NODES: usize = 16;

impl Checks<'_> {
    pub(super) fn vault(&mut self, key: &str, vault: &Vault) {
        let addresses = &vault.address.0;
        let place = format!("{key}.address");
        match addresses.as_slice() {
            [one] => self.address(&place, Some(one), vault.insecure),
            more => {
                if more.is_empty() || more.len() > MOST_NODES {
                    self.wrong(&place, format!("a cluster has from 1 to {MOST_NODES} nodes; write as many addresses"));
                }
                for (index, address) in more.iter().enumerate() {
                    let place = format!("{place}.{index}");
                    self.address(&place, Some(address), vault.insecure);
                    if more[..index].iter().any(|before| before.trim_end_matches('/') == address.trim_end_matches('/'))
                    {
                        self.wrong(&place, "this address stands there twice; remove one");
                    }
                }
            }
        }
        if vault.auth.inline() && vault.mounts.is_empty() {
            let message = "with `inline` the server can't be asked what is mounted where; write for example \
                           `mounts = { secret = \"kv2\" }`";
            self.wrong(&format!("{key}.mounts"), message);
        }
        if vault.auth.is_path_without_wrapping() {
            let message = "only what is wrapped has one; write `wrapped = true` too, or remove this";
            self.wrong(&format!("{key}.auth.creation_path"), message);
        }
        if matches!(vault.auth, VaultAuth::Cert(_)) && vault.tls.client_cert.is_none() {
            let message = "the method `cert` shows a client certificate; write `client_cert` and `client_key`";
            self.wrong(&format!("{key}.tls"), message);
        }
    }
}
