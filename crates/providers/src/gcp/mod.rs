//! Google Cloud Secret Manager by its REST API, and the ways to log in at Google without a library of theirs.
//!
//! A provider is one project at one place, global or regional. Google promises one strong read alone: that of a version
//! by its number. `latest` and aliases follow within minutes, so the number that an answer names is the version's
//! identity here, and whoever knows from a notification which version is due asks for it by its number.

mod client;
mod crc32c;
mod hosts;
mod login;
mod name;
mod secret_manager;
mod settings;
mod status;
mod wire;

#[cfg(test)]
mod tests;

pub use self::secret_manager::GcpSecretManager;
pub use self::settings::{GcpAuth, GcpSettings, GcpSource, GcpTokenType};
