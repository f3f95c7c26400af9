//! [`AuditDelivery`]: audit records that are sent to another system over HTTP, in batches, from a bounded queue.
//!
//! Who records an access never waits for the network: the record goes into the queue, or is refused or lost when that is
//! full, as the limits say. A batch is sent until it is taken, with the same id and the same bytes each time, so that who
//! takes it can tell what it has already. No answer is believed but a 2xx, and no redirect is followed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use event_listener::{Event, listener};
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, Uri};
use lockstep_core::{
    AuditRecord, AuditSink, Chain, ChainKey, ChainPlace, ChainWriter, Clock, Error, ErrorKind, Limits, Random, Result,
    SecretValue, Transport, WhenFull, fraction, lost_line,
};

/// The header that names a batch: `<chain>:<first seq>-<last seq>`.
pub const BATCH_HEADER: &str = "lockstep-audit-batch";

/// The pause after the first attempt that failed; each one after it doubles, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Nobody reads the answer's body.
const ANSWER_BYTES: usize = 64 << 10;

/// Reads the bearer token, anew for each batch.
pub type DeliveryToken = Box<dyn Fn() -> Result<SecretValue> + Send + Sync>;

/// What a delivery may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryLimits {
    /// Records that wait, those under way included.
    pub queue: usize,
    /// What is done when there are so many.
    pub when_full: WhenFull,
    /// Records of one batch.
    pub batch_records: usize,
    /// Bytes of one batch; a record that is longer goes alone.
    pub batch_bytes: usize,
    /// How long a batch that is not full waits for more.
    pub batch_wait: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// What an [`AuditDelivery`] is made of.
pub struct DeliveryParts {
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// For pauses and times.
    pub clock: Arc<dyn Clock>,
    /// For the name of the chain, and for jitter.
    pub random: Arc<dyn Random>,
    /// Where batches are posted to.
    pub address: Uri,
    /// The bearer token, if one is asked for.
    pub token: Option<DeliveryToken>,
    /// Whether lines are chained.
    pub chain: bool,
    /// The key of the chain.
    pub key: Option<Arc<ChainKey>>,
    /// Who writes the chain.
    pub writer: ChainWriter,
    /// What it may take.
    pub limits: DeliveryLimits,
}

/// Sends audit records to another system.
pub struct AuditDelivery {
    parts: DeliveryParts,
    /// Names batches; the id of the chain, where there is one.
    id: Box<str>,
    queue: Mutex<Queue>,
    /// Something came into the queue.
    filled: Event,
    full: AtomicBool,
    lost: AtomicU64,
    /// The last attempt failed, and the log was told.
    failing: AtomicBool,
}

struct Queue {
    lines: VecDeque<Line>,
    chain: Chain,
    /// Lines that were made, where there is no chain.
    made: u64,
    /// Lines of the batch that is being sent. It stays the same until it is taken.
    cut: usize,
    /// Accesses whose records are lost and not yet told of in a line.
    untold: u64,
}

struct Line {
    text: String,
    seq: u64,
}

impl AuditDelivery {
    /// A delivery with nothing to send. [`AuditDelivery::run`] does the sending.
    pub fn new(parts: DeliveryParts) -> Self {
        let mut id = [0; 8];
        parts.random.fill(&mut id);
        let chain = Chain::new(id, parts.key.clone());
        Self {
            id: chain.id().into(),
            queue: Mutex::new(Queue { lines: VecDeque::new(), chain, made: 0, cut: 0, untold: 0 }),
            filled: Event::new(),
            full: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            parts,
        }
    }

    /// Sends what comes, for as long as it is polled. Nothing is lost when it is dropped.
    pub async fn run(&self) {
        loop {
            self.until_filled().await;
            if self.waiting() < self.parts.limits.batch_records {
                self.parts.clock.sleep(self.parts.limits.batch_wait).await;
            }
            self.send_all().await;
        }
    }

    /// Sends what is there, for this long at most. Says how many records are left; they wait for the next time.
    pub async fn send(&self, limit: Duration) -> usize {
        futures_util::select_biased! {
            () = self.send_all().boxed().fuse() => {}
            () = self.parts.clock.sleep(limit).fuse() => {}
        }
        self.waiting()
    }

    /// The same when there is no next time. Says how many records are lost.
    pub async fn flush(&self, limit: Duration) -> usize {
        let left = self.send(limit).await;
        if left > 0 {
            tracing::error!(records = left, "audit records were not taken in time and are lost");
        }
        left
    }

    /// Records that wait.
    pub fn waiting(&self) -> usize {
        self.queue().lines.len()
    }

    async fn until_filled(&self) {
        loop {
            listener!(self.filled => filled);
            if self.waiting() > 0 {
                return;
            }
            filled.await;
        }
    }

