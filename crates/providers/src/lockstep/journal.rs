//! [`LockstepJournal`]: the feed of another endpoint's journal, read with the requests of its provider.
//!
//! What that endpoint hides from us moves the cursor all the same: pages are asked for until there are as many changes as
//! were wanted, or the head is reached.

use std::fmt::{self, Write as _};

use async_trait::async_trait;
use http::Method;
use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Feed, Journal, Operation, Result};
use serde::Deserialize;

use super::provider::LockstepProvider;
use crate::body::unexpected;

/// Changes of one request, which every endpoint answers.
const PAGE: usize = 1000;
/// Requests of one read at most: whoever is shown little of a long feed goes on with the next check.
const MAX_PAGES: usize = 64;

#[derive(Deserialize)]
struct Page {
    changes: Vec<Numbered>,
    cursor: String,
    head: String,
    gap: bool,
    more: bool,
    age_ms: u64,
}

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
    change: Change,
}

/// The journal of another endpoint. It is read alone: a change is told to that endpoint by who saw it.
pub struct LockstepJournal(LockstepProvider);

impl LockstepJournal {
    /// The journal behind this endpoint.
    pub fn new(endpoint: LockstepProvider) -> Self {
        Self(endpoint)
    }

    async fn page(&self, call: &Call, after: Option<Cursor>, limit: usize) -> Result<(Feed, Cursor)> {
        let limit = limit.clamp(1, PAGE);
        let mut path = format!("api/v1/changes?limit={limit}");
        if let Some(Cursor { epoch, seq }) = after {
            let _ = write!(path, "&after={epoch}.{seq}");
        }
        let page: Page = self.0.ask(call, Method::GET, &path).await?.json()?;
        let (head, reached) = (cursor(&page.head)?, cursor(&page.cursor)?);
        let rises = page.changes.windows(2).all(|pair| pair[0].seq < pair[1].seq);
        let fits = page.changes.last().is_none_or(|last| last.seq <= reached.seq) && page.changes.len() <= limit;
        if !rises || !fits || reached.epoch != head.epoch || reached.seq > head.seq {
            return Err(unexpected("is no feed of changes"));
        }
        let known = |mut change: Change| {
            // Digests under a key of the process that read the file: here nothing has such a version, and would be waited for.
            if change.source.provider == "file" {
                change.version = None;
            }
            change
        };
        let changes = page.changes.into_iter().map(|numbered| (numbered.seq, known(numbered.change))).collect();
        let head_age = std::time::Duration::from_millis(page.age_ms);
        Ok((Feed { changes, head, gap: page.gap, cut: page.more, head_age }, reached))
    }
}

fn cursor(text: &str) -> Result<Cursor> {
    let read = text
        .split_once('.')
        .and_then(|(epoch, seq)| Some(Cursor { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? }));
    read.ok_or_else(|| unexpected("has a cursor that is none"))
}

impl fmt::Debug for LockstepJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockstepJournal").field(&self.0).finish()
    }
}

#[async_trait]
impl Journal for LockstepJournal {
    async fn append(&self, _: &Call, _: &[Change]) -> Result<Cursor> {
        let message = "the journal of another endpoint is only read; give this process the journal itself to tell it of \
                       changes";
        Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Journal))
    }

    async fn since(&self, call: &Call, after: Option<Cursor>, limit: usize) -> Result<Feed> {
        let (mut feed, mut reached) = self.page(call, after, limit).await?;
        // Without a cursor, or after a gap, an answer is the newest there is: older ones can't be asked for.
        if after.is_none() || feed.gap {
            return Ok(feed);
        }
        for _ in 1..MAX_PAGES {
            if reached == feed.head || feed.changes.len() >= limit {
                break;
            }
            let (next, further) = self.page(call, Some(reached), limit - feed.changes.len()).await?;
            if next.gap {
                return Ok(next);
            }
            if further <= reached {
                return Err(unexpected("leads nowhere: its cursor stays where it was"));
            }
            feed.changes.extend(next.changes);
            (feed.head, reached) = (next.head, further);
        }
        feed.cut = feed.changes.len() >= limit;
        if !feed.cut && reached != feed.head {
            let message = "the endpoint shows too little of a long feed to come to its end; ask more often, or give this \
                           process the right to see `changes`";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(feed)
    }
}
