use std::error::Error as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use http::{Method, StatusCode};
use lockstep_core::{MAX_MEMBERS, UnixMillis};

use super::*;
use crate::LocalFiles;

#[path = "tests_tls.rs"]
mod encrypted;

/// A clock whose wall is moved by hand; the monotonic one stands still.
#[derive(Default)]
struct Wall(AtomicU64);

#[async_trait]
impl Clock for Wall {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {}
}

/// An environment without variables: the machine's own `SSL_CERT_FILE` must not decide.
struct Bare;

impl Env for Bare {
    fn var(&self, _: &str) -> Option<String> {
        None
    }
}

/// What a server does with a request.
enum Reply {
    /// Sends this and keeps the connection.
    Send(String),
    /// Sends this, closes, and says so.
    Last(String, std::sync::mpsc::Sender<()>),
    /// Closes without a word.
    Close,
    /// Sends the first, then the second again and again, until the client closes.
    Endless(&'static str, &'static str),
    /// Reads on and says nothing.
    Silent,
}

fn ok(body: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// A server on its own thread. It counts connections and requests, and keeps the heads.
struct Server {
    address: std::net::SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `reply` is asked with the numbers of the connection and of the request on it, both from 0.
    fn new(reply: impl Fn(usize, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let server = Self { address, connections: Arc::clone(&connections), heads: Arc::clone(&heads) };
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (heads, reply) = (Arc::clone(&heads), Arc::clone(&reply));
                std::thread::spawn(move || converse(stream.unwrap(), &heads, |request| reply(number, request)));
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn converse(mut stream: impl Read + Write, heads: &Mutex<Vec<String>>, reply: impl Fn(usize) -> Reply) {
    for request in 0.. {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).unwrap();
        heads.lock().unwrap().push(head);
        match reply(request) {
            Reply::Send(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            Reply::Last(answer, closed) => {
                stream.write_all(answer.as_bytes()).unwrap();
                drop(stream);
                let _ = closed.send(());
                return;
            }
            Reply::Close => return,
            Reply::Endless(first, again) => {
                let _ = stream.write_all(first.as_bytes());
                while stream.write_all(again.as_bytes()).is_ok() && stream.flush().is_ok() {}
                return;
            }
            Reply::Silent => while matches!(stream.read(&mut byte), Ok(1)) {},
        }
    }
}

/// M2. Break: append with `extend_from_slice` alone.
#[test]
fn m2_a_body_of_unknown_length_grows_into_new_blocks_and_keeps_every_byte() {
    let mut body = Zeroizing::new(Vec::new());
    let mut whole = Vec::new();
    for length in [0, 1, 7, 4096, 3, 70_000] {
        let chunk = vec![u8::try_from(length % 251).unwrap(); length];
        let (before, fits) = (body.as_ptr(), body.capacity() >= body.len() + length);
        append(&mut body, &chunk);
        whole.extend_from_slice(&chunk);
        assert_eq!(body.as_ptr() == before, fits, "a block that is too small is not grown, but left wiped");
    }
    assert_eq!(*body, whole);
}

const LIMITS: Limits = Limits { time: Duration::from_mins(1), response_bytes: 1 << 20, members: MAX_MEMBERS };

fn transport_at(clock: &Arc<Wall>) -> Arc<dyn Transport> {
    let clock: Arc<dyn Clock> = Arc::<Wall>::clone(clock);
    HttpTransports::new(clock, Arc::new(LocalFiles), &Bare, TransportSettings::default())
        .build(&TlsProfile::default())
        .unwrap()
}

fn transport() -> Arc<dyn Transport> {
    transport_at(&Arc::default())
}

fn request(method: Method, url: &str) -> http::Request<Bytes> {
    http::Request::builder()
        .method(method)
        .uri(url)
        .header("x-vault-token", "canary-header")
        .body(Bytes::from_static(b"canary-body"))
        .unwrap()
}

async fn get(transport: &Arc<dyn Transport>, url: &str) -> Result<http::Response<Bytes>> {
    transport.send(request(Method::GET, url), LIMITS).await
}

/// The kind, after a look at everything the error prints.
fn kind(result: Result<http::Response<Bytes>>) -> ErrorKind {
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    assert!(error.source().is_none(), "a cause of the library's may print an address");
    error.kind()
}

#[tokio::test]
async fn an_exchange_is_whole_asks_for_no_compression_and_reuses_its_connection() {
    let server = Server::new(|_, _| ok("value"));
    let transport = transport();
    for _ in 0..3 {
        let answer = get(&transport, &server.url("/v1/x?q=1")).await.unwrap();
        assert_eq!((answer.status(), answer.body().as_ref()), (StatusCode::OK, &b"value"[..]));
    }
    assert_eq!((server.connections(), server.requests()), (1, 3));
    let head = server.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("GET /v1/x?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("accept-encoding: identity\r\n") && head.contains("x-vault-token: canary-header\r\n"),
        "{head}"
    );
}

/// Break: follow `Location` in `read`.
#[tokio::test]
async fn o2_redirects_are_answers_and_the_target_sees_nothing() {
    let target = Server::new(|_, _| ok("stolen"));
    for status in [301, 302, 303, 307, 308] {
        let location = target.url("/");
        let server = Server::new(move |_, _| {
            Reply::Send(format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
        });
        let answer = get(&transport(), &server.url("/")).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    assert_eq!((target.connections(), target.requests()), (0, 0));
}

/// Break: either check of `response_bytes` in `read`, or the one of `content-encoding`.
#[tokio::test]
async fn o3_large_endless_and_compressed_answers_are_refused() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (Reply::Endless("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "a"), ErrorKind::TooLarge),
        (Reply::Endless("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", "a"), ErrorKind::TooLarge),
        (Reply::Endless(chunked, "10\r\naaaaaaaaaaaaaaaa\r\n"), ErrorKind::TooLarge),
        (Reply::Endless("HTTP/1.1 200 OK\r\n\r\n", "a body to the end of the connection"), ErrorKind::TooLarge),
        (
            Reply::Endless("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", "x"),
            ErrorKind::Malformed,
        ),
        (Reply::Endless("HTTP/1.1 200 OK\r\nX: ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), ErrorKind::Malformed),
        (Reply::Send("SSH-2.0-server\r\n\r\n".to_owned()), ErrorKind::Malformed),
    ];
    for (number, (reply, expected)) in cases.into_iter().enumerate() {
        let once = Mutex::new(Some(reply));
        let server = Server::new(move |_, _| once.lock().unwrap().take().unwrap_or(Reply::Close));
        assert_eq!(kind(get(&transport(), &server.url("/canary?canary")).await), expected, "case {number}");
    }
}

#[tokio::test]
async fn an_answer_of_just_the_limit_passes() {
    let server = Server::new(|_, _| ok(&"a".repeat(1000)));
    let limits = |response_bytes| Limits { response_bytes, ..LIMITS };
    let send = |limits| {
        let transport = transport();
        let url = server.url("/");
        async move { transport.send(request(Method::GET, &url), limits).await }
    };
    assert_eq!(send(limits(1000)).await.unwrap().body().len(), 1000);
    assert_eq!(kind(send(limits(999)).await), ErrorKind::TooLarge);
}

/// Break: the timeout in `send`.
#[tokio::test]
async fn an_exchange_ends_at_its_limit_before_and_within_the_answer() {
    let replies: [fn() -> Reply; 2] =
        [|| Reply::Silent, || Reply::Endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")];
    for reply in replies {
        let server = Server::new(move |_, _| reply());
        let limits = Limits { time: Duration::from_millis(50), response_bytes: usize::MAX, ..LIMITS };
        let result = transport().send(request(Method::GET, &server.url("/canary?canary")), limits).await;
        assert!(result.as_ref().unwrap_err().message().contains("50 ms"));
        assert_eq!(kind(result), ErrorKind::Timeout);
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_host_are_network_errors_that_were_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}/canary"), "http://host.invalid/canary".to_owned()] {
        let result = get(&transport(), &url).await;
        let message = result.as_ref().unwrap_err().message().to_owned();
        assert!(message.contains("was not sent") && !message.contains("canary"), "{message}");
        assert!(result.as_ref().unwrap_err().is_unsent(), "{url}");
        assert_eq!(kind(result), ErrorKind::Network, "{url}");
    }
}

/// Over a freeze the other side closes, and nobody notices until the request is written.
/// Break: the loop back to a new connection in `exchange`.
#[tokio::test]
async fn a_dead_pooled_connection_costs_one_retry_not_an_error() {
    let server = Server::new(|connection, request| match (connection, request) {
        (0, 1) => Reply::Close,
        _ => ok("value"),
    });
    let transport = transport();
    get(&transport, &server.url("/")).await.unwrap();
    assert_eq!(get(&transport, &server.url("/")).await.unwrap().body().as_ref(), b"value");
    assert_eq!((server.connections(), server.requests()), (2, 3));
}

/// Break: `is_safe`, or `clear` in `exchange`.
#[tokio::test]
async fn what_may_have_been_done_is_not_sent_twice_and_a_new_connection_is_not_retried() {
    let server = Server::new(|connection, request| match (connection, request) {
        (0, 1) | (2, 0) => Reply::Close,
        _ => ok("value"),
    });
    let transport = transport();
    let post = || transport.send(request(Method::POST, &server.url("/canary")), LIMITS);
    post().await.unwrap();
    let broken = post().await;
    assert!(!broken.as_ref().unwrap_err().is_unsent());
    assert!(broken.as_ref().unwrap_err().message().contains("may have been sent"));
    assert_eq!(kind(broken), ErrorKind::Network);
    assert_eq!(server.requests(), 2);
    // Whoever tries again gets a new connection.
    post().await.unwrap();
    assert_eq!(server.connections(), 2);

    let fresh = transport_at(&Arc::default());
    assert_eq!(kind(get(&fresh, &server.url("/canary")).await), ErrorKind::Network);
    assert_eq!((server.connections(), server.requests()), (3, 4));
}

/// Break: look at the method alone in `exchange`.
#[tokio::test]
async fn a_get_that_makes_something_is_not_sent_twice_over_a_dead_connection() {
    let server = Server::new(|connection, request| match (connection, request) {
        (0, 1) => Reply::Close,
        _ => ok("value"),
    });
    let transport = transport();
    let make = || {
        let mut request = request(Method::GET, &server.url("/"));
        request.extensions_mut().insert(SendOnce);
        transport.send(request, LIMITS)
    };
    make().await.unwrap();
    assert_eq!(kind(make().await), ErrorKind::Network);
    assert_eq!(server.requests(), 2);
}

/// Break: the two `is_closed` and `ready` of the pool.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a pause that no outcome hangs on: tokio looks at its sockets in it")]
async fn a_connection_that_the_other_side_has_closed_is_replaced_whatever_is_sent() {
    let (told, closed) = std::sync::mpsc::channel();
    let server = Server::new(move |_, _| match ok("value") {
        Reply::Send(answer) => Reply::Last(answer, told.clone()),
        other => other,
    });
    let transport = transport();
    for _ in 0..3 {
        transport.send(request(Method::POST, &server.url("/")), LIMITS).await.unwrap();
        closed.recv().unwrap();
        // The end of the connection is known; tokio looks when nothing else is to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((server.connections(), server.requests()), (3, 3));
}

/// Break: the bound in `Pool::put`.
#[tokio::test]
async fn so_many_connections_are_kept_per_host_and_none_by_the_local_transport() {
    let server = Server::new(|_, _| ok("value"));
    let clock = Arc::<Wall>::default();
    let keeps_four = TransportSettings::default().idle_per_host;
    let (pooled, local) = (transport_at(&clock), local_transport(clock));
    for (transport, kept) in [(pooled, keeps_four), (local, 0)] {
        let before = server.connections();
        let url = server.url("/");
        let six = |transport: Arc<dyn Transport>| {
            let url = url.clone();
            async move {
                let ask = || get(&transport, &url);
                let all = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
                assert!([all.0, all.1, all.2, all.3, all.4, all.5].iter().all(Result::is_ok));
            }
        };
        six(Arc::clone(&transport)).await;
        assert_eq!(server.connections() - before, 6, "all at once have one each");
        six(transport).await;
        assert_eq!(server.connections() - before, 12 - kept);
    }
}

/// Break: either half of `waited`, or the look at a clock that was set back, in `Pool::locked`.
#[tokio::test]
async fn c6_connections_grow_old_by_the_wall_clock_while_the_monotonic_one_stands() {
    let server = Server::new(|_, _| ok("value"));
    let clock = Arc::new(Wall::default());
    clock.0.store(1_000_000_000, Ordering::SeqCst);
    let transport = transport_at(&clock);
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for (forward, back, connections) in
        [(0, 0, 1), (14_999, 0, 1), (15_000, 0, 2), (3_600_000, 0, 3), (0, 1, 4), (1, 0, 4)]
    {
        clock.0.fetch_add(forward, Ordering::SeqCst);
        clock.0.fetch_sub(back, Ordering::SeqCst);
        get(&transport, &server.url("/")).await.unwrap();
        seen.push(server.connections());
        expected.push(connections);
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_address_without_host_or_scheme_is_a_config_error() {
    for url in ["/canary", "ftp://127.0.0.1/canary", "canary:80"] {
        assert_eq!(kind(get(&transport(), url).await), ErrorKind::Config, "{url}");
    }
    let local = local_transport(Arc::<Wall>::default());
    assert_eq!(kind(get(&local, "https://127.0.0.1/canary").await), ErrorKind::Config, "no TLS, no https");
}

const STREAM: StreamLimits = StreamLimits { head: Duration::from_mins(1), idle: Duration::from_mins(1) };

async fn streamed(url: &str, limits: StreamLimits) -> Result<http::Response<Pieces>> {
    transport().stream(request(Method::GET, url), limits).await
}

/// Break: read the body to its end in `stream`.
#[tokio::test]
async fn a_streamed_answer_comes_in_pieces_while_the_server_goes_on() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Server::new(move |_, _| Reply::Endless(chunked, "3\r\nab\n\r\n"));
    let answer = streamed(&server.url("/"), STREAM).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    let mut seen = Vec::new();
    while seen.len() < 9 {
        seen.extend_from_slice(&body.next().await.unwrap().unwrap());
    }
    assert!(seen.starts_with(b"ab\nab\nab\n"), "{seen:?}");
}

#[tokio::test]
async fn a_streamed_answer_ends_with_its_body_and_fails_when_it_is_cut() {
    let whole = Server::new(|_, _| ok("value"));
    let mut body = streamed(&whole.url("/"), STREAM).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "value");
    assert!(body.next().await.unwrap().is_none());
    let cut = Server::new(|_, _| {
        let (closed, _) = std::sync::mpsc::channel();
        Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nval".to_owned(), closed)
    });
    let mut body = streamed(&cut.url("/"), STREAM).await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "val");
    assert_eq!(body.next().await.unwrap_err().kind(), ErrorKind::Network);
}

/// O3. Break: either limit of `stream`, or its look at `content-encoding`.
#[tokio::test]
async fn o3_a_streamed_answer_is_bounded_in_its_head_and_in_its_silence() {
    let millis = Duration::from_millis(50);
    let silent = Server::new(|_, _| Reply::Silent);
    let error = streamed(&silent.url("/"), StreamLimits { head: millis, ..STREAM }).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let stalls = Server::new(|_, _| Reply::Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nval".to_owned()));
    let mut body = streamed(&stalls.url("/"), StreamLimits { idle: millis, ..STREAM }).await.unwrap().into_body();
    assert!(body.next().await.unwrap().is_some());
    assert_eq!(body.next().await.unwrap_err().kind(), ErrorKind::Timeout);
    let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx";
    let packed = Server::new(move |_, _| Reply::Send(packed.to_owned()));
    assert_eq!(streamed(&packed.url("/"), STREAM).await.err().unwrap().kind(), ErrorKind::Malformed);
}
