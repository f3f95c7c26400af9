//! [`Client`]: requests with a login, for the provider and for its watch. A login that is refused is dropped.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use lockstep_core::{Call, Error, ErrorKind, Limits, Operation, Result, Retry, StreamLimits};
use zeroize::Zeroizing;

use super::access::Access;
use super::lines::Lines;
use super::login::Login;
use super::status::error_of;
use crate::exchange::exchange;
use crate::login::{Loaded, LoginCache};
use crate::wiped::append;

/// The largest answer in bytes. A Secret is 1 MiB at most, 1.4 of them in base64; a page of metadata has annotations.
const RESPONSE_BYTES: usize = 16 << 20;
/// Bytes of a refusal that are read.
const REFUSAL_BYTES: usize = 64 << 10;
/// How long the head of a watch's answer may take.
const HEAD: Duration = Duration::from_secs(15);

pub(super) type LoggedIn = Loaded<Arc<Access>>;

/// A cluster, and who we are there.
pub(super) struct Client {
    pub(super) login: LoginCache<Login>,
    /// Keys and items that an answer may have.
    pub(super) members: usize,
}

impl Client {
    /// A login that is accepted, as far as the clock can tell.
    pub(super) async fn access(&self, call: &Call) -> Result<LoggedIn> {
        self.login.get(call).await.map_err(of_login)
    }

    /// Sends a request, and gives the answer if it is a success.
    pub(super) async fn send(
        &self,
        call: &Call,
        access: &LoggedIn,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>> {
        let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.members };
        let response = exchange(&*access.credential.transport, call.traced(request), limits).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(access, response.status(), response.headers(), response.body()))
    }

    /// Opens a watch.
    pub(super) async fn watch(
        &self,
        call: &Call,
        access: &LoggedIn,
        request: Request<Bytes>,
        idle: Duration,
    ) -> Result<Lines> {
        let limits = StreamLimits { head: HEAD.min(call.remaining()), idle };
        let (head, mut pieces) = access.credential.transport.stream(request, limits).await?.into_parts();
        if head.status == StatusCode::OK {
            return Ok(Lines::new(pieces));
        }
        let mut body: Zeroizing<Vec<u8>> = Zeroizing::default();
        let read = async {
            while let Some(piece) = pieces.next().await? {
                let room = REFUSAL_BYTES - body.len();
                append(&mut body, &piece[..piece.len().min(room)]);
                if body.len() == REFUSAL_BYTES {
                    break;
                }
            }
            Ok(())
        };
        // What is cut or late is no JSON, and the number of the status still tells: the login that a 401 drops, the
        // history that a 410 ends.
        let _ = call.bounded(read).await;
        Err(self.refused(access, head.status, &head.headers, &body))
    }

    fn refused(&self, access: &LoggedIn, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        let error = error_of(status, headers, body);
        if status != StatusCode::UNAUTHORIZED {
            return error;
        }
        // The kubelet, or somebody else, may have written another token long ago.
        self.login.refuse(access);
        error.retry(Retry::OnceWithFreshCredentials)
    }
}

/// What is not found while logging in is no secret: as an answer about one it would be remembered.
fn of_login(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let message = "something that the login needs is not there; look at `auth`";
    Error::new(ErrorKind::Unauthenticated, message).during(Operation::Login).because(error)
}
