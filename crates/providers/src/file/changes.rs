//! [`FileChanges`]: edits of the file as Changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Change, ChangeKind, ChangeSource, ChangedName, Clock, SecretName, Source, Version};

use super::FileProvider;
use super::content::Content;

/// Looks at the file every [`poll`](super::FileSettings::poll) and tells which secrets changed.
///
/// The versions that it tells are digests under a key of this process: append its Changes to this process's own
/// journal.
pub struct FileChanges {
    provider: Arc<FileProvider>,
    clock: Arc<dyn Clock>,
    seen: BTreeMap<SecretName, Version>,
    told: u64,
}

impl FileChanges {
    /// Changes from now on.
    pub fn new(provider: Arc<FileProvider>, clock: Arc<dyn Clock>) -> Self {
        let seen = provider.content().map(|(content, _)| versions(&content)).unwrap_or_default();
        Self { provider, clock, seen, told: 0 }
    }

    fn look(&mut self) -> Vec<Change> {
        // A file that is gone may be back at the next look; what it then says is compared with what was seen last.
        let Ok((content, _)) = self.provider.content() else { return Vec::new() };
        let now = versions(&content);
        let mut changes = Vec::new();
        for (name, version) in &now {
            if self.seen.get(name) != Some(version) {
                changes.push((name.clone(), Some(version.id.clone()), ChangeKind::Updated));
            }
        }
        for name in self.seen.keys().filter(|name| !now.contains_key(*name)) {
            changes.push((name.clone(), None, ChangeKind::Deleted));
        }
        self.seen = now;
        changes.into_iter().map(|(name, version, kind)| self.change(&name, version, kind)).collect()
    }

    fn change(&mut self, name: &SecretName, version: Option<Box<str>>, kind: ChangeKind) -> Change {
        self.told += 1;
        let at = self.clock.wall();
        // Putting an old content back is a Change of its own, so the id counts instead of naming the content.
        let parts: [&[u8]; 4] = [b"change", name.as_str().as_bytes(), &at.0.to_be_bytes(), &self.told.to_be_bytes()];
        let id = self.provider.key().digest(&parts);
        Change {
            id: format!("file-{id}").into(),
            source: Source { provider: "file".into(), ..Source::default() },
            name: ChangedName::one(name),
            label: None,
            version,
            kind,
            // Not the file's own time, which a copy may set back: the newest Change of a name is the one that counts.
            at,
        }
    }
}

fn versions(content: &Content) -> BTreeMap<SecretName, Version> {
    content.iter().map(|(name, held)| (name.clone(), held.version.clone())).collect()
}

#[async_trait]
impl ChangeSource for FileChanges {
    async fn next(&mut self) -> Vec<Change> {
        loop {
            let poll = self.provider.settings().poll;
            self.clock.sleep(poll).await;
            let changes = self.look();
            if !changes.is_empty() {
                return changes;
            }
        }
    }
}
