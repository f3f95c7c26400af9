//! [`Served`]: a stateful fake behind HTTP/1.1, plain or with TLS, so that official clients can judge it.
//!
//! A fake is a function from request to answer; in process it answers a [`FakeTransport`](crate::FakeTransport), here it
//! answers a socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a fake does with one request. It runs on a thread of the server: it may lock, not wait.
pub type Answer = Arc<dyn Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync>;

/// A fake that listens on a free port of loopback until it is dropped.
pub struct Served {
    address: SocketAddr,
    /// Its own root, when it speaks TLS.
    ca_pem: Option<String>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Speaks plain HTTP.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn plain(answer: Answer) -> Self {
        Self::start(answer, None).await
    }

    /// Speaks TLS for `localhost` and 127.0.0.1, with a certificate of its own making: see [`Served::ca_pem`].
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn tls(answer: Answer) -> Self {
        Self::start(answer, Some(Certificate::make())).await
    }

    #[expect(clippy::disallowed_methods, reason = "a fake is no call of anybody's")]
    async fn start(answer: Answer, certificate: Option<Certificate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("bind: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("address: {error}"));
        let (ca_pem, acceptor) = certificate.map(|made| (made.pem, made.acceptor)).unzip();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, acceptor) = (Arc::clone(&answer), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => speak(stream, answer).await,
                        // A client that does not trust us goes away here.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                speak(stream, answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, ca_pem, accepting }
    }

    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`, without a slash at its end.
    pub fn url(&self) -> String {
        match self.ca_pem {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The root to trust, as PEM.
    ///
    /// # Panics
    /// When it speaks no TLS.
    pub fn ca_pem(&self) -> &str {
        self.ca_pem.as_deref().unwrap_or_else(|| panic!("this fake speaks no TLS"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Certificate {
    pem: String,
    acceptor: TlsAcceptor,
}

impl Certificate {
    fn make() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap_or_else(|error| panic!("certificate: {error}"));
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .unwrap_or_else(|error| panic!("TLS: {error}"));
        Self { pem: made.cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answer: Answer) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (parts, body) = request.into_parts();
            // Who goes away in the middle of a request gets no answer anyway.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(answer(Request::from_parts(parts, body)).map(Full::new))
        }
    });
    // That a client hangs up is no failure of the fake.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
