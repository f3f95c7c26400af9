//! The listener with TLS: HTTP/1.1 and HTTP/2 over it, callers' certificates, and certificates that are replaced.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lockstep_core::{ErrorKind, FrontDoor, Peer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::LocalFiles;
use crate::tls::authority::Authority;
use crate::tls::{ServerTls, ServerTlsSettings};

const SHORT: Duration = Duration::from_millis(200);

/// Says what it was told.
#[derive(Default)]
struct Door {
    calls: AtomicUsize,
    hold: Notify,
}

impl FrontDoor for Door {
    fn at_once(&self, peer: &Peer, head: &Parts) -> Option<Response<Bytes>> {
        if peer.crowded {
            return Some(Response::builder().status(429).body(Bytes::new()).unwrap());
        }
        match head.uri.path() {
            "/panic-early" => panic!("canary-early"),
            "/at-once" => Some(Response::new(Bytes::from_static(b"at once"))),
            _ => None,
        }
    }

    async fn call(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = match request.uri().path() {
            "/panic" => panic!("canary-late"),
            "/hold" => {
                self.hold.notified().await;
                "held".to_owned()
            }
            "/body" => request.body().len().to_string(),
            "/certificate" => peer.certificate.as_ref().map_or(0, |der| der.len()).to_string(),
            "/target" => {
                let hosts = request.headers().get_all("host").iter();
                let hosts: Vec<_> = hosts.map(|host| host.to_str().unwrap().to_owned()).collect();
                format!("{} {}", request.uri(), hosts.join(","))
            }
            _ => "ok".to_owned(),
        };
        Response::new(Bytes::from(body))
    }
}

/// A listener with TLS on a thread of its own.
struct Served {
    address: SocketAddr,
    authority: Authority,
    tls: Arc<ServerTls>,
    door: Arc<Door>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(settings: ListenerSettings) -> Self {
        Self::with(Authority::new(), settings, false, false)
    }

    fn with(authority: Authority, settings: ListenerSettings, asks: bool, requires: bool) -> Self {
        let (certificate, key) = authority.server_files("localhost");
        let client_ca = asks.then(|| authority.ca_file().into());
        let settings_of_tls = ServerTlsSettings { certificate, key, client_ca, client_required: requires };
        let tls = Arc::new(ServerTls::load(Arc::new(LocalFiles), settings_of_tls).unwrap());
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), settings).unwrap();
        let (door, address) = (Arc::new(Door::default()), listener.address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let (door, tls) = (Arc::clone(&door), Arc::clone(&tls));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                runtime.block_on(listener.serve_tls(door, tls, stopped)).unwrap();
            }
        });
        Self { address, authority, tls, door, stop: Some(stop), thread: Some(thread) }
    }

    /// Who speaks this protocol, with a certificate or without.
    fn client(&self, protocol: &[u8], with: Option<&Authority>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match with {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let (certificate, key) = authority.sign("caller");
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }

    /// A connection of such a client.
    async fn connect(
        &self,
        protocol: &[u8],
        with: Option<&Authority>,
    ) -> std::io::Result<TlsStream<tokio::net::TcpStream>> {
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(self.client(protocol, with));
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.connect(b"h2", None).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        spawn(connection);
        sender
    }

    #[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
    async fn http1(&self, with: Option<&Authority>) -> hyper::Result<http1::SendRequest<Full<Bytes>>> {
        let io = TokioIo::new(self.connect(b"http/1.1", with).await.unwrap());
        let (sender, connection) = http1::handshake(io).await?;
        spawn(connection);
        Ok(sender)
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }

    fn end(mut self) {
        self.stop();
        self.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "the client's own connection")]
fn spawn(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        let _ = connection.await;
    });
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let uri = format!("https://localhost{path}");
    Request::builder().uri(uri).body(Full::default()).unwrap()
}

fn post(path: &str, body: usize) -> Request<Full<Bytes>> {
    let uri = format!("https://localhost{path}");
    Request::builder().method(Method::POST).uri(uri).body(Full::from(vec![b'x'; body])).unwrap()
}

