//! The `file` provider: secrets in one YAML, JSON or TOML file, for development and as the last of a chain.
//!
//! ```yaml
//! db/creds:                 # a map is a secret of named values: `db/creds#password`
//!   username: app
//!   password: hunter2
//! api/token: s3cr3t         # text is a whole value; so is a number, as it is spelled
//! tls/key: { binary: "3q2+7w==" }   # bytes, in base64
//! ```
//!
//! A top-level key is a name, slashes included; maps nest no deeper. The file belongs to the user that reads it (or to
//! root) and nobody else may open it: mode 0600 or 0400. It is read again once its stamp changes. A new content that
//! does not parse is not taken over: the last good one is served on, and a warning says where the mistake is. So
//! replace the file whole (write another, then rename it) and nobody ever sees half of it.

mod changes;
mod content;
mod provider;
mod settings;
mod structure;
mod syntax;

#[cfg(test)]
mod tests;

pub use self::changes::FileChanges;
pub use self::provider::FileProvider;
pub use self::settings::FileSettings;
