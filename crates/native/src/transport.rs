//! [`HttpTransports`]: HTTP/1.1 out, over reqwest and rustls.
//!
//! One exchange at a time is bounded in time and bytes. There are no redirects (a 3xx is an answer), no cookies, no
//! proxies (`HTTPS_PROXY` is not looked at) and no decompression. Retries belong to the upstream stack; the one that
//! stands here only replaces a pooled connection that was dead before anybody could know.

mod failure;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use lockstep_core::{
    Clock, Env, Error, ErrorKind, Files, Limits, Result, TlsProfile, Transport, Transports, UnixMillis,
};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use self::failure::Failure;
use crate::tls;

/// How connections are opened and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportSettings {
    /// How long opening a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept, by the monotonic and by the wall clock.
    pub idle_timeout: Duration,
    /// How many unused connections are kept per host.
    pub idle_per_host: usize,
}

impl Default for TransportSettings {
    /// 3 s to connect; 4 unused connections per host for 15 s, which is less than any provider keeps them.
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(3), idle_timeout: Duration::from_secs(15), idle_per_host: 4 }
    }
}

/// Builds transports. Those with equal profiles share the TLS roots and sessions, and have their own connections.
pub struct HttpTransports {
    clock: Arc<dyn Clock>,
    files: Arc<dyn Files>,
    default_ca: Option<PathBuf>,
    settings: TransportSettings,
    profiles: Mutex<Vec<(TlsProfile, ClientConfig)>>,
}

impl HttpTransports {
    /// Transports with these settings. `SSL_CERT_FILE` replaces the built-in roots for profiles that name none.
    pub fn new(clock: Arc<dyn Clock>, files: Arc<dyn Files>, env: &dyn Env, settings: TransportSettings) -> Self {
        let default_ca = env.var("SSL_CERT_FILE").map(PathBuf::from);
        Self { clock, files, default_ca, settings, profiles: Mutex::default() }
    }

    fn tls(&self, profile: &TlsProfile) -> Result<ClientConfig> {
        let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = profiles.iter().find(|(known, _)| known == profile) {
            return Ok(config.clone());
        }
        let config = tls::client_config(&*self.files, profile, self.default_ca.as_deref())?;
        profiles.push((profile.clone(), config.clone()));
        Ok(config)
    }
}

impl Transports for HttpTransports {
    fn build(&self, profile: &TlsProfile) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(HttpTransport {
            pool: Pool::new(Arc::clone(&self.clock), self.settings.clone(), self.tls(profile)?)?,
        }))
    }
}

impl fmt::Debug for HttpTransports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransports").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// One provider's way out.
struct HttpTransport {
    pool: Pool,
}

#[async_trait]
impl Transport for HttpTransport {
    #[expect(clippy::disallowed_methods, reason = "core's bound works through a Call; this is below it")]
    async fn send(&self, request: http::Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>> {
        tokio::time::timeout(limits.time, self.exchange(request, limits.response_bytes)).await.unwrap_or_else(|_| {
            let limit = limits.time.as_millis();
            let message = format!(
                "no whole answer within {limit} ms; the request may have been sent. Raise the timeout or look at the provider"
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }
}

impl HttpTransport {
    /// Sends, and once more on a new connection when an old one turns out to be dead and sending twice does no harm.
    async fn exchange(&self, request: http::Request<Bytes>, most: usize) -> Result<http::Response<Bytes>> {
        let harmless = request.method().is_safe();
        let request = prepare(request)?;
        let again = if harmless { request.try_clone() } else { None };
        let line = self.pool.take()?;
        match line.client.execute(request).await {
            Ok(response) => return self.read(line, response, most).await,
            Err(error) => {
                let failure = Failure::of(&error);
                if !failure.connection_broke() {
                    return Err(failure.into_error());
                }
                // What else stands in this pool is as old as what just broke. Whoever tries again gets a new one.
                self.pool.retire(line.number)?;
                let Some(again) = again.filter(|_| line.used) else { return Err(failure.into_error()) };
                let line = self.pool.take()?;
                let response = line.client.execute(again).await.map_err(|error| Failure::of(&error).into_error())?;
                self.read(line, response, most).await
            }
        }
    }

    async fn read(&self, line: Line, mut response: reqwest::Response, most: usize) -> Result<http::Response<Bytes>> {
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        if answer.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let message = "the answer is compressed although that was not asked for; look at what stands in between";
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        let announced = response.content_length().unwrap_or(0);
        let announced = usize::try_from(announced).ok().filter(|len| *len <= most).ok_or_else(|| too_large(most))?;
        let mut body = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::of(&error).into_error())? {
            if chunk.len() > most - body.len() {
                return Err(too_large(most));
            }
            append(&mut body, &chunk);
        }
        *answer.body_mut() = Bytes::from(std::mem::take(&mut *body));
        self.pool.done(line.number);
        Ok(answer)
    }
}

/// Appends by hand: a vector that grows by itself leaves its old block, and a secret in it, behind.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * body.capacity())));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn too_large(most: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the answer is larger than {most} bytes"))
}

fn prepare(mut request: http::Request<Bytes>) -> Result<reqwest::Request> {
    request.headers_mut().entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    // The parser's error quotes the address, which may hold a name: it is left out.
    reqwest::Request::try_from(request).map_err(|_| {
        Error::new(ErrorKind::Config, "the provider's address is no http:// or https:// URL with a host; correct it")
    })
}

/// The connections, thrown away whole when they have become old by the wall clock: over a freeze the monotonic clock
/// may stand still, and the pool underneath would hand out what the other side closed long ago.
struct Pool {
    clock: Arc<dyn Clock>,
    settings: TransportSettings,
    tls: ClientConfig,
    state: Mutex<State>,
}

struct State {
    client: reqwest::Client,
    number: u64,
    /// Whether an exchange came to its end: from then on a connection may be an old one.
    used: bool,
    touched: UnixMillis,
}

/// A client of the pool, as one exchange sees it.
struct Line {
    client: reqwest::Client,
    number: u64,
    used: bool,
}

impl Pool {
    fn new(clock: Arc<dyn Clock>, settings: TransportSettings, tls: ClientConfig) -> Result<Self> {
        let client = client(&settings, &tls)?;
        let state = State { client, number: 0, used: false, touched: clock.wall() };
        Ok(Self { clock, settings, tls, state: Mutex::new(state) })
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self) -> Result<Line> {
        let now = self.clock.wall();
        self.locked(|state| {
            let old = now < state.touched || now.saturating_since(state.touched) >= self.settings.idle_timeout;
            if state.used && old {
                self.renew(state)?;
            }
            state.touched = now;
            Ok(Line { client: state.client.clone(), number: state.number, used: state.used })
        })
    }

    fn done(&self, number: u64) {
        let now = self.clock.wall();
        self.locked(|state| {
            if state.number == number {
                state.used = true;
                state.touched = now;
            }
        });
    }

    /// Throws the connections away, unless somebody has done it already.
    fn retire(&self, number: u64) -> Result<()> {
        self.locked(|state| if state.number == number { self.renew(state) } else { Ok(()) })
    }

    fn renew(&self, state: &mut State) -> Result<()> {
        state.client = client(&self.settings, &self.tls)?;
        state.number += 1;
        state.used = false;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds HTTP clients")]
fn client(settings: &TransportSettings, tls: &ClientConfig) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.idle_per_host)
        .tcp_nodelay(true)
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "can't set up the HTTP client").because(error))
}

#[cfg(test)]
#[path = "transport/tests.rs"]
mod tests;
