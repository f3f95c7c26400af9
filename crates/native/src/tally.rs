//! [`Tally`]: how many of something are under way, and the moment when none is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicUsize,
    none: Notify,
}

/// One that is under way. It ends with its task, also when that panics or is dropped with the runtime.
#[derive(Debug)]
pub(crate) struct Count(Arc<Inner>);

impl Drop for Count {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

impl Tally {
    /// One more, until the count is dropped.
    pub(crate) fn enter(&self) -> Count {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Count(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Waits until there is none.
    pub(crate) async fn none(&self) {
        loop {
            let mut none = std::pin::pin!(self.0.none.notified());
            none.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }
}
