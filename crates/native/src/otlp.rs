//! [`OtlpExporter`]: spans to a collector, by OTLP over HTTP in Protobuf, in batches, from a bounded queue.
//!
//! A request never waits for it: a span goes into the queue, or is dropped and counted when that is full. There is no
//! thread and no HTTP client of its own: it sends over the transport that it is given, on the runtime of whoever polls
//! [`OtlpExporter::run`]. What is sent again and what is not is as OTLP 1.x says (opentelemetry-proto,
//! `docs/specification.md`, "OTLP/HTTP Response").

mod wire;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use lockstep_core::{Clock, Error, ErrorKind, Limits, Random, Result, Span, SpanCounts, SpanSink, Transport, fraction};
use tokio::sync::Notify;

/// Spans of one batch.
const BATCH_SPANS: usize = 512;
/// How long a batch that is not full waits for more.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// The pause after the first attempt that failed; each one after it doubles, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The answer says no more than how many spans were refused.
const ANSWER_BYTES: usize = 64 << 10;

/// Reads the headers that the collector wants, anew for each batch: a token in a file is replaced from time to time.
pub type OtlpHeaders = Box<dyn Fn() -> Result<HeaderMap> + Send + Sync>;

/// What an [`OtlpExporter`] is made of.
pub struct OtlpParts {
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// For pauses.
    pub clock: Arc<dyn Clock>,
    /// For jitter.
    pub random: Arc<dyn Random>,
    /// Where batches are posted to: the whole address, with `/v1/traces`.
    pub address: Uri,
    /// The headers that the collector wants.
    pub headers: OtlpHeaders,
    /// Whose spans these are: the attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// How many spans wait, those under way included.
    pub queue: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// Sends spans to a collector.
pub struct OtlpExporter {
    parts: OtlpParts,
    queue: Mutex<VecDeque<Span>>,
    filled: Notify,
    full: AtomicBool,
    /// What the log was told last.
    told: AtomicU8,
    exported: AtomicU64,
    dropped: AtomicU64,
    rejected: AtomicU64,
}

/// How a collector takes spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Takes,
    TakesSome,
    Refuses,
    Fails,
}

/// What became of an attempt.
enum Attempted {
    /// The collector has the batch, but for this many spans that it refused.
    Taken(u64),
    /// It will not take this batch, ever.
    Refused(Error),
    /// It may take it after this pause.
    Again(Error, Duration),
}