    /// Sends until nothing waits.
    async fn send_all(&self) {
        let mut pause = FIRST_PAUSE;
        while let Some((count, request)) = self.next() {
            match self.attempt(request).await {
                Ok(()) => {
                    self.taken(count);
                    pause = FIRST_PAUSE;
                }
                Err((error, asked)) => {
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "audit records were not taken; they are sent again until they are");
                    }
                    let jittered = pause.mul_f64(0.5 + fraction(&*self.parts.random) / 2.0);
                    self.parts.clock.sleep(jittered.max(asked.min(LONGEST_PAUSE))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The batch that is due: the one that was not taken yet, or the next.
    fn next(&self) -> Option<(usize, Request<Bytes>)> {
        let mut queue = self.queue();
        if queue.cut == 0 {
            let limits = self.parts.limits;
            let mut bytes = 0;
            let fits = |line: &&Line| {
                bytes += line.text.len() + 1;
                bytes <= limits.batch_bytes
            };
            queue.cut = queue.lines.iter().take(limits.batch_records).take_while(fits).count();
            queue.cut = queue.cut.max(1).min(queue.lines.len());
        }
        let cut = queue.cut;
        let (first, last) = (queue.lines.front()?.seq, queue.lines.get(cut.checked_sub(1)?)?.seq);
        let mut body = String::new();
        for line in queue.lines.iter().take(cut) {
            body.push_str(&line.text);
            body.push('\n');
        }
        drop(queue);
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.parts.address);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        headers.insert(BATCH_HEADER, HeaderValue::from_str(&format!("{}:{first}-{last}", self.id)).ok()?);
        Some((cut, request))
    }

    /// Sends a batch once. An error comes with the pause that was asked for.
    async fn attempt(&self, mut request: Request<Bytes>) -> Result<(), (Error, Duration)> {
        let at_once = |error| (error, Duration::ZERO);
        if let Some(read) = &self.parts.token {
            let token = read().map_err(at_once)?;
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat())
                .map_err(|_| at_once(Error::new(ErrorKind::Unauthenticated, "the audit's token can't be sent")))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let limits = Limits { time: self.parts.limits.timeout, response_bytes: ANSWER_BYTES, members: 0 };
        let response = self.parts.transport.send(request, limits).await.map_err(at_once)?;
        if response.status().is_success() {
            return Ok(());
        }
        let message = format!("the receiver of the audit answered {}; look at its log", response.status().as_u16());
        Err((Error::new(ErrorKind::Unavailable, message), retry_after(&response)))
    }

    fn taken(&self, count: usize) {
        let mut queue = self.queue();
        queue.lines.drain(..count);
        queue.cut = 0;
        drop(queue);
        if self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(lost = self.lost(), "the audit's queue has room again");
        }
        self.failing.store(false, Ordering::Relaxed);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditSink for AuditDelivery {
    fn write(&self, record: &AuditRecord) -> Result<()> {
        let limits = self.parts.limits;
        let mut queue = self.queue();
        if queue.lines.len() >= limits.queue {
            let first = !self.full.swap(true, Ordering::Relaxed);
            if limits.when_full == WhenFull::Block {
                if first {
                    tracing::error!("the audit's queue is full; nothing is released until it has room");
                }
                let message = "the audit's queue is full, so nothing is released; look at the log of this endpoint";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            if first {
                tracing::error!("the audit's queue is full; records are lost until it has room");
            }
            queue.untold += record.count.max(1);
            self.lost.fetch_add(record.count.max(1), Ordering::Relaxed);
            return Ok(());
        }
        queue.push(record, &self.parts);
        drop(queue);
        self.filled.notify(usize::MAX);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.parts.limits.when_full == WhenFull::Drop || self.waiting() < self.parts.limits.queue
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Queue {
    fn push(&mut self, record: &AuditRecord, parts: &DeliveryParts) {
        let now = parts.clock.wall();
        if parts.chain && self.chain.lines() == 0 {
            let start = self.chain.start(now, &parts.writer, &ChainPlace::default(), None);
            self.chain.take(&start);
            self.lines.push_back(Line { text: start.text, seq: start.seq });
        }
        if self.untold > 0 {
            let lost = lost_line(now, std::mem::take(&mut self.untold));
            self.add(lost, parts.chain);
        }
        self.add(record.to_json(), parts.chain);
    }

    fn add(&mut self, json: String, is_chained: bool) {
        let line = if is_chained {
            let line = self.chain.record(&json);
            self.chain.take(&line);
            Line { text: line.text, seq: line.seq }
        } else {
            self.made += 1;
            Line { text: json, seq: self.made - 1 }
        };
        self.lines.push_back(line);
    }
}

/// The pause that the receiver asks for, in seconds; a date is not looked at.
fn retry_after(response: &Response<Bytes>) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

impl fmt::Debug for AuditDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditDelivery")
            .field("waiting", &self.waiting())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "delivery/tests.rs"]
mod tests;
