//! Cloudflare Secrets Store, through bindings of a Worker.
//!
//! A Worker sees a secret of the store only by a binding that its deployment named: there is no look-up by name, no
//! version, no metadata, and nothing to log in with. So the configuration says which name is which binding, and this
//! provider can read and no more.

mod provider;

#[cfg(test)]
mod tests;

pub use self::provider::{SecretsStore, SecretsStoreSettings};
