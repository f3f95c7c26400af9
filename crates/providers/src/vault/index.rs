//! [`Index`]: how far a cluster was when it answered us (`X-Vault-Index`), so that no node behind that answers us next.
//!
//! Vault Enterprise sends an index with what it has written, logins too; OpenBao sends none. It is base64 of
//! `v1:CLUSTER:LOCAL:REPLICATED:HMAC`. Of two of one cluster the later one is kept, or both when neither is later in both
//! numbers; what can't be compared is opaque to us, and the newest one stands.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header, in requests and in answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-vault-index");

/// Ids of a cluster and two numbers: real ones are about 150 bytes long.
const MOST_BYTES: usize = 1 << 10;

/// The latest index, shared by everything that one provider asks.
#[derive(Debug, Default)]
pub(super) struct Index(Mutex<Vec<HeaderValue>>);

impl Index {
    /// Learns what an answer says.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let Some(new) = headers.get(HEADER).filter(|new| new.len() <= MOST_BYTES) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = merged(&known, new);
    }

    /// What to send. Two when neither covers the other.
    pub(super) fn known(&self) -> Vec<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Position {
    cluster: String,
    local: u64,
    replicated: u64,
}

impl Position {
    fn read(value: &HeaderValue) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(value.as_bytes()).ok()?).ok()?;
        let mut parts = text.split(':');
        if parts.next()? != "v1" {
            return None;
        }
        let cluster = parts.next()?.to_owned();
        Some(Self { cluster, local: parts.next()?.parse().ok()?, replicated: parts.next()?.parse().ok()? })
    }

    fn covers(&self, other: &Self) -> bool {
        self.local >= other.local && self.replicated >= other.replicated
    }
}

/// The old ones that the new one does not cover, and the new one unless an old one covers it.
fn merged(known: &[HeaderValue], new: &HeaderValue) -> Vec<HeaderValue> {
    let only = || vec![new.clone()];
    let Some(position) = Position::read(new) else { return only() };
    let mut kept = Vec::new();
    let mut is_covered = false;
    for old in known {
        let Some(before) = Position::read(old).filter(|before| before.cluster == position.cluster) else {
            return only();
        };
        is_covered |= before.covers(&position);
        if !position.covers(&before) || before == position {
            kept.push(old.clone());
        }
    }
    if !is_covered {
        kept.push(new.clone());
    }
    // More than two can't be apart: one is the first in `local`, one in `replicated`. The oldest goes first.
    let excess = kept.len().saturating_sub(2);
    kept.split_off(excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(cluster: &str, local: u64, replicated: u64) -> HeaderValue {
        STANDARD.encode(format!("v1:{cluster}:{local}:{replicated}:mac")).parse().unwrap()
    }

    fn learned(all: &[HeaderValue]) -> Vec<HeaderValue> {
        let index = Index::default();
        for one in all {
            index.learn(&HeaderMap::from_iter([(HEADER, one.clone())]));
        }
        index.known()
    }

    /// Break: any line of `merged`.
    #[test]
    fn the_later_index_is_kept_whatever_the_order_and_both_when_neither_is_later() {
        let (old, new) = (index("a", 1, 5), index("a", 2, 5));
        assert_eq!(learned(&[old.clone(), new.clone()]), vec![new.clone()]);
        assert_eq!(
            learned(&[new.clone(), old.clone()]),
            vec![new.clone()],
            "an answer of a node behind takes nothing back"
        );
        assert_eq!(learned(&[new.clone(), new.clone()]), vec![new.clone()]);
        let apart = index("a", 1, 9);
        assert_eq!(learned(&[new.clone(), apart.clone()]), [new.clone(), apart.clone()]);
        let over_both = index("a", 3, 9);
        assert_eq!(learned(&[new.clone(), apart, over_both.clone()]), [over_both]);
        let elsewhere = index("b", 1, 1);
        assert_eq!(learned(&[new.clone(), elsewhere.clone()]), [elsewhere], "another cluster, after a failover");
    }

    /// Break: `MOST_BYTES`, or the bound of two.
    #[test]
    fn what_is_opaque_replaces_and_what_is_hostile_is_not_kept() {
        let opaque: HeaderValue = "b3BhcXVl".parse().unwrap();
        assert_eq!(learned(&[index("a", 1, 1), opaque.clone()]), vec![opaque.clone()]);
        let long: HeaderValue = "x".repeat(MOST_BYTES + 1).parse().unwrap();
        assert_eq!(learned(&[opaque.clone(), long]), [opaque]);
        let many: Vec<_> = (0..100).map(|n| index("a", n, 100 - n)).collect();
        assert_eq!(learned(&many), many[98..]);
    }
}
