//! What the configuration says of a secrets file.

use std::path::PathBuf;
use std::time::Duration;

/// Which file, and how it is watched.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// The file: `….yaml`, `….yml`, `….json` or `….toml`.
    pub path: PathBuf,
    /// Whether a file that others may read, or that belongs to another user, is accepted.
    pub insecure_permissions: bool,
    /// How often [`FileChanges`](super::FileChanges) looks for an edit.
    pub poll: Duration,
    /// The environment of its scope.
    pub environment: String,
}

impl FileSettings {
    /// A file with the defaults: strict permissions, one look a second.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            insecure_permissions: false,
            poll: Duration::from_secs(1),
            environment: String::new(),
        }
    }
}
