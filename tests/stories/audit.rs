//! The audit as a chain: what is left of it after the worst, and who finds out.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use lockstep_stories::{Lockstep, Running, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const SECRETS: &str = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.db]\nversions = [\"the-canary-value\"]\n";

fn config(audit: &str) -> String {
    format!("[audit]\nhits = \"full\"\n{audit}\n{SECRETS}")
}

/// What `lockstep audit verify` says, and its exit code.
fn verify(files: &[&str]) -> (Option<i32>, Value) {
    let home = Lockstep::new(None, &[]);
    let output = home.run(&[&["audit", "verify", "--json"], files].concat());
    let found = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.code, found)
}

fn read_with(running: &Running, clients: usize, each: usize) -> usize {
    let answered = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                for _ in 0..each {
                    if running.get("/api/v1/secrets/db").status == 200 {
                        answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    answered.into_inner()
}

// Break: write a record in two parts, or begin no chain after half a line.
#[test]
fn after_kill_9_under_fifty_clients_the_chain_is_whole_up_to_its_last_record_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let file = path.to_str().unwrap();
    let config = config(&format!("sink = {{ file = \"{file}\" }}"));
    let running = Lockstep::serve(config.as_str(), &[]);
    let (address, token) = (running.address, running.token.clone());
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let token = token.clone();
            std::thread::spawn(move || {
                let request = format!(
                    "GET /api/v1/secrets/db HTTP/1.1\r\nhost: {address}\r\nx-aws-parameters-secrets-token: {token}\r\n\r\n"
                );
                let Ok(mut connection) = lockstep_stories::Connection::open(address) else { return };
                // Until the server is gone.
                while connection.send(&request).is_ok() && connection.receive().is_ok() {}
            })
        })
        .collect();
    until("the audit grows", || (std::fs::metadata(&path).ok()?.len() > 200_000).then_some(()));
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    for client in clients {
        client.join().unwrap();
    }
    let (code, found) = verify(&[file]);
    assert_eq!((code, &found["whole"]), (Some(0), &Value::Bool(true)), "{found}");
    let (records, end) = (found["records"].as_u64().unwrap(), found["end"]["seq"].as_u64().unwrap());
    assert_eq!(records, end, "a start, and a record each: {found}");

    // The power went too: half of the last line is gone. It is no break, and it is said.
    let text = std::fs::read(&path).unwrap();
    let cut = text.len() - 40;
    std::fs::write(&path, &text[..cut]).unwrap();
    let (code, found) = verify(&[file]);
    assert_eq!((code, found["records"].as_u64()), (Some(0), Some(records - 1)), "{found}");
    assert!(found["incomplete_bytes"].as_u64().unwrap() > 100, "{found}");

    let again = Lockstep::serve(config.as_str(), &[]);
    assert_eq!(read_with(&again, 2, 5), 10);
    again.stop();
    let (code, found) = verify(&[file]);
    let expected = (Some(0), Some(records - 1 + 10), Some(2));
    assert_eq!((code, found["records"].as_u64(), found["chains"].as_u64()), expected, "{found}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("the-canary-value"), "M1");

    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (what, changed) in [
        ("edited", text.replacen("\"name\":\"db\"", "\"name\":\"dc\"", 1)),
        ("dropped", [&lines[..4], &lines[5..]].concat().concat()),
        ("swapped", [&lines[..4], &[lines[5], lines[4]], &lines[6..]].concat().concat()),
        ("duplicated", [&lines[..5], &lines[4..]].concat().concat()),
    ] {
        std::fs::write(&path, changed).unwrap();
        let (code, found) = verify(&[file]);
        assert_eq!((code, found["broken"]["fault"].as_str()), (Some(1), Some(what)), "{found}");
    }
}

// Break: lose the line that a file is too full for, or `continued`.
#[test]
fn rotation_under_load_loses_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let file = path.to_str().unwrap();
    let sink = format!("sink = {{ file = \"{file}\", rotate_bytes = \"64KiB\", keep = 100 }}");
    let running = Lockstep::serve(config(&sink).as_str(), &[]);
    let answered = read_with(&running, 10, 100);
    running.stop();
    assert!(Path::new(&format!("{file}.2")).exists());
    let (code, found) = verify(&[file]);
    assert_eq!((code, found["records"].as_u64()), (Some(0), Some(answered as u64)), "{found}");
    assert_eq!((answered, found["chains"].as_u64()), (1000, Some(1)));
    std::fs::remove_file(format!("{file}.1")).unwrap();
    let (code, found) = verify(&[&format!("{file}.2"), file]);
    assert_eq!((code, found["broken"]["fault"].as_str()), (Some(1), Some("dropped")), "{found}");
}