impl OtlpExporter {
    /// An exporter with nothing to send. [`OtlpExporter::run`] does the sending.
    pub fn new(parts: OtlpParts) -> Self {
        Self {
            parts,
            queue: Mutex::default(),
            filled: Notify::new(),
            full: AtomicBool::new(false),
            told: AtomicU8::new(Mood::Takes as u8),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// Sends what comes, for as long as it is polled. Nothing is lost when it is dropped.
    pub async fn run(&self) {
        loop {
            while self.waiting() == 0 {
                self.filled.notified().await;
            }
            if self.waiting() < BATCH_SPANS {
                self.parts.clock.sleep(BATCH_WAIT).await;
            }
            self.send_all().await;
        }
    }

    /// Sends what is there, for this long at most. Says how many spans are left; they wait for the next time.
    pub async fn send(&self, limit: Duration) -> usize {
        if self.waiting() > 0 {
            futures_util::select_biased! {
                () = self.send_all().boxed().fuse() => {}
                () = self.parts.clock.sleep(limit).fuse() => {}
            }
        }
        self.waiting()
    }

    /// The same when there is no next time. What is left is dropped, and counted.
    pub async fn flush(&self, limit: Duration) {
        let left = self.send(limit).await;
        if left > 0 {
            self.queue().clear();
            add(&self.dropped, left);
            tracing::warn!(spans = left, "spans were not taken in time and are dropped");
        }
    }

    /// Spans that wait.
    pub fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// Sends until nothing waits.
    async fn send_all(&self) {
        let mut pause = FIRST_PAUSE;
        while let Some((count, body)) = self.batch() {
            match self.attempt(body).await {
                Attempted::Taken(refused) => {
                    let refused = usize::try_from(refused).unwrap_or(usize::MAX).min(count);
                    add(&self.exported, count - refused);
                    add(&self.rejected, refused);
                    let mood = if refused > 0 { Mood::TakesSome } else { Mood::Takes };
                    self.tell(mood, None);
                    self.remove(count);
                    pause = FIRST_PAUSE;
                }
                Attempted::Refused(error) => {
                    add(&self.rejected, count);
                    self.tell(Mood::Refuses, Some(&error));
                    self.remove(count);
                    pause = FIRST_PAUSE;
                }
                Attempted::Again(error, asked) => {
                    self.tell(Mood::Fails, Some(&error));
                    let jittered = pause.mul_f64(0.5 + fraction(&*self.parts.random) / 2.0);
                    self.parts.clock.sleep(jittered.max(asked.min(LONGEST_PAUSE))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The oldest spans, written. They stay in the queue until it is known what became of them.
    fn batch(&self) -> Option<(usize, Bytes)> {
        let queue = self.queue();
        let count = queue.len().min(BATCH_SPANS);
        (count > 0).then(|| (count, wire::request(&self.parts.resource, queue.iter().take(count))))
    }

    async fn attempt(&self, body: Bytes) -> Attempted {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.parts.address);
        match (self.parts.headers)() {
            Ok(headers) => *request.headers_mut() = headers,
            // A file that is being replaced is there again in a moment.
            Err(error) => return Attempted::Again(error, Duration::ZERO),
        }
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("lockstep/", env!("CARGO_PKG_VERSION"))));
        let limits = Limits { time: self.parts.timeout, response_bytes: ANSWER_BYTES, members: 0 };
        let response = match self.parts.transport.send(request, limits).await {
            Ok(response) => response,
            // It answered, and may have taken the batch: sent again, every span would be there twice.
            Err(error) if matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Malformed) => {
                return Attempted::Refused(error);
            }
            Err(error) => return Attempted::Again(error, Duration::ZERO),
        };
        let status = response.status();
        if status.is_success() {
            return Attempted::Taken(wire::refused(response.body()));
        }
        let message = format!("the collector answered {}; look at its log", status.as_u16());
        let error = Error::new(ErrorKind::Unavailable, message);
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Attempted::Again(error, retry_after(&response)),
            _ => Attempted::Refused(error),
        }
    }

    /// Tells the log, once per change.
    fn tell(&self, mood: Mood, error: Option<&Error>) {
        if self.told.swap(mood as u8, Ordering::Relaxed) == mood as u8 {
            return;
        }
        let error = error.map(tracing::field::display);
        match mood {
            Mood::Takes => tracing::info!("the collector takes spans again"),
            Mood::TakesSome => tracing::warn!("the collector refuses some spans; its own log says why"),
            Mood::Refuses => tracing::warn!(error, "the collector refuses spans; they are dropped"),
            Mood::Fails => tracing::warn!(error, "spans were not taken; they are sent again until they are"),
        }
    }

    fn remove(&self, count: usize) {
        let mut queue = self.queue();
        let count = count.min(queue.len());
        queue.drain(..count);
        drop(queue);
        if self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(dropped = self.dropped.load(Ordering::Relaxed), "the queue of spans has room again");
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanSink for OtlpExporter {
    fn take(&self, span: Span) {
        let mut queue = self.queue();
        if queue.len() >= self.parts.queue {
            drop(queue);
            add(&self.dropped, 1);
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!("the queue of spans is full; they are dropped until it has room");
            }
            return;
        }
        queue.push_back(span);
        drop(queue);
        self.filled.notify_one();
    }

    fn counts(&self) -> SpanCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SpanCounts {
            exported: read(&self.exported),
            dropped: read(&self.dropped),
            rejected: read(&self.rejected),
            waiting: u64::try_from(self.waiting()).unwrap_or(u64::MAX),
        }
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// The pause that the collector asks for, in seconds; a date is not looked at.
fn retry_after(response: &Response<Bytes>) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "otlp/tests.rs"]
mod tests;
