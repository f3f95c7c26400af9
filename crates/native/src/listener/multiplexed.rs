//! One connection of HTTP/2: many requests at once around a [`FrontDoor`], each with limits of its own.
//!
//! The sweeper sees the connection as one: it works while any request is open, and each one that begins or ends is
//! progress. What a single request may take is a timer of its own, which HTTP/1.1 does without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lockstep_core::FrontDoor;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ListenerSettings;
use super::connection::{Answered, Reply, Session, panicked, refusal, to_its_end};
use super::watch::{Phase, Wish};

/// Bytes of a body that a caller may send before we take them.
const WINDOW: u32 = 64 << 10;
/// The same for all requests of a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What the requests of one connection share.
struct Streams<D> {
    session: Session<D>,
    open: AtomicUsize,
    /// Of those, the requests that are whole: their callers wait for us, and not we for them.
    whole: AtomicUsize,
    body_timeout: Duration,
    answer_timeout: Duration,
}

/// Serves a connection to its end.
pub(super) async fn run<D, S>(settings: &ListenerSettings, stream: S, session: Session<D>)
where
    D: FrontDoor,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let watch = Arc::clone(&session.watch);
    let streams = Arc::new(Streams {
        session,
        open: AtomicUsize::new(0),
        whole: AtomicUsize::new(0),
        body_timeout: settings.body_timeout,
        answer_timeout: settings.answer_timeout,
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.max_concurrent_streams(settings.max_streams)
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let service = service_fn(move |request| streams.respond(request));
    let connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    to_its_end(&watch, connection, http2::Connection::graceful_shutdown).await;
}

/// A request that has begun.
struct Open<D> {
    streams: Arc<Streams<D>>,
    is_whole: AtomicBool,
}

impl<D> Open<D> {
    fn new(streams: &Arc<Streams<D>>, is_whole: bool) -> Self {
        streams.open.fetch_add(1, Ordering::AcqRel);
        let open = Self { streams: Arc::clone(streams), is_whole: AtomicBool::new(false) };
        if is_whole {
            open.whole();
        } else {
            streams.turn();
        }
        open
    }

    /// All of it has come.
    fn whole(&self) {
        if !self.is_whole.swap(true, Ordering::AcqRel) {
            self.streams.whole.fetch_add(1, Ordering::AcqRel);
        }
        self.streams.turn();
    }
}

impl<D> Drop for Open<D> {
    fn drop(&mut self) {
        if *self.is_whole.get_mut() {
            self.streams.whole.fetch_sub(1, Ordering::AcqRel);
        }
        self.streams.open.fetch_sub(1, Ordering::AcqRel);
        self.streams.turn();
    }
}

impl<D> Streams<D> {
    /// What the sweeper sees: the connection works while one of its requests is whole.
    fn turn(&self) {
        let count = |all: &AtomicUsize| all.load(Ordering::Acquire);
        self.session.watch.turn(match (count(&self.open), count(&self.whole)) {
            (0, _) => Phase::Idle,
            (_, 0) => Phase::Body,
            _ => Phase::Answer,
        });
    }
}

impl<D: FrontDoor> Streams<D> {
    fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let (mut head, body) = request.into_parts();
        in_origin_form(&mut head);
        let open = Open::new(self, body.is_end_stream());
        match catch_unwind(AssertUnwindSafe(|| self.session.door.at_once(&self.session.peer, &head))) {
            Ok(Some(answer)) => Either::Left(std::future::ready(Ok(self.close(answer)))),
            Ok(None) => Either::Right(Box::pin(open.wait(head, body))),
            Err(_) => Either::Left(std::future::ready(Ok(self.close(panicked())))),
        }
    }

    /// A connection over the cap goes away once it was told so.
    fn close(&self, answer: Response<Bytes>) -> Response<Full<Bytes>> {
        if self.session.peer.crowded {
            self.session.watch.ask(Wish::Finish);
        }
        answer.map(Full::new)
    }

    #[expect(clippy::disallowed_methods, reason = "the limits of a request in HTTP/2 are timers of tokio's")]
    async fn answer(&self, open: &Open<D>, head: Parts, body: Incoming) -> Response<Bytes> {
        let too_late = || refusal(StatusCode::REQUEST_TIMEOUT, "timeout");
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            match tokio::time::timeout(self.body_timeout, self.session.read(body)).await {
                Ok(Ok(body)) => body,
                Ok(Err(answer)) => return answer,
                Err(_) => return too_late(),
            }
        };
        open.whole();
        let work = self.session.door.call(&self.session.peer, Request::from_parts(head, body));
        let unavailable = || refusal(StatusCode::SERVICE_UNAVAILABLE, "timeout");
        tokio::time::timeout(self.answer_timeout, work).await.unwrap_or_else(|_| unavailable())
    }
}

impl<D: FrontDoor> Open<D> {
    async fn wait(self, head: Parts, body: Incoming) -> Answered {
        let mut work = pin!(self.streams.answer(&self, head, body));
        let answer = std::future::poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| Poll::Ready(panicked()))
        })
        .await;
        Ok(self.streams.close(answer))
    }
}

/// As HTTP/1.1 says it: a path, and the host in its header. Who names two hosts keeps both, and is refused for it.
fn in_origin_form(head: &mut Parts) {
    if head.method == Method::CONNECT {
        return;
    }
    let Some(authority) = head.uri.authority().map(|authority| authority.as_str().to_owned()) else { return };
    let is_named = head.headers.get_all(HOST).iter().any(|host| host.as_bytes() == authority.as_bytes());
    if let (false, Ok(host)) = (is_named, HeaderValue::from_str(&authority)) {
        head.headers.append(HOST, host);
    }
    head.uri = head.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
}
