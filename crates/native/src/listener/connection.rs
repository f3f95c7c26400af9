//! One connection: hyper's HTTP/1 around a [`FrontDoor`], with the caps of one request.
//!
//! No task or timer is made per request, and a request that can be answered at once makes no future either.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::future::Either;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lockstep_core::{FrontDoor, Peer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::bodies::Bodies;
use super::watch::{Phase, Watch, Watched, Wish};

/// hyper's parser with our limits; one for all connections.
pub(super) fn protocol(max_header_bytes: usize) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The head must fit into hyper's buffer, and the buffer has a least size. The timeout is the sweeper's.
    http.max_header_size(max_header_bytes).max_buf_size(max_header_bytes.max(8 << 10)).header_read_timeout(None);
    http
}

/// What the requests of one connection share.
pub(super) struct Session<D> {
    pub(super) door: Arc<D>,
    pub(super) peer: Peer,
    pub(super) watch: Arc<Watch>,
    pub(super) max_body_bytes: usize,
    pub(super) bodies: Arc<Bodies>,
}

/// Waits for what comes before the first request; `None` when the sweeper was sooner. The end of the listener waits too.
pub(super) async fn unless_ended<T>(watch: &Watch, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        watch.register(cx);
        if watch.wish() == Wish::End { Poll::Ready(None) } else { work.as_mut().poll(cx).map(Some) }
    })
    .await
}

/// Serves a connection to its end. A failing client is not an error of ours: there is nothing to report.
pub(super) async fn run<D, S>(http: &http1::Builder, stream: S, session: Session<D>)
where
    D: FrontDoor,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let watch = Arc::clone(&session.watch);
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&watch)));
    let session = Arc::new(session);
    let service = service_fn(move |request| session.respond(request));
    let connection = pin!(http.serve_connection(io, service));
    to_its_end(&watch, connection, |connection| {
        // hyper would close it at once, and what was asked on it already would find nobody.
        let is_asked = !watch.is_in(Phase::Open);
        if is_asked {
            connection.graceful_shutdown();
        }
        is_asked
    })
    .await;
}

/// Polls a connection until it ends, or until it is wished away. `finish` has it end after what is under way, and says
/// whether it does.
pub(super) async fn to_its_end<C: Future>(
    watch: &Watch,
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>) -> bool,
) {
    let mut finishing = false;
    poll_fn(|cx| {
        watch.register(cx);
        loop {
            match watch.wish() {
                Wish::End => return Poll::Ready(()),
                Wish::Finish if !finishing => finishing = finish(connection.as_mut()),
                Wish::Finish | Wish::GoOn => {}
            }
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // What was read just now may be what `finish` has waited for.
            if finishing || watch.wish() != Wish::Finish || !finish(connection.as_mut()) {
                return Poll::Pending;
            }
            finishing = true;
        }
    })
    .await;
}

/// What hyper waits for: an answer that is there, or the work that leads to one.
type Reply = Either<Ready<Answered>, Pin<Box<dyn Future<Output = Answered> + Send>>>;
type Answered = Result<Response<Full<Bytes>>, Infallible>;

impl<D: FrontDoor> Session<D> {
    fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        self.watch.enter(Phase::Answer);
        if !body.is_end_stream() {
            self.watch.set_unread(true);
        }
        // A panic ends here, at the border of its request. What it was about to say is not passed on.
        match catch_unwind(AssertUnwindSafe(|| self.door.at_once(&self.peer, &head))) {
            Ok(Some(answer)) => Either::Left(ready(Ok(self.close(answer)))),
            Ok(None) => Either::Right(Box::pin(Arc::clone(self).wait(head, body))),
            Err(_) => Either::Left(ready(Ok(self.close(panicked())))),
        }
    }

    async fn wait(self: Arc<Self>, head: Parts, body: Incoming) -> Answered {
        let mut work = pin!(self.answer(head, body));
        let answer = poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| Poll::Ready(panicked()))
        })
        .await;
        Ok(self.close(answer))
    }

    /// The last word on an answer: whether the connection goes on after it.
    fn close(&self, mut answer: Response<Bytes>) -> Response<Full<Bytes>> {
        if self.peer.crowded || self.watch.is_unread() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.watch.enter(Phase::Write);
        answer.map(Full::new)
    }

    async fn answer(&self, head: Parts, body: Incoming) -> Response<Bytes> {
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            self.watch.enter(Phase::Body);
            match self.read(body).await {
                Ok(body) => body,
                Err(answer) => return answer,
            }
        };
        self.watch.enter(Phase::Answer);
        self.door.call(&self.peer, Request::from_parts(head, body)).await
    }

    /// The whole body, or the answer that refuses it.
    pub(super) async fn read(&self, mut body: Incoming) -> Result<Bytes, Response<Bytes>> {
        let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
        if body.size_hint().lower() > self.max_body_bytes as u64 {
            return Err(too_large());
        }
        let (mut whole, mut begun) = (BytesMut::new(), self.bodies.begin(self.peer.address.as_deref()));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| refusal(StatusCode::BAD_REQUEST, "malformed"))?;
            // Trailers carry nothing for us.
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > self.max_body_bytes - whole.len() {
                return Err(too_large());
            }
            if !begun.grow(data.len()) {
                return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
            }
            whole.extend_from_slice(&data);
        }
        self.watch.set_unread(false);
        Ok(whole.freeze())
    }
}

pub(super) fn panicked() -> Response<Bytes> {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal")
}

/// An answer that the listener gives by itself: a problem document without any detail.
pub(super) fn refusal(status: StatusCode, code: &str) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{code}"}}"#, status.as_u16());
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}