async fn text(response: hyper::Result<Response<hyper::body::Incoming>>) -> (StatusCode, HeaderMap, String) {
    let (head, body) = response.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// Break: `alpn_protocols` of the server, or `in_origin_form`.
#[tokio::test]
async fn both_protocols_bring_the_same_request() {
    let served = Served::new(ListenerSettings::default());
    let (status, headers, body) = text(served.http2().await.send_request(get("/target?a=b")).await).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "/target?a=b localhost"));
    assert!(!headers.contains_key("connection"), "{headers:?}");
    let request = Request::builder().uri("/target?a=b").header("host", "localhost").body(Full::default()).unwrap();
    let (_, _, body) = text(served.http1(None).await.unwrap().send_request(request).await).await;
    assert_eq!(body, "/target?a=b localhost");
    served.end();
}

/// L4. Break: leave the second host away in `in_origin_form`; the guard would never see it.
#[tokio::test]
async fn l4_an_authority_and_a_host_that_differ_are_both_seen() {
    let served = Served::new(ListenerSettings::default());
    let mut sender = served.http2().await;
    for (host, seen) in [("localhost", "/target localhost"), ("evil.test", "/target evil.test,localhost")] {
        let mut request = get("/target");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(text(sender.send_request(request).await).await.2, seen);
    }
    served.end();
}

/// Break: answer the requests of a connection one after the other.
#[tokio::test]
async fn one_that_waits_panics_or_is_too_large_is_no_matter_to_the_others() {
    let served = Served::new(ListenerSettings { max_body_bytes: 100_000, ..ListenerSettings::default() });
    let sender = served.http2().await;
    let ask = |request: Request<Full<Bytes>>| {
        let mut sender = sender.clone();
        async move { text(sender.send_request(request).await).await }
    };
    let held = ask(get("/hold"));
    let others = async {
        let (panicked, early, large) =
            tokio::join!(ask(get("/panic")), ask(get("/panic-early")), ask(post("/body", 200_000)));
        let all = [panicked, early, large].map(|(status, _, body)| {
            assert!(!body.contains("canary"), "{body}");
            status.as_u16()
        });
        assert_eq!(all, [500, 500, 413]);
        assert_eq!(ask(get("/at-once")).await.2, "at once");
        let bodies = futures_util::future::join_all((0..50).map(|_| ask(post("/body", 90_000)))).await;
        assert!(bodies.iter().all(|(status, _, body)| (status.as_u16(), body.as_str()) == (200, "90000")));
        served.door.hold.notify_one();
    };
    let (held, ()) = tokio::join!(held, others);
    assert_eq!(held.2, "held");
    served.end();
}

/// L8. Break: `body_timeout` or `answer_timeout` in `Streams::answer`, or `Watch::turn` when a request begins.
#[tokio::test]
async fn l8_a_slow_request_ends_alone_and_an_idle_connection_ends_too() {
    let settings = ListenerSettings {
        answer_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(800),
        ..ListenerSettings::default()
    };
    let served = Served::new(settings);
    let mut sender = served.http2().await;
    let (status, _, _) = text(sender.send_request(get("/hold")).await).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(sender.send_request(get("/")).await).await.2, "ok", "the connection goes on");
    while !sender.is_closed() {
        tokio::task::yield_now().await;
    }
    served.end();
}

