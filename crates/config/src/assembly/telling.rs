//! Telling a journal that may be away: a change that was seen and not told would be missed by every instance.

use std::time::Duration;

use lockstep_core::{Alias, Call, Change, Cursor, Journal, Result};

/// The pause after the first try that failed; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The type of the provider whose versions mean something to this process alone: digests under a key of its own.
const FILE: &str = "file";

/// Tells the journal of what was seen; when it is `shared`, others read it too.
///
/// # Errors
/// As [`insist`].
pub(super) async fn tell(
    journal: &dyn Journal,
    call: &impl Fn() -> Call,
    alias: &Alias,
    changes: Vec<Change>,
    shared: bool,
) -> Result<Cursor> {
    let changes = if shared { for_others(changes) } else { changes };
    insist(journal, call, alias, &changes).await
}

/// What others may be told: a version that they can't know would have them wait for it.
fn for_others(mut changes: Vec<Change>) -> Vec<Change> {
    for change in changes.iter_mut().filter(|change| change.source.provider == FILE) {
        change.version = None;
    }
    changes
}

/// Appends until the journal has taken it, or says that it never will. Ids make sure that nothing is there twice.
///
/// # Errors
/// What the journal says of the changes themselves; being away, or refusing us for now, is none.
async fn insist(journal: &dyn Journal, call: &impl Fn() -> Call, alias: &Alias, changes: &[Change]) -> Result<Cursor> {
    let mut pause = FIRST_PAUSE;
    loop {
        let call = call();
        match journal.append(&call, changes).await {
            // What is too long for the journal, or what it can't do at all, does not get better by waiting.
            Err(error) if error.is_transient() || is_of_the_operator(&error) => {
                tracing::warn!(provider = %alias, %error, "the journal does not take changes; they are told again");
                call.clock().sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Whether an operator can put it right while this process runs: a login, a right, a table.
fn is_of_the_operator(error: &lockstep_core::Error) -> bool {
    use lockstep_core::ErrorKind::{Config, Denied, Unauthenticated};
    matches!(error.kind(), Config | Denied | Unauthenticated)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use lockstep_core::{Error, ErrorKind, Feed, MemoryJournal};
    use lockstep_testkit::journal::changes;
    use lockstep_testkit::{ManualClock, call};

    use super::*;

    /// Takes nothing the first few times.
    struct Away {
        inner: MemoryJournal,
        left: AtomicUsize,
        with: ErrorKind,
    }

    #[async_trait]
    impl Journal for Away {
        async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(Error::new(self.with, "away"));
            }
            self.inner.append(call, changes).await
        }
        async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
            self.inner.since(call, cursor, limit).await
        }
    }

    /// Break: give up after the first failure, or double the pause for ever.
    #[tokio::test]
    async fn what_was_seen_is_told_until_the_journal_takes_it_and_what_it_can_never_take_is_not() {
        for (with, expected) in [
            (ErrorKind::Network, Ok(2)),
            (ErrorKind::Denied, Ok(2)),
            (ErrorKind::Config, Ok(2)),
            (ErrorKind::TooLarge, Err(ErrorKind::TooLarge)),
            (ErrorKind::Unsupported, Err(ErrorKind::Unsupported)),
        ] {
            let journal = Away { inner: MemoryJournal::new(1, 10), left: AtomicUsize::new(9), with };
            let clock = ManualClock::new();
            let (alias, making) = (Alias::parse("a").unwrap(), Arc::clone(&clock));
            let changes = changes(2);
            let make = move || call(&making);
            let telling = insist(&journal, &make, &alias, &changes);
            let moving = async {
                loop {
                    tokio::task::yield_now().await;
                    clock.advance(LONGEST_PAUSE);
                }
            };
            let told = tokio::select! {
                told = telling => told,
                () = moving => unreachable!(),
            };
            assert_eq!(told.map(|cursor| cursor.seq).map_err(|error| error.kind()), expected, "{with:?}");
        }
    }
}
