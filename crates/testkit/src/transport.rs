//! [`FakeTransport`]: the HTTP port with scripted answers, which remembers what was sent.
//!
//! For wire formats and error mapping. What only a socket can do wrong (cuts, stalls, lies about lengths) is in
//! [`fake`](crate::fake).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{
    ByteStream, Error, ErrorKind, Limits, Pieces, Result, StreamLimits, TlsProfile, Transport, Transports,
};
use tokio::sync::watch;

use crate::host::locked;

/// What a [`FakeTransport`] does with one request.
pub enum Reply {
    /// Answers.
    Answer(Response<Bytes>),
    /// Fails like this.
    Fail(Error),
    /// Never answers.
    Hang,
    /// Does the other thing once the gate is open.
    Behind(Gate, Box<Reply>),
    /// Answers in pieces to who reads it so.
    Pieces(Response<Vec<Piece>>),
}

/// One step of a streamed body. After the last one the body ends.
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// Fails like this.
    Fail(Error),
    /// Nothing more, and no end either.
    Hang,
    /// Goes on once the gate is open.
    Wait(Gate),
}

impl Piece {
    /// These bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Reply {
    /// An answer with this status and body.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_else(|_| panic!("status {status}"));
        Self::Answer(response)
    }

    /// An answer of 200 whose body comes in these pieces.
    pub fn pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self::Pieces(Response::new(pieces.into_iter().collect()))
    }

    /// An answer with this status and a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// The same answer with one more header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer(response) = &mut self {
            let value = value.parse().unwrap_or_else(|_| panic!("header value {value:?}"));
            response.headers_mut().append(name, value);
        }
        self
    }

    /// The same thing, done once the gate is open.
    pub fn behind(self, gate: &Gate) -> Self {
        Self::Behind(gate.clone(), Box::new(self))
    }
}

/// Holds answers back until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    /// Lets everyone through, from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is open.
    pub async fn passed(&self) {
        // The sender lives as long as the gate, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

type Script = Box<dyn FnMut(&Request<Bytes>) -> Reply + Send>;

/// An HTTP port that answers from a script.
pub struct FakeTransport {
    script: Mutex<Script>,
    requests: Mutex<Vec<Request<Bytes>>>,
    arrived: tokio::sync::Notify,
}

impl FakeTransport {
    /// Answers in this order. One request more than there are answers fails the test.
    pub fn in_order(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        let mut replies: VecDeque<_> = replies.into_iter().collect();
        Self::by(move |request| {
            let nothing = || panic!("nothing was scripted for {} {}", request.method(), request.uri());
            replies.pop_front().unwrap_or_else(nothing)
        })
    }

    /// Answers each request as the function says.
    pub fn by(script: impl FnMut(&Request<Bytes>) -> Reply + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            requests: Mutex::default(),
            arrived: tokio::sync::Notify::new(),
        })
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        locked(&self.requests).clone()
    }

    /// How many requests so far.
    pub fn count(&self) -> usize {
        locked(&self.requests).len()
    }

    /// Each request so far as `METHOD /path?query`.
    pub fn lines(&self) -> Vec<String> {
        let line = |request: &Request<Bytes>| {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            format!("{} {target}", request.method())
        };
        locked(&self.requests).iter().map(line).collect()
    }

    /// Waits until at least this many requests have arrived.
    pub async fn until_sent(&self, count: usize) {
        loop {
            let arrived = self.arrived.notified();
            if self.count() >= count {
                return;
            }
            arrived.await;
        }
    }
}

impl FakeTransport {
    /// What the script says of a request, once every gate before it is open.
    async fn reply(&self, request: Request<Bytes>) -> Reply {
        let mut reply = {
            let reply = (locked(&self.script))(&request);
            locked(&self.requests).push(request);
            self.arrived.notify_waiters();
            reply
        };
        loop {
            match reply {
                Reply::Behind(gate, then) => {
                    gate.passed().await;
                    reply = *then;
                }
                Reply::Hang => std::future::pending().await,
                reply => return reply,
            }
        }
    }
}

#[async_trait]
impl Transport for FakeTransport {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        match self.reply(request).await {
            Reply::Answer(response) if response.body().len() > limits.response_bytes => {
                let message = format!("the answer is larger than {} bytes", limits.response_bytes);
                Err(Error::new(ErrorKind::TooLarge, message))
            }
            Reply::Answer(response) => Ok(response),
            Reply::Fail(error) => Err(error),
            Reply::Pieces(_) => panic!("an answer in pieces was asked for whole"),
            Reply::Hang | Reply::Behind(..) => unreachable!("`reply` has waited for it"),
        }
    }

    async fn stream(&self, request: Request<Bytes>, _: StreamLimits) -> Result<Response<Pieces>> {
        match self.reply(request).await {
            Reply::Answer(response) => Ok(response.map(|body| {
                let whole = (!body.is_empty()).then_some(Piece::Bytes(body));
                Box::new(Scripted(whole.into_iter().collect())) as Pieces
            })),
            Reply::Pieces(response) => Ok(response.map(|pieces| Box::new(Scripted(pieces.into())) as Pieces)),
            Reply::Fail(error) => Err(error),
            Reply::Hang | Reply::Behind(..) => unreachable!("`reply` has waited for it"),
        }
    }
}

/// A streamed body from a script.
struct Scripted(VecDeque<Piece>);

#[async_trait]
impl ByteStream for Scripted {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            // Whoever drops this while it waits finds the step again.
            match self.0.front() {
                Some(Piece::Hang) => std::future::pending().await,
                Some(Piece::Wait(gate)) => gate.clone().passed().await,
                _ => {}
            }
            return match self.0.pop_front() {
                None => Ok(None),
                Some(Piece::Bytes(bytes)) => Ok(Some(bytes)),
                Some(Piece::Fail(error)) => Err(error),
                Some(Piece::Wait(_) | Piece::Hang) => continue,
            };
        }
    }
}

/// Hands out one transport, whatever the TLS profile.
pub struct OneTransport(pub Arc<dyn Transport>);

impl Transports for OneTransport {
    fn build(&self, _profile: &TlsProfile) -> Result<Arc<dyn Transport>> {
        Ok(self.0.clone())
    }
}
