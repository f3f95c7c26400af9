//! A thousand connections ask for one secret that nobody has read before.

use lockstep_stories::{Connection, Running, Upstream, until};
use lockstep_testkit::Gate;
use lockstep_testkit::fake::Action;

use crate::fake_aws;
use crate::limits::many_files;

const READERS: usize = 1000;

/// Connections that are established at this port of loopback, and the bytes that their server has not read yet, as
/// proc(5) tells of `/proc/net/tcp`.
pub(crate) fn unread(port: u16) -> (usize, usize) {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (mut connections, mut bytes) = (0, 0);
    for line in table.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        if words[1].ends_with(&format!(":{port:04X}")) && words[3] == "01" {
            connections += 1;
            bytes += usize::from_str_radix(words[4].split(':').next_back().unwrap(), 16).unwrap();
        }
    }
    (connections, bytes)
}

/// Lets a thousand connections ask while the provider's answer is held back; gives their answers.
fn first_reads(answer: Action) -> (Vec<(u16, String)>, usize) {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.on(fake_aws::ROUTE, [answer.behind(&gate)]);
    let running = fake_aws::serve(&upstream, "[listen]\nmax_connections = 2000\nheader_timeout = \"1m\"\n");
    let mut readers: Vec<Connection> = (0..READERS).map(|_| asking(&running)).collect();
    // All of them wait before the provider says a word: the kernel has handed every byte over, and after that the
    // process has answered others.
    until("a thousand requests read", || (unread(running.address.port()) == (READERS, 0)).then_some(()));
    for _ in 0..50 {
        assert_eq!(running.get("/ping").status, 200);
    }
    upstream.until_seen(1);
    assert_eq!(upstream.total(), 1);
    gate.open();
    let answers = readers.iter_mut().map(|reader| {
        let answer = reader.receive().unwrap();
        let member = if answer.status == 200 { "/value" } else { "/code" };
        (answer.status, answer.member(member))
    });
    let answers = answers.collect();
    (answers, upstream.total())
}

// Break: `single_flight` in core's default settings, or a follower that asks again after a leader's error.
#[test]
fn c7_a_thousand_first_reads_over_a_thousand_connections_are_one_call() {
    if !many_files(READERS + 200) {
        return;
    }
    let (answers, calls) = first_reads(fake_aws::value("db/creds", "value"));
    assert!(answers.iter().all(|answer| *answer == (200, "value".to_owned())), "{answers:?}");
    assert_eq!(calls, 1);
}

// Break: as above.
#[test]
fn c7_a_thousand_first_reads_are_one_call_also_when_it_fails() {
    if !many_files(READERS + 200) {
        return;
    }
    let (answers, calls) = first_reads(fake_aws::down());
    assert!(answers.iter().all(|answer| *answer == (503, "unavailable".to_owned())), "{answers:?}");
    assert_eq!(calls, 1);
}

/// A connection that has asked for the secret.
fn asking(running: &Running) -> Connection {
    let mut reader = running.connect();
    let token = &running.token;
    let line = "GET /api/v1/secrets/db/creds HTTP/1.1\r\nhost: localhost";
    reader.send(format!("{line}\r\nx-aws-parameters-secrets-token: {token}\r\n\r\n")).unwrap();
    reader
}

// Break: `Drop` of core's `Leader`, or let followers share the leader's fate.
#[test]
fn c7_who_waits_gets_the_value_when_the_one_who_asked_first_goes_away() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.on(fake_aws::ROUTE, [fake_aws::value("db/creds", "value").behind(&gate)]);
    let running = fake_aws::serve(&upstream, "");
    let first = asking(&running);
    upstream.until_seen(1);
    let mut second = asking(&running);
    until("two requests read", || (unread(running.address.port()) == (2, 0)).then_some(()));
    drop(first);
    until("the end of the first", || (unread(running.address.port()).0 == 1).then_some(()));
    gate.open();
    let answer = second.receive().unwrap();
    assert_eq!((answer.status, answer.member("/value")), (200, "value".to_owned()));
    assert!(upstream.total() <= 2, "{}", upstream.total());
    assert_eq!(running.get("/api/v1/secrets/db/creds").header("cache-status"), "lockstep; hit");
}

// Break: the comparison with the fence in core's `Cache::insert`, or the repeated fetch.
#[test]
fn c10_an_invalidation_during_a_fetch_keeps_the_older_value_from_everybody() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    let old = fake_aws::value("db/creds", "old value").behind(&gate);
    upstream.on(fake_aws::ROUTE, [old, fake_aws::value("db/creds", "new value")]);
    let running = fake_aws::serve(&upstream, "");
    let mut reader = asking(&running);
    upstream.until_seen(1);
    let done = running.send("POST", "/api/v1/invalidate", &[], br#"{"name":"db/creds"}"#);
    assert!(done.status < 300, "{done:?}");
    gate.open();
    assert_eq!(reader.receive().unwrap().member("/value"), "new value");
    let next = running.get("/api/v1/secrets/db/creds");
    assert_eq!((next.member("/value").as_str(), next.header("cache-status")), ("new value", "lockstep; hit"));
    assert_eq!(upstream.total(), 2);
}
