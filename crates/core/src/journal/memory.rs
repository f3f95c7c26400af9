//! The journal of one process. It ends with it, so its epoch comes from the outside.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::{Change, Cursor, Feed, Journal};
use crate::{Call, Result};

/// A journal that one process keeps for itself.
#[derive(Debug)]
pub struct MemoryJournal {
    epoch: u64,
    keep: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    head: u64,
    trimmed_to: u64,
    entries: VecDeque<(u64, Change)>,
    ids: HashSet<Box<str>>,
}

impl MemoryJournal {
    /// An empty journal that keeps the newest `keep` Changes. The epoch should differ from every earlier one's: the
    /// time of the start, say.
    pub fn new(epoch: u64, keep: usize) -> Self {
        Self { epoch, keep: keep.max(1), state: Mutex::default() }
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, _call: &Call, changes: &[Change]) -> Result<Cursor> {
        Ok(self.locked(|state| {
            for change in changes {
                if state.ids.insert(change.id.clone()) {
                    state.head += 1;
                    state.entries.push_back((state.head, change.clone()));
                }
            }
            while state.entries.len() > self.keep {
                if let Some((seq, dropped)) = state.entries.pop_front() {
                    state.trimmed_to = seq;
                    state.ids.remove(&dropped.id);
                }
            }
            Cursor { epoch: self.epoch, seq: state.head }
        }))
    }

    async fn since(&self, _call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        Ok(self.locked(|state| {
            let head = Cursor { epoch: self.epoch, seq: state.head };
            let gap = cursor.is_some_and(|c| c.epoch != self.epoch || c.seq > state.head || c.seq < state.trimmed_to);
            let after = match cursor {
                Some(cursor) if !gap => cursor.seq,
                _ => state.head.saturating_sub(limit as u64),
            };
            let changes: Vec<_> = state.entries.iter().filter(|(seq, _)| *seq > after).take(limit).cloned().collect();
            let cut = changes.len() >= limit;
            Feed { changes, head, gap, cut, head_age: Duration::ZERO }
        }))
    }
}
