//! Requests as Vault wants them: headers, encoding of paths, limits, and the next node when one can't serve.

use std::sync::Arc;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, SecretValue, SendOnce, Transport};
use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use super::cluster::{Cluster, cannot_serve, is_of_node};
use super::index::{self, Index};
use crate::exchange::exchange;
use crate::form::UNRESERVED;

/// The largest answer in bytes. A KV entry is at most 1 MiB; a list of 10,000 keys stays below this.
const RESPONSE_BYTES: usize = 4 << 20;

/// The server, before any login.
pub(super) struct Http {
    pub(super) cluster: Cluster,
    pub(super) index: Index,
    pub(super) namespace: Option<HeaderValue>,
    pub(super) transport: Arc<dyn Transport>,
    /// Keys and items that an answer may have.
    pub(super) members: usize,
    /// Whether a node that is behind is asked to forward to the active one.
    pub(super) forward_stale: bool,
}

/// One request.
pub(super) struct Ask {
    method: Method,
    /// Begins after `/v1/` and is encoded.
    path: String,
    body: Bytes,
    /// Headers that say who asks. Their values are marked as sensitive.
    who: Vec<(HeaderName, HeaderValue)>,
    /// Once something of it was sent, it is sent to nobody again.
    once: bool,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new(), who: Vec::new(), once: false }
    }

    pub(super) fn post(path: impl Into<String>, body: Zeroizing<Vec<u8>>) -> Self {
        Self { method: Method::POST, body: Bytes::from_owner(body), ..Self::get(path) }
    }

    /// With a token.
    pub(super) fn with(mut self, token: &SecretValue) -> Result<Self> {
        let mut value = HeaderValue::from_bytes(token.expose()).map_err(|_| bad_token())?;
        value.set_sensitive(true);
        self.who.push((HeaderName::from_static("x-vault-token"), value));
        Ok(self)
    }

    /// With a login that stands in headers.
    pub(super) fn with_headers(mut self, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        self.who.extend(headers);
        self
    }

    /// What it does can't be done twice.
    pub(super) fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

impl Http {
    /// Sends one request and gives the answer back, whatever its status. A node that can't serve is left alone for a
    /// while and the next one is asked, each node at most once, all within the call's time.
    pub(super) async fn send(&self, call: &Call, ask: &Ask) -> Result<Response<Bytes>> {
        let order = self.cluster.order();
        let mut left = u32::try_from(order.len()).unwrap_or(1);
        let mut last = None;
        for node in order {
            if last.is_some() && call.remaining().is_zero() {
                break;
            }
            // A node that hangs leaves the others their share.
            let part = call.within(call.remaining() / if ask.once { 1 } else { left.max(1) });
            let sent = self.ask_node(&part, ask, node).await;
            let (failed, may_go_on) = match &sent {
                Ok(response) => (cannot_serve(response.status()), !ask.once),
                Err(error) => (is_of_node(error), !ask.once || error.is_unsent()),
            };
            self.cluster.judge(node, !failed);
            left -= 1;
            if !failed || !may_go_on || left == 0 {
                return sent;
            }
            last = Some(sent);
        }
        last.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "there is no node to ask")))
    }

    /// Asks one node; again, in what is left of the time, when it is behind and may forward.
    async fn ask_node(&self, call: &Call, ask: &Ask, node: usize) -> Result<Response<Bytes>> {
        let response = self.exchange(call, ask, node, false).await?;
        let is_behind = response.status() == StatusCode::PRECONDITION_FAILED;
        if is_behind && self.forward_stale && !ask.once {
            return self.exchange(call, ask, node, true).await;
        }
        Ok(response)
    }

    async fn exchange(&self, call: &Call, ask: &Ask, node: usize, forward: bool) -> Result<Response<Bytes>> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(self.cluster.node(node).uri(&format!("v1/{}", ask.path))?)
            // Without it, a Vault behind an agent with `require_request_header` refuses.
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        for (name, value) in &ask.who {
            request = request.header(name, value);
        }
        for known in self.index.known() {
            request = request.header(index::HEADER, known);
        }
        if forward {
            request = request.header("x-vault-inconsistent", "forward-active-node");
        }
        if ask.method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if ask.once {
            request = request.extension(SendOnce);
        }
        let request = request
            .body(ask.body.clone())
            .map_err(|_| Error::new(ErrorKind::Internal, "the request can't be built"))?;
        let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.members };
        let response = exchange(&*self.transport, call.traced(request), limits).await?;
        if response.status().is_success() {
            self.index.learn(response.headers());
        }
        Ok(response)
    }
}

fn bad_token() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the server gave a token that can't stand in a header")
}

/// A path, each segment encoded.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(|segment| utf8_percent_encode(segment, UNRESERVED).to_string()).collect::<Vec<_>>().join("/")
}

/// A JSON body that is wiped once it was sent. `room` is at least its length: a buffer that grows leaves its old block
/// behind.
pub(super) fn body(value: &impl serde::Serialize, room: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *bytes, value)
        .map_err(|_| Error::new(ErrorKind::Internal, "the request can't be written as JSON"))?;
    Ok(bytes)
}
