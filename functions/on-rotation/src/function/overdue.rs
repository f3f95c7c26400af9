//! Rotations that are overdue: a schedule of EventBridge invokes the function, and every provider is asked for its list.

use std::time::Duration;

use futures_util::future::join_all;
use lockstep_core::{
    Alias, Change, ChangeKind, ChangedName, Error, ErrorKind, Filter, Metadata, Page, Principal, Source, UnixMillis,
    hex,
};
use lockstep_events::notify::Occasion;
use lockstep_host::lambda::Invocation;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Function, TELL_TIME};

/// The longest that the lists may take.
const LIST_TIME: Duration = Duration::from_mins(1);
/// The most pages of one provider's list.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Scheduled<'a> {
    source: &'a str,
    #[serde(rename = "detail-type")]
    kind: &'a str,
}

/// Whether a schedule has invoked the function, a rule of EventBridge or EventBridge Scheduler: an event whose source
/// nobody else can give to it.
pub(super) fn is_due(event: &[u8]) -> bool {
    serde_json::from_slice(event).is_ok_and(|Scheduled { source, kind }| {
        matches!(source, "aws.events" | "aws.scheduler") && kind == "Scheduled Event"
    })
}

impl Function {
    /// Looks for rotations that should have been, and tells of them.
    pub(super) async fn look_for_overdue(&self, invocation: &Invocation) {
        if !self.subscribers.want(Occasion::Overdue) {
            tracing::warn!("a schedule asks for overdue rotations, and nobody wants to know: see `[notify]`");
            return;
        }
        // What is found has to be told too.
        let left = self.time(invocation.deadline, LIST_TIME + TELL_TIME);
        let time = left.saturating_sub(TELL_TIME).max(left / 2);
        let mut overdue = Vec::new();
        let found = join_all(self.providers.iter().map(|alias| self.overdue_of(alias, invocation, time)));
        for (alias, (mut found, ended)) in self.providers.iter().zip(found.await) {
            overdue.append(&mut found);
            match ended {
                Err(error) if error.kind() != ErrorKind::Unsupported => {
                    tracing::error!(%alias, %error, "overdue rotations could not all be looked for");
                }
                _ => {}
            }
        }
        tracing::info!(overdue = overdue.len(), "overdue rotations were looked for");
        self.subscribers.tell(Occasion::Overdue, &overdue, self.time(invocation.deadline, TELL_TIME)).await;
    }

    /// What is overdue on the pages of a provider's list, up to the one that fails.
    async fn overdue_of(
        &self,
        alias: &Alias,
        invocation: &Invocation,
        time: Duration,
    ) -> (Vec<Change>, lockstep_core::Result<()>) {
        let call = self.host.call(&invocation.id, time);
        let who = Principal::new("event:lambda");
        let (mut found, mut page) = (Vec::new(), Page::default());
        for _ in 0..MAX_PAGES {
            let listed = match self.resolver.list(&call, &who, Some(alias), "", &Filter::default(), page).await {
                Ok(listed) => listed,
                Err(error) => return (found, Err(error)),
            };
            found.extend(listed.items.iter().filter_map(|item| overdue(&item.metadata, self.host.clock.wall())));
            let Some(token) = listed.next else { return (found, Ok(())) };
            page = Page { token: Some(token), ..Page::default() };
        }
        let message = format!("the list has more than {MAX_PAGES} pages; the rest was not looked at");
        (found, Err(Error::new(ErrorKind::TooLarge, message)))
    }
}

/// What is told of a secret, if its rotation should have been before now.
fn overdue(secret: &Metadata, now: UnixMillis) -> Option<Change> {
    let due = secret.next_rotation.filter(|due| *due < now && secret.rotation_enabled != Some(false))?;
    let scope = secret.id.scope.parts();
    let mut digest = Sha256::new();
    for part in [&*scope.provider, &*scope.account, &*scope.region, secret.name.as_str()] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.update(due.0.to_be_bytes());
    Some(Change {
        id: format!("overdue-{}", hex::text(&digest.finalize()[..16])).into(),
        source: Source {
            provider: scope.provider.clone(),
            account: scope.account.clone(),
            region: scope.region.clone(),
        },
        name: ChangedName::one(&secret.name),
        label: None,
        version: secret.version.as_ref().map(|version| version.id.clone()),
        kind: ChangeKind::Unknown,
        at: due,
    })
}

#[cfg(test)]
mod tests {
    use lockstep_core::{CanonicalId, Scope, ScopeParts, SecretName};

    use super::*;

    #[test]
    fn only_a_schedule_of_eventbridge_asks_for_what_is_overdue() {
        for source in ["aws.events", "aws.scheduler"] {
            let event = format!(
                r#"{{"version":"0","id":"1","detail-type":"Scheduled Event","source":"{source}","detail":{{}}}}"#
            );
            assert!(is_due(event.as_bytes()), "{source}");
        }
        for other in
            [&br#"{"detail-type":"Scheduled Event","source":"mine"}"#[..], br#"{"source":"aws.events"}"#, b"{}", b"x"]
        {
            assert!(!is_due(other));
        }
    }

    /// Break: any part of the filter in `overdue`.
    #[test]
    fn overdue_is_what_should_have_been_and_is_told_under_one_id() {
        let name = SecretName::parse("db").unwrap();
        let scope = Scope::new(ScopeParts { provider: "aws-secrets-manager".into(), ..ScopeParts::default() });
        let secret = |next: Option<u64>, enabled| {
            let id = CanonicalId { scope: scope.clone(), name: name.clone() };
            Metadata {
                next_rotation: next.map(UnixMillis),
                rotation_enabled: enabled,
                ..Metadata::new(id, name.clone())
            }
        };
        let now = UnixMillis(1000);
        for (next, enabled, is_overdue) in [
            (Some(999), Some(true), true),
            (Some(999), None, true),
            (Some(1000), Some(true), false),
            (Some(999), Some(false), false),
            (None, Some(true), false),
        ] {
            assert_eq!(overdue(&secret(next, enabled), now).is_some(), is_overdue, "{next:?} {enabled:?}");
        }
        let id = |due| overdue(&secret(Some(due), None), now).unwrap().id;
        assert!(id(1) == id(1) && id(1) != id(2));
    }
}
