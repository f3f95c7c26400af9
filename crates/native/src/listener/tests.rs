use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use lockstep_core::{ErrorKind, FrontDoor, Peer};
use tokio::sync::Notify;
use tokio::sync::oneshot;

use super::*;

/// How long a client waits before the test counts as hung. Nothing is asserted about time.
const HUNG: Duration = Duration::from_mins(1);

/// Short enough for tests that wait for a limit, long enough for a loaded machine to send a request.
const SHORT: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Door {
    calls: AtomicUsize,
    hold: Notify,
}

impl FrontDoor for Door {
    fn at_once(&self, peer: &Peer, head: &Parts) -> Option<Response<Bytes>> {
        let status = if peer.crowded {
            429
        } else if head.uri.authority().is_some() || head.headers.contains_key("upgrade") {
            400
        } else if head.method == Method::DELETE {
            405
        } else if head.uri.path() == "/panic-early" {
            panic!("canary-early")
        } else {
            return None;
        };
        Some(Response::builder().status(status).body(Bytes::from_static(b"refused")).unwrap())
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
            "/large" => "x".repeat(64 << 20),
            "/peer" => format!("{:?} {:?}", peer.address, peer.uid),
            _ => "ok".to_owned(),
        };
        Response::new(Bytes::from(body))
    }
}

/// A listener on its own thread, stopped with the guard.
struct Served {
    address: Option<SocketAddr>,
    door: Arc<Door>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn new(settings: ListenerSettings) -> Self {
        Self::on(Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), settings).unwrap())
    }

    fn on(listener: Listener) -> Self {
        let (door, address) = (Arc::new(Door::default()), listener.address());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let door = Arc::clone(&door);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime
                    .block_on(listener.serve(door, async {
                        let _ = stopped.await;
                    }))
                    .unwrap();
            }
        });
        Self { address, door, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.unwrap()).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream.set_write_timeout(Some(HUNG)).unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        // A refused client may see its connection closed while it still sends.
        let _ = stream.write_all(request.as_bytes());
        rest(&mut stream)
    }

    fn calls(&self) -> usize {
        self.door.calls.load(Ordering::SeqCst)
    }

    fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Everything until the server closes.
fn rest(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(bytes).unwrap()
}

/// One answer whose body has this length, on a connection that stays open.
fn answer(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

const GET: &str = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
const GET_CLOSE: &str = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Break: the check in `Socket::tcp`.
#[test]
fn l5_addresses_that_other_machines_reach_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let error = Listener::bind(address.parse().unwrap(), ListenerSettings::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{address}");
        assert!(error.message().contains("127.0.0.1"), "{error}");
    }
    let settings = ListenerSettings { allow_remote: true, ..ListenerSettings::default() };
    assert!(Listener::bind("0.0.0.0:0".parse().unwrap(), settings).is_ok());
}

/// Break: `set_ttl_v4` and `set_unicast_hops_v6`.
#[test]
fn l5_packets_of_an_accepted_connection_live_for_one_hop() {
    let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    for address in addresses {
        let Ok(listener) = Listener::bind(address, ListenerSettings::default()) else {
            assert!(address.is_ipv6(), "no loopback at all");
            continue;
        };
        let Socket::Tcp(socket) = &listener.socket else { panic!("no TCP") };
        let _client = TcpStream::connect(listener.address().unwrap()).unwrap();
        // The connection is in the backlog, but the socket does not block.
        let accepted = loop {
            match socket.accept() {
                Ok((accepted, _)) => break accepted,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        };
        let accepted = socket2::SockRef::from(&accepted);
        let hops = if address.is_ipv4() { accepted.ttl_v4() } else { accepted.unicast_hops_v6() };
        assert_eq!(hops.unwrap(), 1, "{address}");
        assert!(accepted.tcp_nodelay().unwrap());
    }
}

#[test]
fn a_taken_port_is_a_config_error_and_a_freed_one_can_be_bound_again() {
    let first = Served::new(ListenerSettings::default());
    let address = first.address.unwrap();
    let error = Listener::bind(address, ListenerSettings::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.message().contains("in use"), "{error}");
    assert!(first.ask(GET_CLOSE).ends_with("ok"));
    first.end();
    assert!(Listener::bind(address, ListenerSettings::default()).is_ok());
}

#[test]
fn serving_can_be_spawned_on_any_runtime() {
    fn is_send(_: impl Send) {}
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), ListenerSettings::default()).unwrap();
    is_send(listener.serve(Arc::new(Door::default()), async {}));
}

