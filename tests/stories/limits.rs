//! The listener's caps from outside: connections, heads, bodies, time (L8). Small limits make the
//! tests short; what is shown is that there is an end, and that others are answered meanwhile.

use std::time::Duration;

use lockstep_stories::{Connection, Lockstep, Running, TOKEN, until};
use lockstep_testkit::servers;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::flight::unread;

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.plain]\nversions = [\"text\"]\n";

fn serve(listen: &str) -> Running {
    Lockstep::serve(format!("[listen]\n{listen}\n{MOCK}").as_str(), &[])
}

/// Lets this process, and what it starts, hold this many connections; a printed SKIP where the machine forbids it.
pub(crate) fn many_files(wanted: usize) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(wanted).unwrap();
    if limit.current.is_none_or(|current| current >= wanted) {
        return true;
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    if !raised {
        servers::skip_here("this machine does not let a process have so many connections");
    }
    raised
}

fn head(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-aws-parameters-secrets-token: {TOKEN}\r\n")
}

// Break: wait for a whole head on the accepting task, or `make_room` in `admit`.
#[test]
fn l8_two_thousand_idle_connections_and_slow_headers_keep_nobody_else_from_an_answer() {
    if !many_files(2500) {
        return;
    }
    // The cap is the default one, and no time ends them.
    let running = serve("header_timeout = \"10m\"\nidle_timeout = \"1h\"");
    let mut idle: Vec<Connection> = (0..2000).map(|_| running.connect()).collect();
    for (index, connection) in idle.iter_mut().enumerate().filter(|(index, _)| index % 4 == 0) {
        let head = head("/api/v1/secrets/plain");
        // The first of them have made room for the last.
        let _ = connection.send(&head.as_bytes()[..=index % (head.len() - 1)]);
    }
    for _ in 0..20 {
        assert_eq!(running.value("plain"), "text");
    }
    // Each of the slow ones that are left is still somebody: the rest of its head gets it an answer.
    let head = head("/api/v1/secrets/plain");
    let slow = &mut idle[1996];
    slow.send(&head.as_bytes()[1 + 1996 % (head.len() - 1)..]).unwrap();
    slow.send("\r\n").unwrap();
    assert_eq!(slow.receive().unwrap().status, 200);
}

// Break: as above.
#[test]
fn l8_who_says_nothing_or_dribbles_is_cut_off_and_makes_room() {
    let running =
        serve("max_connections = 4\nheader_timeout = \"300ms\"\nidle_timeout = \"300ms\"\nbody_timeout = \"300ms\"");
    let silent: Vec<Connection> = (0..4).map(|_| running.connect()).collect();
    // The cap is reached; the silent ones lose their places.
    until("an answer", || (ask(&running)? == 200).then_some(()));
    for connection in silent {
        assert!(connection.closed().is_ok(), "a silent connection stays open");
    }
    let mut dribble = running.connect();
    dribble.send("GET /ping HTTP/1.1\r\nx: ").unwrap();
    until("the end of a dribble", || {
        // A little every now and then does not buy time.
        std::thread::sleep(Duration::from_millis(20));
        dribble.send("x").err()
    });
    let mut body = running.connect();
    body.send(head("/api/v1/invalidate").replace("GET", "POST") + "content-length: 100\r\n\r\n{").unwrap();
    let said = body.closed().expect("a body that never ends is cut off");
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(running.get("/ping").status, 200);
}

/// The status of one read; nothing when the connection was closed at once.
fn ask(running: &Running) -> Option<u16> {
    let mut connection = running.connect();
    connection.send(head("/api/v1/secrets/plain") + "connection: close\r\n\r\n").ok()?;
    Some(connection.receive().ok()?.status)
}

// Break: the cap in `accept`, or `Refusal::Crowded`.
#[test]
fn l8_over_the_cap_a_caller_is_told_429_and_ping_still_answers() {
    let slow = "[providers.m.secrets.slow]\nversions = [\"text\"]\ndelay = \"1h\"\n";
    let config = format!("[listen]\nmax_connections = 8\nidle_timeout = \"1h\"\n{MOCK}{slow}");
    let running = Lockstep::serve(config.as_str(), &[]);
    // A connection that waits for us makes room for nobody.
    let mut held: Vec<Connection> = (0..8).map(|_| running.connect()).collect();
    for connection in &mut held {
        connection.send(head("/ping") + "\r\n").unwrap();
        assert_eq!(connection.receive().unwrap().status, 200);
        connection.send(head("/api/v1/secrets/slow") + "\r\n").unwrap();
    }
    until("eight requests read", || (unread(running.address.port()) == (8, 0)).then_some(()));
    assert_eq!(ask(&running), Some(429));
    let refused = running.get("/secretsmanager/get?secretId=plain");
    assert_eq!((refused.status, refused.text().as_str()), (429, "Connection limit exceeded"));
    assert_eq!(running.get("/api/v1/secrets/plain").member("/code"), "too_many_connections");
    assert_eq!(running.get("/ping").text(), "healthy");
    // Over the few that are told so, connections are closed at once; the one that was longest silent went for them.
    let crowd: Vec<Connection> = (0..200).map(|_| running.connect()).collect();
    assert_eq!(running.get("/ping").text(), "healthy");
    drop(held);
    drop(crowd);
    until("room again", || (ask(&running)? == 200).then_some(()));
}

// Break: `max_header_bytes` or `max_body_bytes` in `connection.rs`.
#[test]
fn l8_a_head_and_a_body_have_an_end() {
    let running = serve("max_header_bytes = \"8KiB\"\nmax_body_bytes = \"4KiB\"");
    let megabyte = "x".repeat(1 << 20);
    for request in [
        head("/ping") + &format!("x-big: {megabyte}\r\n\r\n"),
        head(&format!("/v1/{megabyte}")) + "\r\n",
        head("/ping") + &"x-more: 1\r\n".repeat(100_000) + "\r\n",
        head("/api/v1/invalidate").replace("GET", "POST")
            + &format!("content-length: {}\r\n\r\n{megabyte}", megabyte.len()),
        head("/api/v1/invalidate").replace("GET", "POST")
            + &format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{megabyte}\r\n0\r\n\r\n", megabyte.len()),
        head("/api/v1/invalidate").replace("GET", "POST") + "content-length: 99999999999999999999\r\n\r\n",
        head("/api/v1/invalidate").replace("GET", "POST") + "content-length: 3\r\ncontent-length: 2\r\n\r\nabc",
    ] {
        let start = request[..60].to_owned();
        let mut connection = running.connect();
        // It may be cut off in the middle of what is sent.
        let sent = connection.send(&request);
        match connection.receive() {
            Ok(answer) => assert!((400..500).contains(&answer.status), "{start}: {answer:?}"),
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{start}: it stays open; {sent:?}"),
        }
        assert_eq!(running.value("plain"), "text", "after {start}");
    }
}

// Break: `grow` in `Session::read`, or `drop` of `Begun`.
#[test]
fn l8_bodies_that_never_end_hold_a_bounded_number_of_bytes_in_all_and_of_one_address() {
    let limits = "max_body_bytes = \"4KiB\"\nmax_bodies_bytes = \"16KiB\"\nmax_address_bodies_bytes = \"8KiB\"";
    let running = serve(&format!("{limits}\nbody_timeout = \"10m\""));
    let post = head("/api/v1/invalidate").replace("GET", "POST") + "content-length: 4096\r\n\r\n";
    let told = |from: [u8; 4]| {
        let mut connection = running.connect_from(from);
        connection.send(post.clone() + &"x".repeat(4096)).unwrap();
        connection.receive().map(|answer| answer.status).ok()
    };
    let begin = |from: [u8; 4]| {
        let mut connection = running.connect_from(from);
        connection.send(post.clone() + &"x".repeat(4095)).unwrap();
        connection
    };
    let (one, other, third) = ([127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]);
    assert_eq!(told(one), Some(400), "there is room");
    let mut held = vec![begin(one), begin(one)];
    until("no room for another body of this address", || (told(one)? == 503).then_some(()));
    assert_eq!(told(other), Some(400), "there is room for others");
    held.extend([begin(other), begin(other)]);
    until("no room for another body", || (told(third)? == 503).then_some(()));
    assert_eq!(running.value("plain"), "text", "what has no body needs no room");
    drop(held);
    until("room again", || (told(one)? == 400 && told(third)? == 400).then_some(()));
}
