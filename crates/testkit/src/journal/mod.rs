//! The contract that every journal keeps, as one suite.
//!
//! A test brings a [`JournalHarness`]: journals, and the means to damage what they are kept in. [`run`] goes through every
//! section and [`run_damaged`] through every damage; both panic at the first broken promise and name it, and give back
//! what ran.

mod appends;
mod gaps;
mod reads;

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Change, ChangeKind, ChangedName, Cursor, Feed, Journal, Result, Source};

use crate::clock::START;

/// Changes that one read of the suite asks for, where it wants all there are.
const ALL: usize = 10_000;

/// Journals under test, and what they are kept in.
#[async_trait]
pub trait JournalHarness: Send + Sync {
    /// A handle on the journal of this name, as an instance of its own would have it. Every handle of one name sees one
    /// journal; a name that was not opened before is an empty one.
    async fn open(&self, name: &str) -> Arc<dyn Journal>;

    /// A call with time enough.
    fn call(&self) -> Call;

    /// Drops all but the newest `keep` Changes, as time would.
    async fn trim(&self, name: &str, keep: usize);

    /// The storage loses all that it holds; the journal of this name begins anew.
    async fn lose(&self, name: &str);

    /// Keeps what the storage holds now.
    async fn save(&self, name: &str);

    /// The storage is again as it was at [`save`](Self::save): a restored snapshot, a replica that was behind.
    async fn restore(&self, name: &str);

    /// Ways to write what is no journal into the storage. One whose journal nobody else can write has none.
    fn damages(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Does this damage.
    async fn damage(&self, name: &str, damage: &str) {
        let _ = (name, damage);
    }

    /// Appends in such a way that the answer is lost on its way, `before` or after the journal has taken it.
    /// Whoever can't cut a connection drops the answer.
    async fn append_unheard(&self, name: &str, changes: &[Change], before: bool) {
        if !before {
            self.append(name, changes).await;
        }
    }

    /// Opens and appends.
    async fn append(&self, name: &str, changes: &[Change]) -> Cursor {
        let appended = self.open(name).await.append(&self.call(), changes).await;
        appended.unwrap_or_else(|error| panic!("{name}: an append is taken: {error}"))
    }

    /// Opens and reads.
    async fn since(&self, name: &str, cursor: Option<Cursor>, limit: usize) -> Feed {
        self.try_since(name, cursor, limit).await.unwrap_or_else(|error| panic!("{name}: a read is answered: {error}"))
    }

    /// Opens and reads.
    async fn try_since(&self, name: &str, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        self.open(name).await.since(&self.call(), cursor, limit).await
    }
}

/// Runs the whole contract and says which sections there were.
///
/// # Panics
/// When a promise is broken; the message names it.
pub async fn run(harness: &dyn JournalHarness) -> Vec<&'static str> {
    let mut ran = Vec::new();
    macro_rules! section {
        ($module:ident :: $name:ident) => {
            $module::$name(harness).await;
            ran.push(stringify!($name));
        };
    }
    section!(reads::empty);
    section!(reads::order);
    section!(reads::whole_changes);
    section!(reads::paging);
    section!(reads::first_contact);
    section!(appends::idempotent);
    section!(appends::a_batch);
    section!(appends::answer_lost);
    section!(appends::concurrent);
    section!(gaps::another_epoch);
    section!(gaps::head_behind);
    section!(gaps::trimmed);
    section!(gaps::lost);
    section!(gaps::restored);
    ran
}

/// Runs through every way to damage the storage, and says how many there were.
///
/// # Panics
/// When what somebody else has written is taken for the journal, or quoted.
pub async fn run_damaged(harness: &dyn JournalHarness) -> usize {
    let damages = harness.damages();
    for damage in &damages {
        gaps::damaged(harness, damage).await;
    }
    damages.len()
}

/// The `nth` Change of a test.
pub fn change(nth: usize) -> Change {
    named(&format!("id-{nth}"), &format!("db/{nth}"))
}

/// A Change with this id.
pub fn named(id: &str, name: &str) -> Change {
    Change {
        id: id.into(),
        source: Source { provider: "aws-secrets-manager".to_owned(), account: "1".repeat(12), region: "r".to_owned() },
        name: ChangedName::One(name.into()),
        label: None,
        version: Some("v".into()),
        kind: ChangeKind::Updated,
        at: START,
    }
}

/// The first `count` Changes of a test.
pub fn changes(count: usize) -> Vec<Change> {
    (0..count).map(change).collect()
}

/// Their ids, in the order of the feed; the numbers rise strictly and none is after the head.
fn ids(feed: &Feed) -> Vec<String> {
    assert!(feed.changes.windows(2).all(|pair| pair[0].0 < pair[1].0), "the numbers of a feed rise: {feed:?}");
    assert!(feed.changes.iter().all(|(seq, _)| *seq <= feed.head.seq), "nothing is after the head: {feed:?}");
    feed.changes.iter().map(|(_, change)| change.id.to_string()).collect()
}

fn expected(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|nth| format!("id-{nth}")).collect()
}
