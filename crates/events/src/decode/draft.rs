//! [`Draft`]: a Change as a notification tells it, and what makes a [`Change`] of it: checks, and an id.

use lockstep_core::{Change, ChangeKind, ChangedName, MAX_SELECTOR_BYTES, SecretName, Source, UnixMillis, hex};
use sha2::{Digest as _, Sha256};

use super::outcome::Reason;

/// The longest id of a source that is taken over; a longer one is told by its hash.
const MAX_ID_BYTES: usize = 128;

/// A Change as a notification tells it.
pub(super) struct Draft<'a> {
    /// Where the id comes from: the ids of two senders may be alike.
    pub(super) sender: &'static str,
    /// The id that the source itself has given to what happened, the same in every delivery of it.
    pub(super) own_id: Option<&'a str>,
    pub(super) source: Source,
    pub(super) name: &'a str,
    /// `None` is the current version.
    pub(super) label: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) kind: ChangeKind,
    pub(super) at: Option<UnixMillis>,
}

impl Draft<'_> {
    /// The Change.
    ///
    /// # Errors
    /// `InvalidName`; `Malformed` when label or version can't be one.
    pub(super) fn finish(self, now: UnixMillis) -> Result<Change, Reason> {
        let name = SecretName::parse(self.name).map_err(|_| Reason::InvalidName)?;
        if ![self.label, self.version].into_iter().flatten().all(is_selector) {
            return Err(Reason::Malformed);
        }
        Ok(Change {
            id: self.id(now),
            name: ChangedName::one(&name),
            label: self.label.map(Into::into),
            version: self.version.map(Into::into),
            kind: self.kind,
            at: self.at.unwrap_or(now).min(now),
            source: self.source,
        })
    }

    /// The source's own id, or the hash of what it says when it has none. A hash of the content ends both: who knows the id
    /// of a notification to come can't put another Change under it, and have the real one taken for its repetition.
    fn id(&self, now: UnixMillis) -> Box<str> {
        let own = self.own_id.map(|id| if is_id(id) { id.to_owned() } else { hex::text(&Sha256::digest(id)[..16]) });
        // A time that is missing must not make two Changes one. With an id of its own, it may be missing.
        let at = if own.is_some() { UnixMillis(0) } else { self.at.unwrap_or(now) };
        let mut hash = Sha256::new();
        for part in [
            &*self.source.provider,
            &*self.source.account,
            &*self.source.region,
            self.name,
            self.label.unwrap_or_default(),
            self.version.unwrap_or_default(),
            word(self.kind),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(at.0.to_be_bytes());
        let digest = hash.finalize();
        match own {
            Some(own) => format!("{}-{own}-{}", self.sender, hex::text(&digest[..8])),
            None => format!("{}-{}", self.sender, hex::text(&digest[..16])),
        }
        .into()
    }
}

/// What can stand in an id as it is: the journals' backends use ids as keys.
fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn is_selector(text: &str) -> bool {
    (1..=MAX_SELECTOR_BYTES).contains(&text.len()) && text.chars().all(|c| !c.is_control() && c != '\u{fffd}')
}

/// Part of the ids, so it stays what it is.
fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Updated => "updated",
        ChangeKind::Rotated => "rotated",
        ChangeKind::Deleted => "deleted",
        ChangeKind::Destroyed => "destroyed",
        ChangeKind::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn draft(own_id: Option<&str>) -> Draft<'_> {
        Draft {
            sender: "aws",
            own_id,
            source: Source { provider: "vault".into(), account: "a".into(), region: "r".into() },
            name: "db/creds",
            label: None,
            version: Some("7"),
            kind: ChangeKind::Updated,
            at: Some(UnixMillis(1_000)),
        }
    }

    fn id(draft: Draft<'_>) -> Box<str> {
        draft.finish(NOW).unwrap().id
    }

    /// Break: leave a part out of the hash, or its length.
    #[test]
    fn what_differs_in_anything_has_another_id_and_what_is_the_same_has_the_same() {
        let plain = id(draft(None));
        assert_eq!(plain, id(draft(None)));
        assert_eq!(&*plain, "aws-8f40ece7c3433ffa0b411c08c7309b54", "the form of ids is part of what journals keep");
        let source = |account: &str, region: &str| Source {
            provider: "vault".into(),
            account: account.into(),
            region: region.into(),
        };
        for other in [
            Draft { name: "db/cred", ..draft(None) },
            Draft { label: Some("blue"), ..draft(None) },
            Draft { version: Some("8"), ..draft(None) },
            Draft { version: None, ..draft(None) },
            Draft { kind: ChangeKind::Deleted, ..draft(None) },
            Draft { at: Some(UnixMillis(1_001)), ..draft(None) },
            Draft { source: source("b", "r"), ..draft(None) },
            Draft { source: source("", "ar"), ..draft(None) },
            Draft { source: Source { provider: "file".into(), ..source("a", "r") }, ..draft(None) },
        ] {
            assert_ne!(plain, id(other));
        }
    }

    /// Break: `own.is_some()` in the choice of the time, or the digest after the own id.
    #[test]
    fn e7_an_own_id_is_kept_and_bound_to_what_it_was_given_to() {
        let own = id(draft(Some("6a7e8feb")));
        assert!(own.starts_with("aws-6a7e8feb-"), "{own}");
        assert_eq!(own, id(Draft { at: None, ..draft(Some("6a7e8feb")) }), "a delivery may come without its time");
        assert_ne!(own, id(Draft { name: "db/other", ..draft(Some("6a7e8feb")) }));
        for hostile in ["a b", "a\nb", "é", &"x".repeat(129), "a/b", "a#b"] {
            let id = id(draft(Some(hostile)));
            assert!(id.len() < 160 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
        }
    }

    /// Break: `min(now)`.
    #[test]
    fn a_time_to_come_is_now_and_so_is_one_that_is_missing() {
        let at = |at| Draft { at, ..draft(None) }.finish(NOW).unwrap().at;
        assert_eq!(at(Some(UnixMillis(5))), UnixMillis(5));
        assert_eq!(at(Some(UnixMillis(u64::MAX))), NOW);
        assert_eq!(at(None), NOW);
    }

    #[test]
    fn what_no_secret_can_be_called_is_left_out() {
        for name in ["", "a/../b", "a//b", "a\u{202e}b", "%2e%2e", "a\n"] {
            assert_eq!(Draft { name, ..draft(None) }.finish(NOW), Err(Reason::InvalidName), "{name}");
        }
        for text in ["", "a\n", "\u{0}", &"x".repeat(257)] {
            assert_eq!(Draft { label: Some(text), ..draft(None) }.finish(NOW), Err(Reason::Malformed));
            assert_eq!(Draft { version: Some(text), ..draft(None) }.finish(NOW), Err(Reason::Malformed));
        }
    }
}
