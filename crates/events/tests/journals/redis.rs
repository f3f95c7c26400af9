//! The journal in Redis, on Debian's Redis 7: the product.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockstep_core::{Cursor, ErrorKind, Journal, Pem, TlsProfile};
use lockstep_testkit::fake::Cut;
use lockstep_testkit::journal::{JournalHarness as _, change, changes, run, run_damaged};
use lockstep_testkit::servers::{self, RedisServer, free_port};
use lockstep_testkit::{TestEnv, require, server_certificate};

use crate::call_of;
use crate::redis_server::{DAMAGES, Redises, at, journal};

/// More than a test appends.
const ALL: usize = 10_000;

fn ids(feed: &lockstep_core::Feed) -> Vec<String> {
    feed.changes.iter().map(|(_, change)| change.id.to_string()).collect()
}

/// Break: any line of `append.lua`, or a check in `range_of` and `newest_of`.
#[tokio::test]
async fn the_journal_in_redis_keeps_the_contract() {
    let redises = Redises::start(require!(servers::redis())).await;
    let ran = run(&redises).await;
    assert_eq!(ran.len(), 14, "{ran:?}");
}

/// Break: leave `sound` out of the script, or a bound or shape out of `feed`.
#[tokio::test]
async fn e7_whoever_writes_to_redis_causes_gaps_and_errors_and_nothing_else() {
    let redises = Redises::start(require!(servers::redis())).await;
    assert_eq!(run_damaged(&redises).await, DAMAGES.len());
}

/// Break: leave the second try out of `ask`, or the look at the ids out of the script.
#[tokio::test]
async fn a_connection_cut_before_or_after_the_answer_appends_once() {
    let redises = Redises::start(require!(servers::redis())).await;
    let journal = redises.open("cut").await;
    journal.append(&redises.call(), &changes(1)).await.unwrap();
    for (nth, cut) in [(1, Cut::BeforeTaken), (2, Cut::AfterTaken), (3, Cut::AfterTaken)] {
        redises.proxy.arm(cut, "XADD", 1);
        let head = journal.append(&redises.call(), &[change(nth)]).await.unwrap();
        assert_eq!((redises.proxy.cuts(), head.seq), (nth, nth as u64 + 1), "{cut:?}");
    }
    // So is a check: the connection that was kept is replaced.
    redises.proxy.arm(Cut::AfterTaken, "XRANGE", 1);
    let feed = journal.since(&redises.call(), Some(redises.append("cut", &[]).await), ALL).await.unwrap();
    assert!(!feed.gap && feed.changes.is_empty());
    assert_eq!(ids(&redises.since("cut", None, ALL).await).len(), 4);
}

/// Acknowledged means on the disk, with `appendfsync always`: killed at any moment, nothing that was acknowledged is gone.
/// Break: answer an append before the script has run.
#[tokio::test]
async fn redis_killed_with_9_and_started_again_has_lost_nothing_acknowledged_and_says_gap() {
    let program = require!(servers::redis());
    let folder = tempfile::tempdir().unwrap();
    let mut server = RedisServer::start(program, folder.path(), &[]);
    let call = || call_of(Duration::from_secs(20));
    let mut acknowledged = 0;
    for round in 1..=3 {
        let journal = journal("killed", at(server.port(), None), None);
        let (heard, sent) = (AtomicUsize::new(acknowledged), acknowledged);
        let appending = async {
            let mut last = None;
            for nth in sent.. {
                let Ok(cursor) = journal.append(&call(), &[change(nth)]).await else { break };
                last = Some(cursor);
                heard.store(nth + 1, Ordering::SeqCst);
            }
            last.unwrap()
        };
        let killing = async {
            // As soon as this many are through, in the middle of what comes next.
            while heard.load(Ordering::SeqCst) < sent + 20 * round {
                tokio::task::yield_now().await;
            }
            server.kill();
        };
        let (cursor, ()) = tokio::join!(appending, killing);
        acknowledged = heard.load(Ordering::SeqCst);
        server.run();
        let after = journal.since(&call(), Some(cursor), ALL).await.unwrap();
        assert!(after.gap, "nobody can tell a restart that lost nothing from one that did");
        let there = ids(&after);
        let expected: Vec<_> = changes(acknowledged).iter().map(|change| change.id.to_string()).collect();
        assert!(there.starts_with(&expected), "{acknowledged} were acknowledged, and there are {}", there.len());
        // What nobody heard of may be there, and is there once when it is told again.
        let told = journal.append(&call(), &[change(acknowledged)]).await.unwrap();
        acknowledged += 1;
        let once = journal.since(&call(), None, ALL).await.unwrap();
        assert_eq!((ids(&once).len(), once.head), (acknowledged, told));
    }
}