/// A small disk of its own, where one may be mounted.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=128k", "tmpfs"];
        let mounted = std::process::Command::new("mount").args(mount).arg(folder.path()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

// Break: the arm of `WhenFull::Block` or of `Drop` in `AuditLines::write`, or `ftruncate` in `AuditFile::put`.
#[test]
fn a_full_disk_refuses_or_counts_as_it_is_told_and_heals() {
    for (policy, refuses) in [("block", true), ("drop", false)] {
        let Some(disk) = Disk::new() else {
            eprintln!("skipped: this user may not mount a disk");
            return;
        };
        let path = disk.0.path().join("audit.jsonl");
        let file = path.to_str().unwrap();
        let running =
            Lockstep::serve(config(&format!("sink = {{ file = \"{file}\" }}\nwhen_full = \"{policy}\"")).as_str(), &[]);
        assert_eq!(running.get("/api/v1/secrets/db").status, 200);
        let filler = disk.0.path().join("filler");
        // Until the last page is taken.
        let _ = std::fs::File::create(&filler).unwrap().write_all(&vec![0; 1 << 20]);
        let answers: Vec<u16> = (0..40).map(|_| running.get("/api/v1/secrets/db").status).collect();
        let wanted = if refuses { 503 } else { 200 };
        assert_eq!(answers.last(), Some(&wanted), "{policy} {answers:?}");
        std::fs::remove_file(&filler).unwrap();
        assert_eq!(running.get("/api/v1/secrets/db").status, 200);
        let metrics = running.get("/metrics").text();
        let said = running.stop().stderr;
        assert_eq!(said.matches("can't write audit records").count(), 1, "{said}");
        let (code, found) = verify(&[file]);
        assert_eq!(code, Some(0), "{found}");
        let lost = found["lost"].as_u64().unwrap();
        assert_eq!(lost > 0, !refuses, "{found}");
        assert!(metrics.contains(&format!("lockstep_audit_lost_total {lost}\n")), "{metrics}");
        if !refuses {
            assert_eq!(found["records"].as_u64().unwrap() + lost, 42, "{found}");
        }
    }
}

/// The ids and bodies of batches, in the order in which they came.
type Batches = Arc<Mutex<Vec<(String, String)>>>;

/// Takes batches; what it does with each is for the script to say: answer with this status, or hang up.
fn receiver(script: Vec<Option<u16>>) -> (String, Batches) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/audit", listener.local_addr().unwrap());
    let taken = Batches::default();
    let batches = Arc::clone(&taken);
    std::thread::spawn(move || {
        let mut script = script.into_iter();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            let body = loop {
                let Ok(read @ 1..) = connection.read(&mut buffer) else { break None };
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() >= length.parse().unwrap() {
                    let id = head.lines().find_map(|line| line.strip_prefix("lockstep-audit-batch: ")).unwrap();
                    break Some((id.to_owned(), body.to_owned()));
                }
            };
            if let Some(batch) = body {
                batches.lock().unwrap().push(batch);
            }
            if let Some(status) = script.next().unwrap_or(Some(204)) {
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = connection.write_all(answer.as_bytes());
            }
        }
    });
    (url, taken)
}

// Break: cut another batch after a failure, or take any answer for a yes.
#[test]
fn a_receiver_that_refuses_and_loses_answers_has_every_record_once_by_its_batch_ids() {
    let (url, taken) = receiver(vec![Some(500), None, Some(302)]);
    let sink = format!("sink = {{ http = \"{url}\", batch_wait = \"50ms\", batch_records = 20 }}");
    let running = Lockstep::serve(config(&sink).as_str(), &[]);
    assert_eq!(read_with(&running, 5, 20), 100);
    running.stop();
    let batches = taken.lock().unwrap().clone();
    let mut seen = std::collections::BTreeMap::new();
    let mut text = String::new();
    for (id, body) in &batches {
        match seen.insert(id.clone(), body.clone()) {
            None => text.push_str(body),
            Some(before) => assert_eq!(before, *body, "the same id, and other bytes"),
        }
    }
    assert!(batches.len() >= seen.len() + 3, "{} of {}", seen.len(), batches.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("received");
    std::fs::write(&path, text).unwrap();
    let (code, found) = verify(&[path.to_str().unwrap()]);
    assert_eq!((code, found["records"].as_u64()), (Some(0), Some(100)), "{found}");
}

// Break: the policy in `AuditDelivery::write`.
#[test]
fn with_nobody_to_take_them_a_full_queue_refuses_or_drops_as_it_is_told() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (policy, wanted) in [("block", 503), ("drop", 200)] {
        let sink = format!("sink = {{ http = \"http://{gone}/\" }}\nqueue = 5\nwhen_full = \"{policy}\"");
        let running = Lockstep::serve(config(&sink).as_str(), &[]);
        let answers: Vec<u16> = (0..10).map(|_| running.get("/api/v1/secrets/db").status).collect();
        assert_eq!((answers[0], answers[9]), (200, wanted), "{policy} {answers:?}");
        running.until_said("the audit's queue is full");
        let said = running.said();
        assert_eq!(said.matches("the audit's queue is full").count(), 1, "{said}");
    }
}
