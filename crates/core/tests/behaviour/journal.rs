//! The journal in memory keeps the contract of journals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockstep_core::{Call, Change, Cursor, Journal, MemoryJournal};
use lockstep_testkit::journal::{JournalHarness, run};
use lockstep_testkit::{ManualClock, call};

/// Changes that a journal of this test keeps.
const KEEP: usize = 1000;

#[derive(Default)]
struct Memories {
    journals: Mutex<BTreeMap<String, (u64, Arc<MemoryJournal>)>>,
    saved: Mutex<BTreeMap<String, Vec<Change>>>,
}

impl Memories {
    fn current(&self, name: &str) -> (u64, Arc<MemoryJournal>) {
        let new = || (7, Arc::new(MemoryJournal::new(7, KEEP)));
        self.journals.lock().unwrap().entry(name.to_owned()).or_insert_with(new).clone()
    }

    async fn content(&self, name: &str) -> Vec<Change> {
        let feed = self.current(name).1.since(&self.call(), None, KEEP).await.unwrap();
        feed.changes.into_iter().map(|(_, change)| change).collect()
    }

    /// Another journal in its place, of this content.
    async fn replace(&self, name: &str, epoch: u64, keep: usize, content: &[Change]) {
        let journal = Arc::new(MemoryJournal::new(epoch, keep));
        journal.append(&self.call(), content).await.unwrap();
        self.journals.lock().unwrap().insert(name.to_owned(), (epoch, journal));
    }
}

#[async_trait]
impl JournalHarness for Memories {
    async fn open(&self, name: &str) -> Arc<dyn Journal> {
        self.current(name).1
    }

    fn call(&self) -> Call {
        call(&ManualClock::new())
    }

    async fn trim(&self, name: &str, keep: usize) {
        let content = self.content(name).await;
        self.replace(name, self.current(name).0, keep, &content).await;
    }

    async fn lose(&self, name: &str) {
        self.replace(name, self.current(name).0 + 1, KEEP, &[]).await;
    }

    async fn save(&self, name: &str) {
        let content = self.content(name).await;
        self.saved.lock().unwrap().insert(name.to_owned(), content);
    }

    async fn restore(&self, name: &str) {
        let saved = self.saved.lock().unwrap().remove(name).unwrap();
        self.replace(name, self.current(name).0, KEEP, &saved).await;
    }
}

/// Break: any line of `MemoryJournal::append` or `since`: the insert into `ids`, `trimmed_to = seq`, a condition of `gap`,
/// the limit.
#[tokio::test]
async fn the_journal_in_memory_keeps_the_contract() {
    let ran = run(&Memories::default()).await;
    assert_eq!(
        ran,
        [
            "empty",
            "order",
            "whole_changes",
            "paging",
            "first_contact",
            "idempotent",
            "a_batch",
            "answer_lost",
            "concurrent",
            "another_epoch",
            "head_behind",
            "trimmed",
            "lost",
            "restored",
        ]
    );
}

/// The head that an append answers holds for the whole batch: a batch longer than what is kept is trimmed, and that is a gap.
#[tokio::test]
async fn a_batch_longer_than_what_is_kept_is_a_gap() {
    let memories = Memories::default();
    let journal = MemoryJournal::new(1, 10);
    let head = journal.append(&memories.call(), &lockstep_testkit::journal::changes(12)).await.unwrap();
    assert_eq!(head, Cursor { epoch: 1, seq: 12 });
    assert!(journal.since(&memories.call(), Some(Cursor { epoch: 1, seq: 0 }), 100).await.unwrap().gap);
}