/// L8: who opens a connection and says nothing, or half a greeting. Break: `unless_ended`.
#[tokio::test]
async fn l8_a_handshake_that_stands_still_ends_and_holds_up_nobody() {
    let served = Served::new(ListenerSettings { header_timeout: SHORT, ..ListenerSettings::default() });
    let mut silent: Vec<_> = [&b""[..], b"\x16\x03\x01\x02\x00"]
        .map(|greeting| {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.write_all(greeting).unwrap();
            stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
            stream
        })
        .into();
    assert_eq!(text(served.http2().await.send_request(get("/")).await).await.2, "ok");
    for stream in &mut silent {
        let mut rest = Vec::new();
        // Ended by us, with an alert or without.
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    served.end();
}

/// Break: `certificate` in `Encrypted::next`, or `with_client_cert_verifier`.
#[tokio::test]
async fn a_callers_certificate_is_told_when_its_root_is_trusted_and_only_then() {
    let served = Served::with(Authority::new(), ListenerSettings::default(), true, false);
    let stranger = Authority::new();
    for (with, shown) in [(None, false), (Some(&served.authority), true)] {
        let request = Request::builder().uri("/certificate").header("host", "localhost").body(Full::default()).unwrap();
        let length = text(served.http1(with).await.unwrap().send_request(request).await).await.2;
        assert_eq!(length.parse::<usize>().unwrap() > 100, shown);
    }
    let mut foreign = served.http1(Some(&stranger)).await;
    let refused = match &mut foreign {
        Err(_) => true,
        Ok(sender) => sender.send_request(get("/certificate")).await.is_err(),
    };
    assert!(refused, "a certificate of another root ends the connection");
    assert_eq!(served.door.calls.load(Ordering::SeqCst), 2);
    served.end();
}

/// Break: `allow_unauthenticated` for all.
#[tokio::test]
async fn without_a_certificate_there_is_no_connection_where_one_is_required() {
    let served = Served::with(Authority::new(), ListenerSettings::default(), true, true);
    let mut sender = served.http1(None).await;
    let refused = match &mut sender {
        Err(_) => true,
        Ok(sender) => sender.send_request(get("/")).await.is_err(),
    };
    assert!(refused);
    assert_eq!(served.door.calls.load(Ordering::SeqCst), 0);
    served.end();
}

fn shown(stream: &TlsStream<tokio::net::TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Break: `refresh` without `read`, or its `?` in front of what was read before.
#[tokio::test]
async fn a_replaced_certificate_is_shown_to_the_next_caller_and_half_of_one_to_nobody() {
    let served = Served::new(ListenerSettings::default());
    let mut old = served.http2().await;
    let before = shown(&served.connect(b"h2", None).await.unwrap());
    assert!(!served.tls.refresh().unwrap(), "nothing is new");

    let certificate: PathBuf = served.authority.folder.path().join("server.pem");
    let (new, _) = served.authority.sign("localhost");
    // Longer than it was, so that the stamp differs whatever the clock of the file system says.
    std::fs::write(&certificate, format!("\n{}", new.pem())).unwrap();
    let error = served.tls.refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("don't fit together"), "{error}");
    assert_eq!(shown(&served.connect(b"h2", None).await.unwrap()), before);

    served.authority.server_files("localhost");
    assert!(served.tls.refresh().unwrap());
    assert_ne!(shown(&served.connect(b"h2", None).await.unwrap()), before);
    assert_eq!(text(old.send_request(get("/")).await).await.2, "ok", "an open connection goes on");
    served.end();
}

/// Break: `graceful_shutdown` in `multiplexed::run`.
#[tokio::test]
async fn a_stop_lets_requests_under_way_end() {
    let mut served =
        Served::new(ListenerSettings { drain_timeout: Duration::from_hours(1), ..ListenerSettings::default() });
    let mut sender = served.http2().await;
    let held = sender.send_request(get("/hold"));
    let door = Arc::clone(&served.door);
    let stop = async {
        while door.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        served.stop();
        while TcpStream::connect(served.address).is_ok() {
            tokio::task::yield_now().await;
        }
        door.hold.notify_one();
    };
    let (held, ()) = tokio::join!(held, stop);
    assert_eq!(text(held).await.2, "held");
    served.join();
}

/// Its client takes a connection for open before we have seen the last of its handshake. Break: `Wish::End` in
/// `unless_ended`, `is_asked` in `connection::run`, or `end_silent`.
#[test]
fn a_stop_lets_a_handshake_under_way_end_with_an_answer_and_waits_for_no_silent_connection() {
    let mut served =
        Served::new(ListenerSettings { drain_timeout: Duration::from_hours(1), ..ListenerSettings::default() });
    let open = || {
        let stream = TcpStream::connect(served.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    };
    let (mut stream, mut silent) = (open(), open());
    let config = served.client(b"http/1.1", None);
    let mut tls = rustls::ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut greeting = Vec::new();
    tls.write_tls(&mut greeting).unwrap();
    stream.write_all(&greeting[..10]).unwrap();
    // Whoever came before it was let in.
    while served.door.calls.load(Ordering::SeqCst) == 0 {
        let mut asked =
            rustls::ClientConnection::new(served.client(b"http/1.1", None), ServerName::try_from("localhost").unwrap())
                .unwrap();
        ask(&mut asked, &mut open());
    }
    served.stop();
    while TcpStream::connect(served.address).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(&greeting[10..]).unwrap();
    let answer = ask(&mut tls, &mut stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
    served.join();
}

/// What is answered to one request, to the end of the connection.
fn ask(tls: &mut rustls::ClientConnection, stream: &mut TcpStream) -> String {
    let mut both = rustls::Stream::new(tls, stream);
    both.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    // It may end without saying so.
    while let Ok(read @ 1..) = both.read(&mut bytes) {
        answer.extend_from_slice(&bytes[..read]);
    }
    String::from_utf8(answer).unwrap()
}

/// Break: `Wish::Finish` in `Streams::close`.
#[tokio::test]
async fn l8_over_the_cap_a_caller_is_told_so_and_its_connection_ends() {
    // No limit of time is what ends it.
    let long = Duration::from_hours(1);
    let settings = ListenerSettings { header_timeout: long, idle_timeout: long, ..ListenerSettings::default() };
    let served = Served::new(ListenerSettings { max_connections: 1, ..settings });
    let mut first = served.http2().await;
    let _held = first.send_request(get("/hold"));
    while served.door.calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut second = served.http2().await;
    assert_eq!(text(second.send_request(get("/")).await).await.0, StatusCode::TOO_MANY_REQUESTS);
    while !second.is_closed() {
        tokio::task::yield_now().await;
    }
    served.end();
}

/// A body that never ends, or none.
struct Unended(bool);

impl hyper::body::Body for Unended {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        if self.0 { std::task::Poll::Pending } else { std::task::Poll::Ready(None) }
    }

    fn is_end_stream(&self) -> bool {
        !self.0
    }
}

/// Nothing is limited by time here. Break: enter `Answer` in `Streams::turn` before a request is whole.
#[tokio::test]
async fn l8_a_connection_whose_bodies_never_end_makes_room_for_the_next_one() {
    let long = Duration::from_hours(1);
    let settings = ListenerSettings {
        max_connections: 1,
        header_timeout: long,
        body_timeout: long,
        idle_timeout: long,
        ..ListenerSettings::default()
    };
    let served = Served::new(settings);
    let io = TokioIo::new(served.connect(b"h2", None).await.unwrap());
    let (mut slow, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    spawn(connection);
    let asked = |path: &str, unended| {
        let method = if unended { Method::POST } else { Method::GET };
        Request::builder().method(method).uri(format!("https://localhost{path}")).body(Unended(unended)).unwrap()
    };
    let _held = slow.send_request(asked("/body", true));
    // What came after it was answered, so it was seen.
    assert_eq!(text(slow.send_request(asked("/", false)).await).await.2, "ok");
    let mut next = served.http2().await;
    assert_eq!(text(next.send_request(get("/")).await).await.0, StatusCode::OK);
    while !slow.is_closed() {
        tokio::task::yield_now().await;
    }
    served.end();
}

#[test]
fn files_that_can_not_be_used_say_which_and_quote_nothing() {
    let authority = Authority::new();
    let (certificate, key) = authority.server_files("localhost");
    let path = |name: &str| authority.folder.path().join(name);
    std::fs::write(path("canary"), "-----BEGIN canary").unwrap();
    let good = ServerTlsSettings { certificate, key, client_ca: None, client_required: false };
    for (settings, expected) in [
        (ServerTlsSettings { certificate: path("none"), ..good.clone() }, "none"),
        (ServerTlsSettings { certificate: path("canary"), ..good.clone() }, "does not hold a certificate"),
        (ServerTlsSettings { key: path("canary"), ..good.clone() }, "private key"),
        (ServerTlsSettings { key: path("none"), ..good.clone() }, "none"),
        (ServerTlsSettings { client_ca: Some(path("canary")), ..good.clone() }, "does not hold a certificate"),
    ] {
        let error = ServerTls::load(Arc::new(LocalFiles), settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains(expected), "{error}");
        assert!(!format!("{error:?}").contains("BEGIN canary"), "{error:?}");
    }
}
