//! The tags of secrets, where what a caller may do hangs on them: asked for before anything else is asked about a secret,
//! and kept for as long as a value would be.
//!
//! Who may not read a secret whatever its tags are costs no call: the authorizer says so first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Inner, Refused};
use crate::{
    Action, Alias, Call, Error, ErrorKind, Metadata, Moment, Mount, Principal, Recent, Resource, Result, SecretName,
    Ttl,
};

/// The tags of a secret.
type Tags = Arc<BTreeMap<String, String>>;

/// Tags, and since when they are known, by alias and name.
type Kept = Recent<(Alias, Box<str>), (Tags, Moment)>;

/// Tags that are known.
pub(super) struct KnownTags {
    ttl: Ttl,
    kept: Mutex<Kept>,
}

/// What is known of a secret before it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be there.
    Open,
    /// The provider has just said that it is not there. Whoever asks may hear the same from the provider itself.
    Absent,
}

impl KnownTags {
    pub(super) fn new(ttl: Ttl, most: usize) -> Self {
        Self { ttl, kept: Mutex::new(Recent::new(most)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, alias: &Alias, name: &str, now: Moment) -> Option<Tags> {
        let kept = self.kept();
        let (tags, at) = kept.get(&(alias.clone(), Box::from(name)))?;
        (!now.is_past(*at, self.ttl.get())).then(|| tags.clone())
    }

    fn put(&self, alias: &Alias, name: &str, tags: Tags, now: Moment) {
        self.kept().put((alias.clone(), Box::from(name)), (tags, now));
    }
}

impl Inner {
    /// Asks for a secret's tags if the decision hangs on them and they are not known.
    ///
    /// # Errors
    /// Whatever keeps the provider from telling them; `Unsupported` is a refusal of ours.
    pub(super) async fn learn_tags(
        &self,
        call: &Call,
        who: &Principal,
        action: Action,
        mount: &Mount,
        name: &SecretName,
    ) -> Result<Standing, Refused> {
        if !self.authorizer.reads_tags() || !self.hangs_on_tags(who, action, mount, name.as_str()) {
            return Ok(Standing::Open);
        }
        let now = self.timeline.now();
        match mount.provider.describe(call, name).await {
            Ok(metadata) => {
                self.tags.put(&mount.alias, name.as_str(), Arc::new(metadata.tags), now);
                Ok(Standing::Open)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Standing::Absent),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let message = "what may be done with this secret hangs on its tags, and its provider can't tell them; write \
                               a policy about its name";
                Err((Error::new(ErrorKind::Denied, message), Some(Arc::from("tags are not known"))))
            }
            Err(error) => Err((error, None)),
        }
    }

    fn hangs_on_tags(&self, who: &Principal, action: Action, mount: &Mount, name: &str) -> bool {
        if !mount.reach.has_name(action, name) {
            return false;
        }
        let known = self.tags.of(&mount.alias, name, self.timeline.now());
        let resource = Resource { provider: &mount.alias, name, tags: known.as_deref() };
        self.authorizer.decide(who, action, resource).wants_tags
    }

    /// Whether a secret of a list may be shown. A list that tells no tags is not taken for secrets without any.
    pub(super) async fn may_see(&self, call: &Call, who: &Principal, mount: &Mount, metadata: &Metadata) -> bool {
        let name = &metadata.name;
        if self.authorizer.reads_tags() {
            if !metadata.tags.is_empty() {
                let tags = Arc::new(metadata.tags.clone());
                self.tags.put(&mount.alias, name.as_str(), tags, self.timeline.now());
            } else if self.learn_tags(call, who, Action::Describe, mount, name).await.is_err() {
                return false;
            }
        }
        self.allow(who, Action::Describe, mount, name.as_str()).is_ok()
    }
}
