//! The journal's feed, as far as a caller may see it.

use std::time::Duration;

use super::Resolver;
use crate::target::Target;
use crate::{Action, Call, Change, ChangedName, Cursor, Error, ErrorKind, Feed, Operation, Principal, Result};

/// How often a caller who waits has the journal looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a caller may see of the feed, and how far it was looked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The feed, without what is hidden.
    pub feed: Feed,
    /// Where to go on from: what is hidden moves it too.
    pub reached: Cursor,
}

impl Resolver {
    /// Whether there is a journal to read.
    pub fn has_journal(&self) -> bool {
        self.0.freshness.is_some()
    }

    /// Reads the journal for a caller, and waits at most this long for something after the cursor. It sees the changes of
    /// secrets that it may see the `changes` of, at a provider that is configured here; what says that every secret of a
    /// provider changed is for everyone. A rule that reads tags hides what it was not decided on already.
    ///
    /// # Errors
    /// `Unsupported` without a journal, and the journal's own.
    pub async fn changes(
        &self,
        call: &Call,
        who: &Principal,
        after: Option<Cursor>,
        limit: usize,
        wait: Duration,
    ) -> Result<Told> {
        let access = self.access(call.request_id(), who, Action::Changes, "", None);
        let told = async {
            let Some(freshness) = &self.0.freshness else {
                let message = "this endpoint has no journal; set `freshness.journal` there, or ask another one";
                return Err(Error::new(ErrorKind::Unsupported, message));
            };
            let call = &call.within(call.remaining());
            let end = call.clock().monotonic().saturating_add(wait.min(call.remaining() / 2));
            loop {
                let mut feed = call.bounded(freshness.journal().since(call, after, limit)).await?;
                let last = feed.changes.last().map(|(seq, _)| Cursor { epoch: feed.head.epoch, seq: *seq });
                let reached = match (after, last) {
                    (Some(_), Some(last)) if feed.cut => last,
                    _ => feed.head,
                };
                let left = end.saturating_sub(call.clock().monotonic());
                if feed.gap || after != Some(reached) || left.is_zero() {
                    feed.changes.retain(|(_, change)| self.shows(who, change));
                    return Ok(Told { feed, reached });
                }
                call.clock().sleep(LOOK.min(left)).await;
            }
        };
        self.0.ledger.record(&access, told.await.map_err(|error| error.during(Operation::Journal)), None)
    }

    /// Whether the caller may know of this change.
    fn shows(&self, who: &Principal, change: &Change) -> bool {
        let target = Target::change(change);
        self.0.planner.mounts().iter().any(|mount| {
            let scope = mount.provider.scope();
            match &change.name {
                ChangedName::All => target.matches_name(&mount.alias, scope, &[]),
                ChangedName::One(name) => {
                    target.matches_name(&mount.alias, scope, &[name])
                        && self.0.allow(who, Action::Changes, mount, name).is_ok()
                }
            }
        })
    }
}