/// Break: leave `run_id` out of the epoch.
#[tokio::test]
async fn a_restored_snapshot_a_flush_and_a_failover_are_gaps_even_when_as_much_is_there_as_before() {
    let program = require!(servers::redis());
    let call = || call_of(Duration::from_secs(20));
    let [folder, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut server = RedisServer::start(program.clone(), folder.path(), &[]);
    let primary = journal("moved", at(server.port(), None), None);
    primary.append(&call(), &changes(3)).await.unwrap();

    // A snapshot of the files, and two changes that it does not have.
    server.kill();
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    server.run();
    let head = primary.append(&call(), &[change(3), change(4)]).await.unwrap();
    server.kill();
    copy(copied.path(), folder.path());
    server.run();
    let again = primary.append(&call(), &[change(8), change(9)]).await.unwrap();
    assert_eq!(again.seq, head.seq, "as many as before");
    let feed = primary.since(&call(), Some(head), ALL).await.unwrap();
    assert!(feed.gap, "the numbers are the same, and what they count is not");
    assert_eq!(ids(&feed)[3..], ["id-8", "id-9"]);

    // A replica takes over.
    let replica = RedisServer::start(program, other.path(), &["--replicaof", &format!("127.0.0.1 {}", server.port())]);
    while !replica.cli(&["INFO", "replication"]).contains("master_link_status:up") {}
    let on_replica = journal("moved", at(replica.port(), None), None);
    let error = on_replica.append(&call(), &[change(10)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("replica"), "{error}");
    server.kill();
    replica.done(&["REPLICAOF", "NO", "ONE"]);
    let feed = on_replica.since(&call(), Some(again), ALL).await.unwrap();
    assert!(feed.gap, "what the replica had not heard of, nobody knows");
    assert_eq!(ids(&feed).len(), 5);
    let head = on_replica.append(&call(), &[change(10)]).await.unwrap();

    replica.done(&["FLUSHALL"]);
    assert!(on_replica.since(&call(), Some(head), ALL).await.unwrap().gap);
    on_replica.append(&call(), &changes(6)).await.unwrap();
    assert!(on_replica.since(&call(), Some(head), ALL).await.unwrap().gap);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::remove_dir_all(to.join("appendonlydir")).ok();
    let status = std::process::Command::new("cp").arg("-a").arg(from.join("appendonlydir")).arg(to).status().unwrap();
    assert!(status.success());
}

/// Break: either line below `if seq - trimmed > keep`.
#[tokio::test]
async fn ten_thousand_entries_are_kept_and_what_goes_before_them_is_a_gap() {
    let redises = Redises::start(require!(servers::redis())).await;
    let first = redises.append("many", &changes(1)).await;
    redises.append("many", &changes(10_050)).await;
    let kept = |command, part| redises.server.done(&[command, &format!("{{many}}:{part}")]).trim().to_owned();
    assert_eq!((kept("XLEN", "entries"), kept("ZCARD", "ids")), ("10000".to_owned(), "10000".to_owned()));
    let feed = redises.since("many", Some(Cursor { seq: 49, ..first }), 3).await;
    assert!(feed.gap);
    assert_eq!(ids(&feed), ["id-10047", "id-10048", "id-10049"]);
    let feed = redises.since("many", Some(Cursor { seq: 50, ..first }), 3).await;
    assert!(!feed.gap);
    assert_eq!(ids(&feed), ["id-50", "id-51", "id-52"]);
}

/// Break: any arm of `refusal`, or the login.
#[tokio::test]
async fn a_password_is_asked_for_and_a_wrong_one_is_said_so_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(require!(servers::redis()), folder.path(), &["--requirepass", "c4n4ry-right"]);
    let call = || call_of(Duration::from_secs(20));
    let env = TestEnv::of(&[("RIGHT", "c4n4ry-right"), ("WRONG", "c4n4ry-wrong")]);
    let with = |variable| journal("locked", at(server.port(), None), Some((variable, &*env)));
    with("RIGHT").append(&call(), &changes(1)).await.unwrap();
    let missing = journal("locked", at(server.port(), None), None);
    for (journal, word) in [(with("WRONG"), "does not accept"), (missing, "asks for a password")] {
        for error in [
            journal.since(&call(), None, 1).await.unwrap_err(),
            journal.append(&call(), &changes(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert!(error.message().contains(word), "{error}");
            assert!(!format!("{error:?} {journal:?}").contains("c4n4ry"), "{error:?}");
        }
    }
}

/// Break: connect without TLS when it is asked for, or trust anybody.
#[tokio::test]
async fn with_tls_the_servers_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = server_certificate("127.0.0.1");
    let [pem, key_file] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&pem, &certificate).unwrap();
    std::fs::write(&key_file, &key).unwrap();
    let port = free_port().unwrap();
    let (pem_text, key_text) = (pem.display().to_string(), key_file.display().to_string());
    let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", &pem_text, "--tls-key-file", &key_text];
    let arguments = [&tls[..], &["--tls-auth-clients", "no"]].concat();
    let _server = RedisServer::start(require!(servers::redis()), folder.path(), &arguments);
    let call = || call_of(Duration::from_secs(20));
    let trusting = TlsProfile { ca: Some(Pem::File(pem.into())), client: None };
    journal("safe", at(port, Some(trusting)), None).append(&call(), &changes(2)).await.unwrap();
    let wary = journal("safe", at(port, Some(TlsProfile::default())), None);
    assert_eq!(wary.since(&call(), None, 1).await.unwrap_err().kind(), ErrorKind::Tls);
}
