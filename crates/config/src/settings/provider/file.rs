//! `type = "file"`.

use std::path::PathBuf;
use std::time::Duration;

use super::Need;
use super::shape::{Needs, provider};
use crate::units::Period;

provider! {
    /// A file of secrets: YAML, JSON or TOML.
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
        #[serde(default = "super::members")]
        pub max_members: u32,
    } insecure insecure_permissions, members max_members
}

fn a_second() -> Period {
    Period::of(Duration::from_secs(1))
}

impl Needs for File {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        vec![("path", Need::File(&self.path))]
    }
}
