//! One connection of HTTP/2: many requests at once around a [`FrontDoor`], each with limits of its own.
//!
//! The sweeper sees the connection as one: it works while any request is whole, and each one that gets on, by a piece of
//! its answer too, is progress. What a single request may take is a timer of its own, which HTTP/1.1 does without.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lockstep_core::FrontDoor;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ListenerSettings;
use super::connection::{Session, panicked, refusal, to_its_end};
use super::watch::{Phase, Wish};

/// Bytes of a body that a caller may send before we take them.
const WINDOW: u32 = 64 << 10;
/// The same for all requests of a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// An answer is handed over in such pieces, so that it counts as under way until its client has taken nearly all of it.
const PIECE: usize = 16 << 10;

/// What the requests of one connection share.
struct Streams<D> {
    session: Session<D>,
    /// How many of its requests are at each [`Stage`].
    at: Mutex<[usize; 3]>,
    body_timeout: Duration,
    answer_timeout: Duration,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its body is coming: we wait for its caller.
    Coming = 0,
    /// It is whole: its caller waits for us.
    Whole = 1,
    /// Its answer is there, and is being taken.
    Answered = 2,
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
        at: Mutex::default(),
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
    to_its_end(&watch, connection, |connection| {
        connection.graceful_shutdown();
        true
    })
    .await;
}

/// A request that has begun, until its answer was taken or nobody waits for it.
struct Open<D> {
    streams: Arc<Streams<D>>,
    stage: Stage,
}

impl<D> Open<D> {
    fn new(streams: &Arc<Streams<D>>, stage: Stage) -> Self {
        streams.turn(None, Some(stage));
        Self { streams: Arc::clone(streams), stage }
    }

    fn enter(&mut self, stage: Stage) {
        self.streams.turn(Some(self.stage), Some(stage));
        self.stage = stage;
    }

    /// A connection over the cap goes away once it was told so.
    fn close(mut self, answer: Response<Bytes>) -> Response<Taken<D>> {
        if self.streams.session.peer.crowded {
            self.streams.session.watch.ask(Wish::Finish);
        }
        self.enter(Stage::Answered);
        answer.map(|left| Taken { left, open: self })
    }
}

impl<D> Drop for Open<D> {
    fn drop(&mut self) {
        self.streams.turn(Some(self.stage), None);
    }
}

impl<D> Streams<D> {
    /// A request goes from one stage to another. The sweeper sees the connection as one: it works while a request is whole,
    /// and waits for its client's reading rather than for the rest of a request.
    fn turn(&self, from: Option<Stage>, to: Option<Stage>) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(from) = from {
            at[from as usize] -= 1;
        }
        if let Some(to) = to {
            at[to as usize] += 1;
        }
        let is_any = |stage: Stage| at[stage as usize] > 0;
        self.session.watch.turn(if is_any(Stage::Whole) {
            Phase::Answer
        } else if is_any(Stage::Answered) {
            Phase::Write
        } else if is_any(Stage::Coming) {
            Phase::Body
        } else {
            Phase::Idle
        });
    }
}

/// An answer that is being taken.
struct Taken<D> {
    left: Bytes,
    open: Open<D>,
}

impl<D> Body for Taken<D> {
    type Data = Bytes;
    type Error = Infallible;

    /// Asked for once the client has room for more.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = PIECE.min(self.left.len());
        let piece = self.left.split_to(piece);
        self.open.enter(Stage::Answered);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// What hyper waits for.
type Reply<D> = Either<Ready<Answered<D>>, Pin<Box<dyn Future<Output = Answered<D>> + Send>>>;
type Answered<D> = Result<Response<Taken<D>>, Infallible>;

impl<D: FrontDoor> Streams<D> {
    fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply<D> {
        let (mut head, body) = request.into_parts();
        in_origin_form(&mut head);
        let open = Open::new(self, if body.is_end_stream() { Stage::Whole } else { Stage::Coming });
        match catch_unwind(AssertUnwindSafe(|| self.session.door.at_once(&self.session.peer, &head))) {
            Ok(Some(answer)) => Either::Left(ready(Ok(open.close(answer)))),
            Ok(None) => Either::Right(Box::pin(open.wait(head, body))),
            Err(_) => Either::Left(ready(Ok(open.close(panicked())))),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the limits of a request in HTTP/2 are timers of tokio's")]
    async fn answer(&self, open: &mut Open<D>, head: Parts, body: Incoming) -> Response<Bytes> {
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
        open.enter(Stage::Whole);
        let work = self.session.door.call(&self.session.peer, Request::from_parts(head, body));
        let unavailable = || refusal(StatusCode::SERVICE_UNAVAILABLE, "timeout");
        tokio::time::timeout(self.answer_timeout, work).await.unwrap_or_else(|_| unavailable())
    }
}

impl<D: FrontDoor> Open<D> {
    async fn wait(mut self, head: Parts, body: Incoming) -> Answered<D> {
        let streams = Arc::clone(&self.streams);
        let answer = {
            let mut work = pin!(streams.answer(&mut self, head, body));
            poll_fn(|cx| {
                catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| Poll::Ready(panicked()))
            })
            .await
        };
        Ok(self.close(answer))
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

#[cfg(test)]
mod tests {
    use super::super::bodies::Bodies;
    use super::super::watch::Watch;
    use super::*;

    /// Break: `enter` in `poll_frame` or in `close`, the order of stages in `turn`, or `drop` of [`Open`].
    #[test]
    fn l8_a_connection_waits_for_its_client_until_the_client_has_taken_its_answers() {
        let (peer, watch) = (lockstep_core::Peer::default(), Arc::new(Watch::new()));
        let bodies = Arc::new(Bodies::new(0, 0));
        let session = Session { door: Arc::new(()), peer, watch: Arc::clone(&watch), max_body_bytes: 0, bodies };
        let limit = Duration::from_secs(1);
        let at = Mutex::default();
        let streams = Arc::new(Streams { session, at, body_timeout: limit, answer_timeout: limit });
        let unended = Open::new(&streams, Stage::Coming);
        assert!(watch.is_in(Phase::Body));
        let asked = Open::new(&streams, Stage::Whole);
        assert!(watch.is_in(Phase::Answer));
        let answer = asked.close(Response::new(Bytes::from(vec![b'.'; 2 * PIECE + 1])));
        assert!(watch.is_in(Phase::Write));
        let (mut body, mut seen, mut sizes) = (answer.into_body(), vec![watch.state()], Vec::new());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(piece))) = Pin::new(&mut body).poll_frame(&mut cx) {
            sizes.push(piece.into_data().unwrap().len());
            assert!(watch.is_in(Phase::Write) && !seen.contains(&watch.state()), "each piece is progress");
            seen.push(watch.state());
        }
        assert!(sizes == [PIECE, PIECE, 1] && body.is_end_stream());
        drop(body);
        assert!(watch.is_in(Phase::Body));
        drop(unended);
        assert!(watch.is_in(Phase::Idle));
    }
}