#[test]
fn requests_on_one_connection_are_answered_in_turn_with_a_date() {
    let served = Served::new(ListenerSettings::default());
    let mut stream = served.connect();
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).unwrap();
        let text = answer(&mut stream);
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\r\ndate: ") && text.ends_with("ok"),
            "{text}"
        );
    }
    stream.write_all(format!("{GET}{GET_CLOSE}").as_bytes()).unwrap();
    assert_eq!(rest(&mut stream).matches("200 OK").count(), 2);
    assert_eq!(served.calls(), 5);
}

/// L3 at the socket: what a proxy would send arrives at the front door as it was sent. Break: normalize the target.
#[test]
fn l3_absolute_targets_connect_and_upgrade_reach_the_front_door() {
    let served = Served::new(ListenerSettings::default());
    for request in [
        "GET http://evil.test/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\nConnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let text = served.ask(request);
        assert!(text.starts_with("HTTP/1.1 400 "), "{request} -> {text}");
    }
    assert_eq!(served.calls(), 0);
}

/// L6 at the socket: a refusal comes before the body, and the connection closes. Break: read the body first.
#[test]
fn l6_a_refused_method_is_answered_before_its_body_and_the_connection_closes() {
    let served = Served::new(ListenerSettings::default());
    let text = served.ask("DELETE /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nthe first bytes");
    assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("connection: close"), "{text}");
    assert_eq!(served.calls(), 0);
}

/// Closing with bytes unread would reset the connection, and many clients would lose the answer.
/// Break: `LINGER_BYTES`.
#[test]
fn a_refused_client_can_send_its_body_to_the_end_without_a_reset() {
    let served = Served::new(ListenerSettings::default());
    let mut stream = served.connect();
    stream.write_all(b"DELETE /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n").unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 405 "));
    for _ in 0..256 {
        stream.write_all(&[b'b'; 4096]).unwrap();
    }
}

/// Break: `max_connections` in `admit`.
#[test]
fn l8_two_thousand_idle_connections_do_not_keep_others_from_being_answered() {
    let settings = ListenerSettings { header_timeout: SHORT * 5, idle_timeout: HUNG, ..ListenerSettings::default() };
    let served = Served::new(settings);
    let mut friend = served.connect();
    let mut flood = Vec::new();
    for _ in 0..20 {
        flood.extend((0..100).map(|_| served.connect()));
        friend.write_all(GET.as_bytes()).unwrap();
        assert!(answer(&mut friend).ends_with("ok"), "after {} idle connections", flood.len());
    }
    // Each of the flood is closed by the server, without an answer.
    for mut idle in flood {
        assert_eq!(rest(&mut idle), "");
    }
    assert!(served.ask(GET_CLOSE).ends_with("ok"));
}

/// Break: `crowded` in `admit`.
#[test]
fn l8_connections_over_the_cap_are_told_so_and_closed() {
    let settings =
        ListenerSettings { max_connections: 2, overflow: 1, header_timeout: HUNG, ..ListenerSettings::default() };
    let served = Served::new(settings);
    let mut held: Vec<TcpStream> = (0..2).map(|_| served.connect()).collect();
    for (before, stream) in held.iter_mut().enumerate() {
        stream.write_all(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        while served.calls() == before {
            std::thread::yield_now();
        }
    }
    for _ in 0..3 {
        let text = served.ask(GET);
        assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("connection: close"), "{text}");
    }
    // Those that were there first are still served.
    for stream in &mut held {
        served.door.hold.notify_one();
        assert!(answer(stream).contains("200 OK"));
    }
}

