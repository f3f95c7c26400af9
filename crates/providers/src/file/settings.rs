//! What the configuration says of a secrets file.

use std::path::PathBuf;
use std::time::Duration;

use lockstep_core::MAX_MEMBERS;

/// Which file, and how it is watched.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// The file: `….yaml`, `….yml`, `….json` or `….toml`.
    pub path: PathBuf,
    /// Whether a file that others may read, or that belongs to another user, is accepted.
    pub insecure_permissions: bool,
    /// Keys that the file may have, in all.
    pub members: usize,
    /// How often [`FileChanges`](super::FileChanges) looks for an edit.
    pub poll: Duration,
    /// The environment of its scope.
    pub environment: String,
}

impl FileSettings {
    /// A file with the defaults: strict permissions, [`MAX_MEMBERS`], one look a second.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            insecure_permissions: false,
            members: MAX_MEMBERS,
            poll: Duration::from_secs(1),
            environment: String::new(),
        }
    }
}
