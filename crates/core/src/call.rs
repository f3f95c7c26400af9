//! [`Call`]: what travels with every call, from the front door to the provider.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::{Clock, Cursor, Error, ErrorKind, Hops, RequestId, Result, Secret};

/// A boxed future that runs on its own.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The port for work that goes on after the answer. On Workers it belongs to the request (`waitUntil`), so it travels
/// with the call.
pub trait Spawn: Send + Sync {
    /// Runs the task in the background.
    fn spawn(&self, task: Task);
}

/// The W3C trace context that a caller sent, or that the front door made: `00-<trace>-<span>-<flags>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceParent(pub Option<Box<str>>);

/// What travels with every call.
#[derive(Clone)]
pub struct Call {
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Spawn>,
    deadline: Duration,
    request_id: RequestId,
    /// The trace that the call belongs to.
    pub trace: TraceParent,
    /// Begins the spans below that; none when the trace is not taken.
    #[cfg(feature = "spans")]
    pub(crate) traced: Option<crate::span::Traced>,
    /// The cursor that a cache further on must have applied before it answers from what it holds.
    pub min_cursor: Option<Cursor>,
    /// The endpoints that it has come through.
    pub hops: Hops,
    /// Whether caches further on are left out too.
    pub skip_caches: bool,
    /// What the caller holds of the secret already: a provider that is told "unchanged" answers it again.
    pub held: Option<Arc<Secret>>,
}

impl Call {
    /// A call that may take this long from now.
    pub fn new(clock: Arc<dyn Clock>, spawn: Arc<dyn Spawn>, request_id: impl Into<RequestId>, time: Duration) -> Self {
        let deadline = clock.monotonic().saturating_add(time);
        Self {
            clock,
            spawn,
            deadline,
            request_id: request_id.into(),
            trace: TraceParent::default(),
            #[cfg(feature = "spans")]
            traced: None,
            min_cursor: None,
            hops: Hops::default(),
            skip_caches: false,
            held: None,
        }
    }

    /// The same call with at most this much time left.
    pub fn within(&self, time: Duration) -> Self {
        let deadline = self.deadline.min(self.clock.monotonic().saturating_add(time));
        Self { deadline, ..self.clone() }
    }

    /// A call of its own for background work: the same trace and id, its own time.
    pub fn detached(&self, time: Duration) -> Self {
        Self { deadline: self.clock.monotonic().saturating_add(time), ..self.clone() }
    }

    /// The same call, which caches further on are left out of when this one is.
    pub(crate) fn skipping_caches(&self, skipped: bool) -> Self {
        Self { skip_caches: self.skip_caches || skipped, ..self.clone() }
    }

    /// The same call of somebody who holds this already.
    pub(crate) fn holding(&self, held: Option<Arc<Secret>>) -> Self {
        Self { held, ..self.clone() }
    }

    /// Time left, by the monotonic clock.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.monotonic())
    }

    /// The id that stands in logs, audit records and problem documents.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The clock, for waiting.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Runs a task in the background.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn.spawn(Box::pin(task));
    }

    /// Runs a future until the deadline; past it, [`ErrorKind::Timeout`].
    pub fn bounded<'a, T: Send + 'a>(
        &'a self,
        future: impl Future<Output = Result<T>> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        self.raced(Box::pin(future))
    }

    /// Compiled for each kind of answer, not for each way to it.
    async fn raced<T>(&self, mut work: Pin<Box<dyn Future<Output = Result<T>> + Send + '_>>) -> Result<T> {
        let mut end = self.clock.sleep(self.remaining());
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => end.as_mut().poll(cx).map(|()| Err(late())),
            done @ Poll::Ready(_) => done,
        })
        .await
    }

    /// [`ErrorKind::Timeout`] past the deadline: what can't end in time is not begun.
    pub fn ensure_time(&self) -> Result<()> {
        if self.remaining().is_zero() { Err(late()) } else { Ok(()) }
    }

    /// Whether it is the end of this call's own time that a result tells of. To who has more time it says nothing.
    pub(crate) fn cut_short<T>(&self, result: &Result<T>) -> bool {
        result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout) && self.remaining().is_zero()
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "the answer did not come in time; raise the timeout or look at the provider")
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("request_id", &self.request_id)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
