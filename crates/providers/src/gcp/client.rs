//! [`Client`]: one request with a token, and what a refusal of either means.

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, Retry, Transport};

use super::hosts::Hosts;
use super::login::Login;
use super::status::{TABLE, error_of};
use crate::body::Body;
use crate::exchange::exchange;
use crate::login::LoginCache;
use crate::oauth::bearer;

/// The largest answer in bytes: a page of secrets with all their labels and annotations. A value is 64 KiB at most.
const RESPONSE_BYTES: usize = 4 << 20;

/// Secret Manager, with a login.
pub(super) struct Client {
    pub(super) hosts: Arc<Hosts>,
    pub(super) login: LoginCache<Login>,
    pub(super) transport: Arc<dyn Transport>,
    /// Keys and items that an answer may have.
    pub(super) members: usize,
}

impl Client {
    /// Gets what stands at this path, which is encoded already.
    ///
    /// # Errors
    /// As [`TABLE`] says. A token that is not accepted is dropped before the error says so.
    pub(super) async fn get(&self, call: &Call, path: &str) -> Result<Body> {
        let loaded = self.login.get(call).await?;
        let request = Request::get(self.hosts.api(path)?)
            .header(AUTHORIZATION, bearer(&loaded.credential)?)
            .body(Bytes::new())
            .map_err(|_| Error::new(ErrorKind::Internal, "the request can't be built"))?;
        let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.members };
        let response = exchange(&*self.transport, call.traced(request), limits).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Body::new(response.into_body()));
        }
        let error = error_of(TABLE, status, response.headers(), response.body());
        if status == StatusCode::UNAUTHORIZED {
            self.login.refuse(&loaded);
            return Err(error.retry(Retry::OnceWithFreshCredentials));
        }
        Err(error)
    }
}
