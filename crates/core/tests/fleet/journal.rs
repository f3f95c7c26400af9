//! The one journal of the fleet, and how one instance reaches it. Its store is the shipped `MemoryJournal`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Feed, Journal, MemoryJournal, Result};

use crate::engine::{Engine, SECOND};
use crate::run::Switch;

/// How many Changes it keeps: who slept for longer meets a gap.
const KEEP: usize = 16;

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    life: Mutex<(u64, Arc<MemoryJournal>)>,
    pub(crate) out: AtomicBool,
    /// When the last outage ended.
    pub(crate) back: AtomicU64,
    pub(crate) reads: AtomicU64,
}

impl Shared {
    pub(crate) fn new(engine: Arc<Engine>) -> Arc<Self> {
        let life = Mutex::new((1, Arc::new(MemoryJournal::new(1, KEEP))));
        Arc::new(Self { engine, life, out: AtomicBool::new(false), back: AtomicU64::new(0), reads: AtomicU64::new(0) })
    }
    /// Whether it was out at some time since then.
    pub(crate) fn was_out_since(&self, then: u64) -> bool {
        self.out.load(Ordering::Relaxed) || self.back.load(Ordering::Relaxed) > then
    }
    pub(crate) fn life(&self) -> (u64, Arc<MemoryJournal>) {
        self.life.lock().unwrap().clone()
    }
    /// Another life: the numbers begin again, and what it held is copied.
    pub(crate) async fn restart(&self, call: &Call) {
        let (epoch, old) = self.life();
        let feed = old.since(call, None, KEEP).await.unwrap();
        let changes: Vec<_> = feed.changes.into_iter().map(|(_, change)| change).collect();
        let new = Arc::new(MemoryJournal::new(epoch + 1, KEEP));
        new.append(call, &changes).await.unwrap();
        *self.life.lock().unwrap() = (epoch + 1, new);
    }
}

/// The journal as one instance reaches it, with at most one rule taken away.
pub(crate) struct Reached {
    pub(crate) shared: Arc<Shared>,
    pub(crate) off: Option<Switch>,
    /// How far answers have come that may never have arrived.
    pub(crate) moved: Mutex<Option<Cursor>>,
    /// Whether the last reading has arrived.
    pub(crate) answered: Arc<AtomicBool>,
}

#[async_trait]
impl Journal for Reached {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        self.shared.life().1.append(call, changes).await
    }
    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        let engine = &self.shared.engine;
        self.answered.store(false, Ordering::Relaxed);
        self.shared.reads.fetch_add(1, Ordering::Relaxed);
        engine.pause(500 + engine.below(10_000)).await;
        if self.shared.out.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "the journal is out"));
        }
        let (epoch, life) = self.shared.life();
        let mut from = cursor;
        if self.off == Some(Switch::CursorAfterApply) && cursor.is_some() {
            from = from.max(*self.moved.lock().unwrap());
        }
        if self.off == Some(Switch::Epoch)
            && let Some(other) = from.filter(|cursor| cursor.epoch != epoch)
        {
            let head = life.since(call, None, 1).await?.head;
            from = Some(Cursor { epoch, seq: other.seq.min(head.seq) });
        }
        let mut feed = life.since(call, from, limit).await?;
        match self.off {
            // The numbers before what is kept are taken for read.
            Some(Switch::Gap) => feed.gap = false,
            Some(Switch::FirstContact) if cursor.is_none() => feed.changes.clear(),
            _ => {}
        }
        *self.moved.lock().unwrap() = Some(feed.head);
        // The way back: now and then longer than a check may take.
        let back = if engine.below(30) == 0 { SECOND } else { 10_000 };
        engine.pause(engine.below(back)).await;
        self.answered.store(true, Ordering::Relaxed);
        Ok(feed)
    }
}