/// Nothing is limited by time here, and the cap is the default one.
/// Break: `make_room` in `admit`, or `staying` there.
#[test]
fn l8_whoever_keeps_us_waiting_the_longest_makes_room_for_the_next_one() {
    let settings = ListenerSettings {
        header_timeout: Duration::from_hours(1),
        body_timeout: Duration::from_hours(1),
        idle_timeout: Duration::from_hours(1),
        ..ListenerSettings::default()
    };
    let served = Served::new(settings);
    let mut slow: Vec<TcpStream> = (0..2000)
        .map(|number| {
            let mut stream = served.connect();
            let begun: &[u8] = match number % 4 {
                0 => b"",
                1 => b"GET / HT",
                2 => b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
                _ => GET.as_bytes(),
            };
            // Those that came first may be closed already.
            let _ = stream.write_all(begun);
            stream
        })
        .collect();
    assert!(served.ask(GET_CLOSE).ends_with("ok"));
    // The first ones had to go, and nobody else.
    assert_eq!(rest(&mut slow[0]), "");
    let last = slow.last_mut().unwrap();
    assert!(answer(last).ends_with("ok"));
    last.write_all(GET.as_bytes()).unwrap();
    assert!(answer(last).ends_with("ok"));
}

/// Break: the `Head` limit of `Patience`.
#[test]
fn l8_headers_that_trickle_are_cut_off() {
    let served =
        Served::new(ListenerSettings { header_timeout: SHORT, idle_timeout: HUNG, ..ListenerSettings::default() });
    let mut trickle = served.connect();
    let mut writer = trickle.try_clone().unwrap();
    // It would go on far beyond any limit, one byte at a time, and ends only because the server closes.
    let sender = std::thread::spawn(move || {
        let endless = std::iter::once(&b"GET /x HTTP/1.1\r\nX: "[..]).chain(std::iter::repeat(&b"a"[..]));
        for bytes in endless {
            if writer.write_all(bytes).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(rest(&mut trickle), "");
    drop(trickle);
    sender.join().unwrap();
    assert!(served.ask(GET_CLOSE).ends_with("ok"));
    assert_eq!(served.calls(), 1);
}

/// Break: the `Body`, `Answer`, `Write` or `Idle` limit of `Patience`.
#[test]
fn l8_a_silent_client_is_closed_in_every_phase() {
    let served = Served::new(ListenerSettings {
        body_timeout: SHORT,
        answer_timeout: SHORT,
        write_timeout: SHORT,
        idle_timeout: SHORT,
        ..ListenerSettings::default()
    });
    let body = "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345";
    assert_eq!(served.ask(body), "");
    assert_eq!(served.calls(), 0);
    assert_eq!(served.ask("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"), "");
    // Idle after an answer: the answer comes, then the end.
    let text = served.ask(GET);
    assert!(text.ends_with("ok") && text.matches("HTTP/1.1").count() == 1, "{text}");
    // A client that never reads. What it writes is refused once the server has closed.
    let mut deaf = served.connect();
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let closed = (0..6000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        deaf.write_all(b"x").is_err()
    });
    assert!(closed, "the server waits for a client that never reads");
}

/// Break: `max_header_size`.
#[test]
fn l8_a_header_of_one_megabyte_is_refused() {
    let served = Served::new(ListenerSettings::default());
    let text = served.ask(&format!("GET /x HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(1 << 20)));
    assert!(text.starts_with("HTTP/1.1 431 "), "{text:?}");
    let fits =
        format!("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {}\r\n\r\n", "a".repeat(15 << 10));
    assert!(served.ask(&fits).ends_with("ok"));
    assert_eq!(served.calls(), 1);
}

/// Break: either check in `Session::read`.
#[test]
fn l8_a_body_over_the_cap_is_refused_announced_or_not() {
    let served = Served::new(ListenerSettings { max_body_bytes: 1000, ..ListenerSettings::default() });
    let head = "POST /body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let announced = |len: usize| format!("{head}Content-Length: {len}\r\n\r\n{}", "b".repeat(len));
    let chunked = |len: usize| {
        let chunk = format!("64\r\n{}\r\n", "b".repeat(100));
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(len / 100))
    };
    for (request, expected) in [
        (announced(1000), "200"),
        (announced(1001), "413"),
        (announced(3 << 20), "413"),
        (chunked(1000), "200"),
        (chunked(1100), "413"),
        (chunked(3 << 20), "413"),
    ] {
        let text = served.ask(&request);
        assert!(text.starts_with(&format!("HTTP/1.1 {expected} ")), "{expected}: {text:?}");
        assert_eq!(text.ends_with("1000"), expected == "200", "{text}");
    }
    assert_eq!(served.calls(), 2);
}

/// Break: `catch_unwind` in `respond`.
#[test]
fn m1_a_panic_is_a_500_without_detail_and_the_connection_lives_on() {
    let served = Served::new(ListenerSettings::default());
    let mut stream = served.connect();
    for path in ["/panic", "/panic-early"] {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        let text = answer(&mut stream);
        assert!(text.starts_with("HTTP/1.1 500 ") && !text.contains("canary"), "{text}");
        stream.write_all(GET.as_bytes()).unwrap();
        assert!(answer(&mut stream).ends_with("ok"));
    }
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    let served = Served::new(ListenerSettings::default());
    for request in [
        "\0\0\0\0",
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /x HTTP/9.9\r\n\r\n",
        "GET /x HTTP/1.1\r\nBad Header: 1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
    ] {
        let mut stream = served.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let text = rest(&mut stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{request:?} -> {text}");
    }
    assert_eq!(served.calls(), 0);
    assert!(served.ask("GET /x HTTP/1.0\r\n\r\n").ends_with("ok"));
}

/// Break: `Wish::Finish` in `drain`, or `graceful_shutdown`.
#[test]
fn a_stop_lets_requests_end_and_closes_silent_connections() {
    let served = Served::new(ListenerSettings {
        drain_timeout: HUNG,
        idle_timeout: HUNG,
        header_timeout: HUNG,
        ..ListenerSettings::default()
    });
    let (mut open, mut idle, mut busy) = (served.connect(), served.connect(), served.connect());
    idle.write_all(GET.as_bytes()).unwrap();
    answer(&mut idle);
    busy.write_all(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while served.calls() < 2 {
        std::thread::yield_now();
    }
    let (door, address) = (Arc::clone(&served.door), served.address.unwrap());
    let ender = std::thread::spawn(move || served.end());
    assert_eq!(rest(&mut idle), "");
    assert_eq!(rest(&mut open), "");
    assert!(TcpStream::connect(address).is_err(), "still accepting");
    door.hold.notify_one();
    assert!(rest(&mut busy).ends_with("held"));
    ender.join().unwrap();
}

#[test]
fn a_stop_cuts_off_what_does_not_end_in_time() {
    let served = Served::new(ListenerSettings { drain_timeout: SHORT, ..ListenerSettings::default() });
    let mut busy = served.connect();
    busy.write_all(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while served.calls() < 1 {
        std::thread::yield_now();
    }
    served.end();
    assert_eq!(rest(&mut busy), "");
}

/// Break: `fchmod`, or the peer's credentials.
#[test]
fn l5_a_unix_socket_is_private_and_names_the_user_at_the_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.sock");
    let served = Served::on(Listener::bind_unix(&path, ListenerSettings::default()).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(HUNG)).unwrap();
    stream.write_all(b"GET /peer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let text = rest(&mut stream);
    assert!(text.ends_with(&format!("None Some({uid})")), "{text}");

    let error = Listener::bind_unix(&path, ListenerSettings::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "a live socket is not taken over");
    served.end();
    assert!(!path.exists());
}

#[test]
fn a_dead_unix_socket_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockstep.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(Listener::bind_unix(&path, ListenerSettings::default()).is_ok());
    std::fs::write(&path, b"precious").unwrap();
    assert!(Listener::bind_unix(&path, ListenerSettings::default()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}
