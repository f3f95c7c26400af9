//! The `vault` provider: HashiCorp Vault and OpenBao by their HTTP API.
//!
//! A name is `mount/path`. What is mounted there is asked once (`sys/internal/ui/mounts`) and decides how it is read:
//! KV v2 has versions, KV v1 has none, and everything else makes a credential for this reader, with a lease. Such a
//! read is sent once: whatever comes of it, the error says [`Retry::Never`](lockstep_core::Retry::Never).

mod answer;
mod cluster;
mod http;
mod index;
mod kv;
mod listing;
mod login;
mod mounts;
mod provider;
mod settings;
mod status;

#[cfg(test)]
mod tests;

pub use self::provider::VaultProvider;
pub use self::settings::{Handed, MountKind, VaultAuth, VaultSettings, Wrapping};
