//! `type = "record"`, `"replay"` and `"dry-run"`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shape::{Needs, provider};
use super::{Credential, Need};
use crate::settings::{AliasName, Glob};

provider! {
    /// Another provider of this configuration, recorded: every access and its answer go into a sealed file.
    pub struct Record {
        /// The alias of the provider. It is made anew: its own layers, names and limits (`upstream`, `name_template`,
        /// `only`) do not hold here.
        pub of: AliasName,
        /// The recording, made with mode 0600. A relative path begins at the configuration's folder.
        pub file: PathBuf,
        /// Its key: 32 bytes in base64, from `openssl rand -base64 32`.
        pub key: Credential,
    }
}

impl Needs for Record {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        vec![("key", Need::Credential(&self.key))]
    }
}

provider! {
    /// A recording instead of the provider that it was made of.
    pub struct Replay {
        /// The recording. A relative path begins at the configuration's folder.
        pub file: PathBuf,
        /// Its key.
        pub key: Credential,
    }
}

/// The recording itself is read when something is asked: the same configuration may make it first.
impl Needs for Replay {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        vec![("key", Need::Credential(&self.key))]
    }
}

provider! {
    /// Another provider of this configuration, never asked: each read is a line of the log and a placeholder.
    pub struct DryRun {
        /// The alias of the provider.
        pub of: AliasName,
        /// What stands in for values; the first that matches counts.
        #[serde(default)]
        pub placeholders: Vec<Placeholder>,
    }
}

impl Needs for DryRun {}

/// One of `placeholders`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Placeholder {
    /// Which names, such as `db/**`.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// The text; JSON where a `#key` of it is read.
    pub text: String,
}
