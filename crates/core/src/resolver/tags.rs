//! The tags of secrets, where what a caller may do hangs on them: asked for before anything else is asked about a secret,
//! and kept for as long as a value would be.
//!
//! Who may not read a secret whatever its tags are costs no call: the authorizer says so first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use super::{Inner, Refused};
use crate::{
    Action, Alias, Call, Error, ErrorKind, Metadata, Moment, Mount, Principal, Recent, Resource, Result, SecretName,
    Ttl,
};

/// How many secrets are asked for their tags at the same time.
const CONCURRENCY: usize = 8;

/// The tags of a secret.
type Tags = Arc<BTreeMap<String, String>>;

/// Tags, and since when they are known, by alias and name.
type Kept = Recent<(Alias, Box<str>), (Tags, Moment)>;

/// Tags that are known.
pub(super) struct KnownTags {
    ttl: Ttl,
    kept: Mutex<Kept>,
}

/// What was found out about secrets before they are asked for.
#[derive(Default)]
pub(super) struct Learned {
    /// Those that their provider has just said are not there. Whoever asks may hear the same from the provider itself.
    absent: Vec<(Alias, SecretName)>,
    /// Those whose tags are kept away, and by what.
    failed: Vec<(Alias, SecretName, Refused)>,
}

impl Learned {
    /// Whether a secret is not there.
    pub(super) fn is_absent(&self, mount: &Mount, name: &SecretName) -> bool {
        self.absent.iter().any(|(alias, absent)| *alias == mount.alias && absent == name)
    }

    /// What keeps the tags of a secret away.
    pub(super) fn failure(&self, mount: &Mount, name: &SecretName) -> Result<(), Refused> {
        let failed = self.failed.iter().find(|(alias, failed, _)| *alias == mount.alias && failed == name);
        failed.map_or(Ok(()), |(.., refused)| Err(refused.clone()))
    }
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
    /// Asks for the tags of those secrets on whose tags the decision hangs, and whose tags are not known.
    pub(super) async fn learn(
        &self,
        call: &Call,
        who: &Principal,
        action: Action,
        secrets: impl IntoIterator<Item = (&Arc<Mount>, SecretName)>,
    ) -> Learned {
        if !self.authorizer.reads_tags() {
            return Learned::default();
        }
        let hangs = |(mount, name): &(&Arc<Mount>, SecretName)| self.hangs_on_tags(who, action, mount, name.as_str());
        let secrets = secrets.into_iter().filter(hangs).map(|(mount, name)| (mount.clone(), name)).collect();
        self.look_up_tags(call, secrets).await
    }

    /// One function for all who ask, and on the heap: what asks for tags is in every way to a secret.
    fn look_up_tags<'a>(&'a self, call: &'a Call, secrets: Vec<(Arc<Mount>, SecretName)>) -> BoxFuture<'a, Learned> {
        let ask = move |(mount, name): (Arc<Mount>, SecretName)| async move {
            let now = self.timeline.now();
            let told = mount.provider.describe(call, &name).await;
            (mount, name, now, told)
        };
        Box::pin(async move {
            let mut learned = Learned::default();
            let asks: Vec<_> = secrets.into_iter().map(ask).collect();
            let mut answers = futures_util::stream::iter(asks).buffered(CONCURRENCY);
            while let Some((mount, name, now, told)) = answers.next().await {
                let alias = mount.alias.clone();
                match told {
                    Ok(metadata) => self.tags.put(&alias, name.as_str(), Arc::new(metadata.tags), now),
                    Err(error) if error.kind() == ErrorKind::NotFound => learned.absent.push((alias, name)),
                    Err(error) if error.kind() == ErrorKind::Unsupported => {
                        learned.failed.push((alias, name, untold()));
                    }
                    Err(error) => learned.failed.push((alias, name, (error, None))),
                }
            }
            learned
        })
    }

    fn hangs_on_tags(&self, who: &Principal, action: Action, mount: &Mount, name: &str) -> bool {
        if !mount.reach.has_name(action, name) {
            return false;
        }
        let known = self.tags.of(&mount.alias, name, self.timeline.now());
        let resource = Resource { provider: mount.ruled(), name, tags: known.as_deref() };
        self.authorizer.decide(who, action, resource).wants_tags
    }

    /// Remembers the tags that a list tells. One that tells none is not taken for secrets without any: those are asked for.
    pub(super) async fn learn_listed(
        &self,
        call: &Call,
        who: &Principal,
        mount: &Arc<Mount>,
        listed: &[Metadata],
    ) -> Learned {
        if !self.authorizer.reads_tags() {
            return Learned::default();
        }
        let now = self.timeline.now();
        let (told, untold): (Vec<&Metadata>, Vec<&Metadata>) = listed.iter().partition(|item| !item.tags.is_empty());
        for item in told {
            self.tags.put(&mount.alias, item.name.as_str(), Arc::new(item.tags.clone()), now);
        }
        self.learn(call, who, Action::Describe, untold.into_iter().map(|item| (mount, item.name.clone()))).await
    }
}

/// The refusal of what hangs on tags that its provider can't tell.
fn untold() -> Refused {
    let message = "what may be done with this secret hangs on its tags, and its provider can't tell them; write a policy \
                   about its name";
    (Error::new(ErrorKind::Denied, message), Some(Arc::from("tags are not known")))
}
