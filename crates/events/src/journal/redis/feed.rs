//! What the replies of Redis say of the journal. Who else can write there can write anything, so all of it is checked.

use lockstep_core::{Change, Cursor, Result};
use sha2::{Digest as _, Sha256};

use super::resp::Reply;
use crate::journal::stored::{EPOCH_BITS, epoch_of, malformed, read};

/// The longest name of a life, and of a server's.
const MAX_NAME: usize = 128;

/// How far the journal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) trimmed_to: u64,
}

impl Head {
    pub(super) fn cursor(self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.seq }
    }
}

/// The head of this moment; `None` when there is no journal.
pub(super) fn head_of(info: &Reply, head: &Reply) -> Result<Option<Head>> {
    match head.list() {
        Some([Reply::Nil, ..]) => Ok(None),
        Some([base, seq, trimmed_to]) => match (seq.number(), trimmed_to.number()) {
            // Lua counts exactly up to 53 bits.
            (Some(seq), Some(trimmed_to)) if trimmed_to <= seq && seq < 1 << EPOCH_BITS => {
                Ok(Some(Head { epoch: epoch(info, base)?, seq, trimmed_to }))
            }
            _ => Err(malformed("a head without its numbers")),
        },
        _ => Err(malformed("something else than a head")),
    }
}

/// What an append has answered.
pub(super) fn appended(info: &Reply, taken: &Reply) -> Result<Cursor> {
    match taken.list() {
        Some([base, seq]) => {
            let seq = seq.number().ok_or_else(|| malformed("a head without its numbers"))?;
            Ok(Cursor { epoch: epoch(info, base)?, seq })
        }
        _ => Err(malformed("something else than a head")),
    }
}

/// The epoch of this life of the journal on this run of the server, never 0.
fn epoch(info: &Reply, base: &Reply) -> Result<u64> {
    let run = info.text().and_then(|text| text.lines().find_map(|line| line.strip_prefix("run_id:"))).map(str::trim);
    let run = run.filter(|run| (1..=MAX_NAME).contains(&run.len()));
    let run = run.ok_or_else(|| malformed("a server that does not say its run_id, so a restart can't be told"))?;
    let base = base.text().filter(|base| (1..=MAX_NAME).contains(&base.len()));
    let base = base.ok_or_else(|| malformed("a head without the name of its life"))?;
    let digest = Sha256::new().chain_update(base).chain_update([0]).chain_update(run).finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    Ok(epoch_of(bytes))
}

/// The entries after a cursor, as many as asked for; `None` when one of them is not there.
pub(super) fn range_of(found: &Reply, head: &Head, after: u64, limit: usize) -> Result<Option<Vec<(u64, Change)>>> {
    let due = head.seq.saturating_sub(after).min(limit as u64);
    let mut changes = Vec::new();
    for (entry, seq) in entries(found)?.iter().zip(after + 1..).take(usize::try_from(due).unwrap_or(usize::MAX)) {
        if number_of(entry) != Some(seq) {
            return Ok(None);
        }
        changes.push((seq, change_of(entry)?));
    }
    Ok((changes.len() as u64 == due).then_some(changes))
}

/// The newest entries, from the last on back as far as none is missing; oldest first.
pub(super) fn newest_of(found: &Reply, head: &Head, limit: usize) -> Result<Vec<(u64, Change)>> {
    let mut changes = Vec::new();
    for (entry, seq) in entries(found)?.iter().zip((head.trimmed_to + 1..=head.seq).rev()).take(limit) {
        if number_of(entry) != Some(seq) {
            break;
        }
        changes.push((seq, change_of(entry)?));
    }
    changes.reverse();
    Ok(changes)
}

fn entries(found: &Reply) -> Result<&[Reply]> {
    found.list().ok_or_else(|| malformed("something else than a stream of entries"))
}

/// The number of an entry, whose id is `NUMBER-0`.
fn number_of(entry: &Reply) -> Option<u64> {
    entry.list()?.first()?.text()?.strip_suffix("-0")?.parse().ok()
}

fn change_of(entry: &Reply) -> Result<Change> {
    let fields = entry.list().and_then(|parts| parts.get(1)?.list());
    match fields {
        Some([name, change]) if name.text() == Some("change") => {
            read(change.text().ok_or_else(|| malformed("an entry that is no text"))?)
        }
        _ => Err(malformed("an entry of another shape")),
    }
}
