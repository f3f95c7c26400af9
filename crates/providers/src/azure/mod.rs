//! The `azure-key-vault` provider: secrets of one Azure Key Vault by its REST API, and the logins at Entra ID.
//!
//! A secret's versions have ids without an order; the newest `created` is current. `nbf` and `exp` bind nobody: the
//! service answers before and after them, and so does this provider, and says both times. Tokens are asked for the
//! vaults of the configured cloud alone, at its authority, and sent to vaults of that cloud alone; a challenge that
//! says otherwise is refused. The tests stand on `testkit`'s fake vault, which Microsoft's own clients judge.

mod address;
mod challenge;
mod errors;
mod login;
mod provider;
mod session;
mod settings;
mod wire;

#[cfg(test)]
mod tests;

pub use self::provider::AzureKeyVault;
pub use self::settings::{AzureAuth, AzureSettings, Cloud, Identity};
