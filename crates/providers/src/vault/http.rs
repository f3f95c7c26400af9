//! Requests as Vault wants them: headers, encoding of paths, limits.

use std::sync::Arc;

use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{Method, Request, Response};
use bytes::Bytes;
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, SecretValue, Transport};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::settings::Address;
use crate::exchange::exchange;

/// The largest answer in bytes. A KV entry is at most 1 MiB; a list of 10,000 keys stays below this.
const RESPONSE_BYTES: usize = 4 << 20;

/// What is encoded in one segment of a path: everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The server, before any login.
pub(super) struct Http {
    pub(super) address: Address,
    pub(super) namespace: Option<HeaderValue>,
    pub(super) transport: Arc<dyn Transport>,
    /// Keys and items that an answer may have.
    pub(super) members: usize,
}

impl Http {
    /// Sends one request and gives the answer back, whatever its status. `path` begins after `/v1/` and is encoded.
    pub(super) async fn send(
        &self,
        call: &Call,
        method: Method,
        path: &str,
        token: Option<&SecretValue>,
        body: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Response<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.address.uri(path)?)
            // Without it, a Vault behind an agent with `require_request_header` refuses.
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_bytes(token.expose()).map_err(|_| bad_token())?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, Bytes::from_owner);
        let request = request.body(body).map_err(|_| Error::new(ErrorKind::Internal, "the request can't be built"))?;
        let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.members };
        exchange(&*self.transport, request, limits).await
    }
}

fn bad_token() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the server gave a token that can't stand in a header")
}

/// A path, each segment encoded.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect::<Vec<_>>().join("/")
}

/// A JSON body that is wiped once it was sent.
pub(super) fn body(value: &impl serde::Serialize) -> Result<Zeroizing<Vec<u8>>> {
    // Enough for every body of ours: a buffer that grows leaves its old block behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(128 << 10));
    serde_json::to_writer(&mut *bytes, value)
        .map_err(|_| Error::new(ErrorKind::Internal, "the request can't be written as JSON"))?;
    Ok(bytes)
}
