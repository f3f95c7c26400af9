//! [`HttpTransports`]: HTTP/1.1 out, over hyper and rustls.
//!
//! One exchange at a time is bounded in time and bytes; a streamed one by how long it may say nothing. There are no redirects (a 3xx is an answer), no cookies, no
//! proxies (`HTTPS_PROXY` is not looked at) and no decompression. Retries belong to the upstream stack; the one that
//! stands here only replaces a pooled connection that was dead before anybody could know.

pub(crate) mod connect;
pub(crate) mod failure;
mod pool;
mod stream;
pub(crate) mod target;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use lockstep_core::{
    Clock, Env, Error, ErrorKind, Files, Limits, Pem, Pieces, Result, SendOnce, StreamLimits, TlsProfile, Transport,
    Transports,
};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use self::connect::Sender;
use self::failure::Failure;
use self::pool::Pool;
use self::target::Target;
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
    profiles: Mutex<Vec<(TlsProfile, Arc<ClientConfig>)>>,
}

impl HttpTransports {
    /// Transports with these settings. `SSL_CERT_FILE` replaces the built-in roots for profiles that name none.
    pub fn new(clock: Arc<dyn Clock>, files: Arc<dyn Files>, env: &dyn Env, settings: TransportSettings) -> Self {
        let default_ca = env.var("SSL_CERT_FILE").map(PathBuf::from);
        Self { clock, files, default_ca, settings, profiles: Mutex::default() }
    }

    /// How long opening a connection may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.settings.connect_timeout
    }

    pub(crate) fn tls(&self, profile: &TlsProfile) -> Result<Arc<ClientConfig>> {
        let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = profiles.iter().find(|(known, _)| known == profile) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(tls::client_config(&*self.files, profile, self.default_ca.as_deref())?);
        // What is brought as bytes is replaced from time to time, by a login: kept here, it would pile up.
        if !holds_bytes(profile) {
            profiles.push((profile.clone(), Arc::clone(&config)));
        }
        Ok(config)
    }
}

fn holds_bytes(profile: &TlsProfile) -> bool {
    let (cert, key) = profile.client.as_ref().map_or((None, None), |(cert, key)| (Some(cert), Some(key)));
    [profile.ca.as_ref(), cert, key].into_iter().flatten().any(|pem| matches!(pem, Pem::Bytes(_)))
}

impl Transports for HttpTransports {
    fn build(&self, profile: &TlsProfile) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(HttpTransport {
            tls: Some(self.tls(profile)?),
            connect_timeout: self.settings.connect_timeout,
            pool: Pool::new(Arc::clone(&self.clock), &self.settings),
        }))
    }
}

impl fmt::Debug for HttpTransports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransports").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// HTTP without TLS, to what stands on this very machine, such as Lambda's own APIs.
///
/// Each exchange has a connection of its own: there is no pool that a freeze could leave dead.
pub fn local_transport(clock: Arc<dyn Clock>) -> Arc<dyn Transport> {
    let settings = TransportSettings { idle_per_host: 0, ..TransportSettings::default() };
    let pool = Pool::new(clock, &settings);
    Arc::new(HttpTransport { tls: None, connect_timeout: settings.connect_timeout, pool })
}

/// One provider's way out.
struct HttpTransport {
    tls: Option<Arc<ClientConfig>>,
    connect_timeout: Duration,
    pool: Pool,
}

