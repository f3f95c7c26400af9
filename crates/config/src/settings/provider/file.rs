//! `type = "file"`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Common, Need, Upstream, members};
use crate::units::Period;

/// A file of secrets: YAML, JSON or TOML.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The file: `….yaml`, `….json` or `….toml`. A relative path begins at the configuration's folder.
    pub path: PathBuf,
    /// Accepts a file that others may read, or that belongs to another user.
    #[serde(default)]
    pub insecure_permissions: bool,
    /// How often to look for an edit; from 10ms to 1h. Edits need a journal to be seen before the TTL.
    #[serde(default = "a_second")]
    pub poll: Period,
    /// Keys that the file may have, in all; from 1000 to 1000000.
    #[serde(default = "members")]
    pub max_members: u32,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// The layers around the provider.
    #[serde(default)]
    pub upstream: Upstream,
}

fn a_second() -> Period {
    Period::of(Duration::from_secs(1))
}

impl File {
    pub(super) fn common(&self) -> Common<'_> {
        let path = ("path", Need::File(&self.path));
        Common::new(&self.upstream, self.ttl).answers(self.max_members).needs(vec![path])
    }
}
