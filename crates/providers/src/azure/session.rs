//! [`Session`]: requests to one vault with a token of one identity, and what a 401 means.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response, StatusCode};
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, Retry, Timeline, Transport};

use super::address::Address;
use super::challenge::{Expected, Wanted};
use super::errors;
use super::login::Login;
use super::settings::{AzureSettings, Cloud};
use crate::Ports;
use crate::exchange::exchange;
use crate::login::LoginCache;
use crate::oauth::{AHEAD, bearer};

/// The largest answer in bytes. A value is at most 25 KB, a page at most 25 items of names, tags and times.
const RESPONSE_BYTES: usize = 1 << 20;

/// One vault and one identity.
pub(super) struct Session {
    pub(super) vault: Address,
    cloud: Cloud,
    /// Whether the vault need not be one of the cloud's: it is this machine, or the operator says so.
    any_host: bool,
    login: LoginCache<Login>,
    transport: Arc<dyn Transport>,
    /// Keys and items that an answer may have.
    members: usize,
}

impl Session {
    pub(super) fn new(settings: &AzureSettings, ports: Ports, timeline: Arc<Timeline>) -> Result<Self> {
        let vault = Address::parse(&settings.address, "address", settings.insecure)?;
        let any_host = settings.insecure || vault.is_loopback();
        if !any_host && !settings.cloud.has(vault.host()) {
            let message = match Cloud::of_host(vault.host()) {
                Some(cloud) => format!("the vault is of another cloud; write `cloud = \"{}\"`", cloud.word()),
                None => format!(
                    "`address` is no vault of the cloud, and would get tokens for all of them; write \
                     `https://NAME.{}`, or add `insecure = true` if that is what you want",
                    settings.cloud.vaults()
                ),
            };
            return Err(Error::new(ErrorKind::Config, message));
        }
        let transport = ports.transport.clone();
        let login = LoginCache::new(Login::new(settings, ports)?, AHEAD, timeline);
        Ok(Self { vault, cloud: settings.cloud, any_host, login, transport, members: settings.members })
    }

    /// A success, or the error that it is. `path_and_query` is encoded.
    pub(super) async fn read(&self, call: &Call, path_and_query: &str) -> Result<Response<Bytes>> {
        let mut has_claims = false;
        loop {
            let token = self.login.get(call).await?;
            let request = Request::get(self.vault.uri(path_and_query)?)
                .header(ACCEPT, "application/json")
                .header(AUTHORIZATION, bearer(&token.credential)?)
                .body(Bytes::new())
                .map_err(|_| Error::new(ErrorKind::Internal, "the request can't be built"))?;
            let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.members };
            let response = exchange(&*self.transport, call.traced(request), limits).await?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                StatusCode::UNAUTHORIZED => {}
                _ => return Err(errors::of(&response)),
            }
            let wanted = self.expected().read(response.headers())?;
            match wanted {
                // One login more, at most: a vault that wants claims for ever gets no third token.
                Wanted::Claims(claims) if !has_claims => {
                    has_claims = true;
                    self.login.refuse_then(&token, |login| login.claim(claims));
                }
                Wanted::Claims(_) => {
                    self.login.refuse(&token);
                    let message = "the vault refuses tokens with the very claims that it wants; look at the conditional \
                                   access of the identity";
                    return Err(Error::new(ErrorKind::Unauthenticated, message).upstream("insufficient_claims", 401));
                }
                Wanted::Fresh => {
                    self.login.refuse(&token);
                    return Err(errors::of(&response).retry(Retry::OnceWithFreshCredentials));
                }
            }
        }
    }

    fn expected(&self) -> Expected<'_> {
        let login = self.login.source();
        Expected {
            vault: &self.vault,
            authority: login.authority(),
            tenant: login.tenant(),
            resource: self.cloud.vaults(),
            any_host: self.any_host,
        }
    }
}