#[async_trait]
impl Transport for HttpTransport {
    #[expect(clippy::disallowed_methods, reason = "core's bound works through a Call; this is below it")]
    async fn send(&self, request: http::Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>> {
        if limits.time == Duration::MAX {
            // Without a limit there is no timer: one would be set anew at every wait of the process.
            return self.exchange(request, limits.response_bytes).await;
        }
        tokio::time::timeout(limits.time, self.exchange(request, limits.response_bytes)).await.unwrap_or_else(|_| {
            let limit = limits.time.as_millis();
            let message = format!(
                "no whole answer within {limit} ms; the request may have been sent. Raise the timeout or look at the provider"
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    #[expect(clippy::disallowed_methods, reason = "core's bound works through a Call; this is below it")]
    async fn stream(&self, request: http::Request<Bytes>, limits: StreamLimits) -> Result<http::Response<Pieces>> {
        let begun = tokio::time::timeout(limits.head, self.begin(request)).await;
        let (target, sender, response) = begun.unwrap_or_else(|_| {
            let limit = limits.head.as_millis();
            let message =
                format!("no answer began within {limit} ms; the request may have been sent. Look at the provider");
            Err(Error::new(ErrorKind::Timeout, message))
        })?;
        let (head, incoming) = uncompressed(response)?.into_parts();
        let pieces = stream::HttpPieces { target, _sender: sender, incoming, idle: limits.idle };
        Ok(http::Response::from_parts(head, Box::new(pieces)))
    }
}

impl HttpTransport {
    async fn exchange(&self, request: http::Request<Bytes>, most: usize) -> Result<http::Response<Bytes>> {
        let (target, sender, response) = self.begin(request).await?;
        self.read(target, sender, response, most).await
    }

    /// Sends, and once more on a new connection when an old one turns out to be dead and sending twice does no harm.
    /// The answer's body is still to be read.
    async fn begin(&self, request: http::Request<Bytes>) -> Result<(Target, Sender, http::Response<Incoming>)> {
        let target = Target::of(request.uri(), self.tls.is_some())?;
        let mut request = prepare(request)?;
        if let Some(mut pooled) = self.pool.take(&target).await {
            let may_repeat = request.method().is_safe() && request.extensions().get::<SendOnce>().is_none();
            let again = may_repeat.then(|| request.clone());
            match pooled.try_send_request(request).await {
                Ok(response) => return Ok((target, pooled, response)),
                Err(mut error) => {
                    let failure = Failure::of_exchange(&target, error.error());
                    if !failure.connection_broke() {
                        return Err(failure.into_error());
                    }
                    // What else is pooled is as old as what just broke. Whoever tries again gets a new one.
                    self.pool.clear();
                    // What was never written is handed back, and does no harm whatever it is.
                    let Some(again) = error.take_message().or(again) else { return Err(failure.into_error()) };
                    request = again;
                }
            }
        }
        let opened = connect::open(&target, self.tls.as_ref(), self.connect_timeout).await;
        let mut sender = opened.map_err(Failure::into_error)?;
        match sender.send_request(request).await {
            Ok(response) => Ok((target, sender, response)),
            Err(error) => Err(Failure::of_exchange(&target, &error).into_error()),
        }
    }

    async fn read(
        &self,
        target: Target,
        sender: Sender,
        response: http::Response<Incoming>,
        most: usize,
    ) -> Result<http::Response<Bytes>> {
        let (head, mut incoming) = uncompressed(response)?.into_parts();
        let announced = incoming.size_hint().exact().unwrap_or(0);
        let announced = usize::try_from(announced).ok().filter(|len| *len <= most).ok_or_else(|| too_large(most))?;
        let mut body = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| Failure::of_exchange(&target, &error).into_error())?;
            // Trailers are left aside.
            let Ok(chunk) = frame.into_data() else { continue };
            if chunk.len() > most - body.len() {
                return Err(too_large(most));
            }
            append(&mut body, &chunk);
        }
        self.pool.put(target, sender);
        Ok(http::Response::from_parts(head, Bytes::from(std::mem::take(&mut *body))))
    }
}

fn uncompressed(response: http::Response<Incoming>) -> Result<http::Response<Incoming>> {
    if response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "the answer is compressed although that was not asked for; look at what stands in between";
        return Err(Error::new(ErrorKind::Malformed, message));
    }
    Ok(response)
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

/// The request as it is written on the wire: the address in two parts, path and `Host`.
fn prepare(mut request: http::Request<Bytes>) -> Result<http::Request<Full<Bytes>>> {
    let uri = std::mem::take(request.uri_mut()).into_parts();
    let authority = uri.authority.as_ref().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(target::without_default_port(authority, uri.scheme.as_ref()));
    let headers = request.headers_mut();
    headers.entry(HOST).or_insert(host.map_err(|_| target::not_an_address())?);
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    *request.uri_mut() = uri.path_and_query.map_or_else(http::Uri::default, http::Uri::from);
    Ok(request.map(Full::new))
}

#[cfg(test)]
#[path = "transport/tests.rs"]
mod tests;
