use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use lockstep_core::{ChainFault, ChainReport, ChainVerifier, Outcome, SecretValue, UnixMillis};

use super::*;
use crate::{OsRandom, SystemClock};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn plain() -> AuditSettings {
    AuditSettings {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(OsRandom::new()),
        chain: false,
        key: None,
        when_full: WhenFull::Drop,
    }
}

fn chained() -> AuditSettings {
    AuditSettings { chain: true, ..plain() }
}

fn open(path: &Path, settings: AuditSettings) -> AuditLines {
    AuditLines::file(path, Rotation::default(), settings).unwrap()
}

/// What is found in these files, the oldest first.
fn verify(paths: &[&Path], keys: Vec<ChainKey>) -> ChainReport {
    let mut verifier = ChainVerifier::new(keys);
    for (at, path) in paths.iter().enumerate() {
        if at > 0 {
            verifier.next_file();
        }
        verifier.feed(&std::fs::read(path).unwrap());
    }
    verifier.finish()
}

fn whole(paths: &[&Path]) -> ChainReport {
    let report = verify(paths, Vec::new());
    assert_eq!(report.broken, None, "{report:?}");
    report
}

fn numbered(path: &Path, number: u32) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn record(name: &str) -> AuditRecord {
    AuditRecord {
        at: UnixMillis(0),
        request_id: "r1".into(),
        principal: "local".into(),
        peer: None,
        action: "get",
        provider: None,
        name: name.into(),
        version: None,
        outcome: Outcome::Released,
        cached: true,
        policy: None,
        count: 1,
    }
}

#[test]
fn a_file_is_made_private_and_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    open(&path, plain()).write(&record("one")).unwrap();
    open(&path, plain()).write(&record("two")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_symbolic_link_a_directory_and_a_device_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
    for path in [link.as_path(), folder.path(), Path::new("/dev/null")] {
        let error = AuditLines::file(path, Rotation::default(), chained()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{}", path.display());
    }
    assert!(!folder.path().join("target").exists());
}

/// Takes this many bytes, then fails; `allow` gives more.
struct Full {
    written: Arc<Mutex<Vec<u8>>>,
    room: Arc<AtomicU64>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.room.load(Ordering::Relaxed)).unwrap().min(bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(room as u64, Ordering::Relaxed);
        self.written.lock().unwrap().extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn full(room: u64, settings: AuditSettings) -> (AuditLines, Arc<AtomicU64>, impl Fn() -> String) {
    let (written, room) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::new(AtomicU64::new(room)));
    let audit = AuditLines::to(Box::new(Full { written: Arc::clone(&written), room: Arc::clone(&room) }), settings);
    (audit, room, move || String::from_utf8(written.lock().unwrap().clone()).unwrap())
}

/// Break: drop `unended`, or the count.
#[test]
fn lost_records_are_counted_and_a_cut_line_is_not_glued_to_the_next() {
    let (audit, room, text) = full(10, plain());
    audit.write(&record("one")).unwrap();
    audit.write(&AuditRecord { count: 4, ..record("two") }).unwrap();
    assert_eq!((audit.lost(), audit.is_ready()), (5, true));
    room.store(10_000, Ordering::Relaxed);
    audit.write(&record("three")).unwrap();
    audit.write(&record("four")).unwrap();
    assert_eq!(audit.lost(), 5);
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0].len(), 10);
    assert!(lines[1].contains("\"action\":\"lost\"") && lines[1].contains("\"count\":5"), "{text}");
    assert!(lines[2].contains("three") && lines[3].contains("four"), "{text}");
}

/// Break: the arm of `WhenFull::Block` in `AuditLines::write`, or `is_ready`.
#[test]
fn what_blocks_refuses_and_loses_nothing() {
    let (audit, room, text) = full(0, AuditSettings { when_full: WhenFull::Block, ..chained() });
    let error = audit.write(&record("one")).unwrap_err();
    assert_eq!((error.kind(), audit.is_ready(), audit.lost()), (ErrorKind::Unavailable, false, 0));
    room.store(10_000, Ordering::Relaxed);
    audit.write(&record("two")).unwrap();
    assert!(audit.is_ready());
    assert!(!text().contains("lost"), "{}", text());
}

/// Break: `torn` in `Stream::begin`.
#[test]
fn a_stream_that_was_cut_in_any_line_of_a_chain_is_whole_again_after_it() {
    for allowed in 0..1500 {
        let (audit, room, text) = full(allowed, chained());
        for name in ["one", "two", "three"] {
            audit.write(&record(name)).unwrap();
        }
        let lost = audit.lost();
        room.store(100_000, Ordering::Relaxed);
        for name in ["four", "five"] {
            audit.write(&record(name)).unwrap();
        }
        let mut verifier = ChainVerifier::new(Vec::new());
        verifier.feed(text().as_bytes());
        let report = verifier.finish();
        assert_eq!((&report.broken, report.lost, report.records + lost), (&None, lost, 5), "{allowed}\n{}", text());
    }
}

/// Break: `previous` in `AuditFile::place`.
#[test]
fn each_process_begins_a_chain_that_follows_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for _ in 0..3 {
        open(&path, chained()).write(&record("one")).unwrap();
    }
    let report = whole(&[&path]);
    assert_eq!((report.chains, report.records, report.follows), (3, 3, None));
}

/// Break: `torn` or `line_break` in `AuditFile::place`.
#[test]
fn a_file_that_ends_in_half_a_line_goes_on_in_the_next_and_keeps_the_half() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    open(&path, chained()).write(&record("one")).unwrap();
    let text = std::fs::read(&path).unwrap();
    for cut in text.len() - 250..text.len() {
        std::fs::write(&path, &text[..cut]).unwrap();
        open(&path, chained()).write(&record("two")).unwrap();
        let report = whole(&[&path]);
        assert_eq!(report.chains, 2, "{cut}");
        assert!(std::fs::read(&path).unwrap().starts_with(&text[..cut]), "{cut}");
    }
}

/// Two processes are two open files here. Break: the look at `end` in `AuditFile::place`, or the lock.
#[test]
fn processes_that_write_to_one_file_at_once_leave_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let rotation = Rotation { bytes: Some(64 << 10), keep: 100 };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let audit = AuditLines::file(&path, rotation, chained()).unwrap();
            scope.spawn(move || (0..200).for_each(|_| audit.write(&record("one")).unwrap()));
        }
    });
    let files: Vec<_> = (1..=100).rev().map(|number| numbered(&path, number)).filter(|path| path.exists()).collect();
    assert!(files.len() > 1, "{files:?}");
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).chain([&*path]).collect();
    assert_eq!(whole(&files).records, 600);
}

/// Break: `rotate`, or `continued` in `AuditFile::place`.
#[test]
fn rotation_loses_nothing_and_keeps_so_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let rotation = Rotation { bytes: Some(4 << 10), keep: 3 };
    let audit = AuditLines::file(&path, rotation, chained()).unwrap();
    let first = (0..1000).find(|_| {
        audit.write(&record("one")).unwrap();
        numbered(&path, 3).exists()
    });
    let first = first.unwrap() + 1;
    let (one, two, three) = (numbered(&path, 1), numbered(&path, 2), numbered(&path, 3));
    let report = whole(&[&three, &two, &one, &path]);
    assert_eq!((report.records, report.chains, report.follows), (first, 1, None));
    for file in [&path, &one, &two, &three] {
        let meta = std::fs::metadata(file).unwrap();
        assert!(meta.len() <= 4 << 10, "{}", meta.len());
        assert_eq!(meta.permissions().mode() & 0o077, 0);
    }
    (0..100).for_each(|_| audit.write(&record("one")).unwrap());
    assert!(!numbered(&path, 4).exists());
    let report = whole(&[&three, &two, &one, &path]);
    assert!(report.follows.is_some(), "what was thrown away is named");
    assert_eq!(report.broken, None);
    // The next process goes on where this one ended, and each file can be looked at alone.
    drop(audit);
    std::fs::rename(&path, numbered(&path, 1)).unwrap();
    AuditLines::file(&path, rotation, chained()).unwrap().write(&record("one")).unwrap();
    assert_eq!(whole(&[&one, &path]).chains, 1);
    whole(&[&path]);
}

/// Break: `lstat` in `AuditFile::locked`.
#[test]
fn a_file_that_is_moved_or_removed_by_others_takes_no_later_line_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = open(&path, chained());
    audit.write(&record("one")).unwrap();
    let moved = folder.path().join("moved");
    std::fs::rename(&path, &moved).unwrap();
    audit.write(&record("two")).unwrap();
    assert_eq!(whole(&[&moved, &path]).records, 2);
    std::fs::remove_file(&path).unwrap();
    audit.write(&record("three")).unwrap();
    assert!(whole(&[&path]).follows.is_some());
    // Emptied in place, as `copytruncate` does.
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    audit.write(&record("four")).unwrap();
    assert!(whole(&[&path]).follows.is_some());
    // A link that is put in its place is not followed.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(folder.path().join("target"), &path).unwrap();
    audit.write(&record("five")).unwrap();
    assert!(!folder.path().join("target").exists());
    assert_eq!(audit.lost(), 1);
}

/// Break: `moved` in `AuditFile::leave`, `place` or `put`.
#[test]
fn a_file_that_is_moved_by_others_and_begun_by_another_process_is_whole_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = open(&path, chained());
    audit.write(&record("one")).unwrap();
    let moved = folder.path().join("moved");
    std::fs::rename(&path, &moved).unwrap();
    let other = open(&path, chained());
    other.write(&record("two")).unwrap();
    audit.write(&record("three")).unwrap();
    audit.write(&record("four")).unwrap();
    other.write(&record("five")).unwrap();
    let report = whole(&[&path]);
    assert_eq!((report.records, report.elsewhere), (4, 1));
    // What it has written into this one since has to be there.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.split_inclusive('\n').take(2).collect::<String>()).unwrap();
    audit.write(&record("six")).unwrap();
    assert_eq!(verify(&[&path], Vec::new()).broken.map(|broken| broken.fault), Some(ChainFault::Dropped));
}

/// Break: `chain.as_ref()` in `Target::compose`.
#[test]
fn lines_that_are_cut_out_while_the_file_is_written_to_are_missed_by_who_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = open(&path, chained());
    (0..5).for_each(|_| audit.write(&record("one")).unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in 1..lines.len() {
        std::fs::write(&path, lines[..kept].concat()).unwrap();
        audit.write(&record("after")).unwrap();
        let broken = verify(&[&path], Vec::new()).broken.unwrap();
        assert_eq!((broken.line, broken.fault), (kept as u64 + 1, ChainFault::Dropped));
        std::fs::write(&path, &text).unwrap();
    }
}

/// Break: the way back in `AuditFile::rotate`.
#[test]
fn where_full_files_can_not_be_moved_the_one_at_hand_grows_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // A folder that is not empty can't be replaced by a file.
    std::fs::create_dir_all(numbered(&path, 1).join("x")).unwrap();
    let rotation = Rotation { bytes: Some(2 << 10), keep: 1 };
    let audit = AuditLines::file(&path, rotation, chained()).unwrap();
    (0..20).for_each(|_| audit.write(&record("one")).unwrap());
    assert_eq!((whole(&[&path]).records, audit.lost()), (20, 0));
    std::fs::remove_dir_all(numbered(&path, 1)).unwrap();
    audit.write(&record("one")).unwrap();
    assert_eq!(whole(&[&numbered(&path, 1), &path]).records, 21);
}

/// Break: the count of attempts in `lock`.
#[test]
fn somebody_who_keeps_the_lock_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = open(&path, AuditSettings { when_full: WhenFull::Block, ..chained() });
    let held = File::open(&path).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(audit.write(&record("one")).is_err());
    drop(held);
    audit.write(&record("two")).unwrap();
    assert_eq!(whole(&[&path]).records, 1);
}

#[test]
fn lines_of_before_there_was_a_chain_stay_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    open(&path, plain()).write(&record("one")).unwrap();
    open(&path, chained()).write(&record("two")).unwrap();
    let report = whole(&[&path]);
    assert_eq!((report.unchained, report.records), (1, 1));
}

#[test]
fn a_chain_with_a_key_is_whole_to_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let key = ChainKey::new(&SecretValue::from(KEY)).unwrap();
    open(&path, AuditSettings { key: Some(Arc::new(key.clone())), ..chained() }).write(&record("one")).unwrap();
    let report = verify(&[&path], vec![key]);
    assert_eq!((report.broken, report.keyed), (None, true));
    assert_eq!(verify(&[&path], Vec::new()).broken.unwrap().fault, ChainFault::Key);
    assert!(!std::fs::read_to_string(&path).unwrap().contains(KEY));
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = open(&path, plain());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| audit.write(&record(&"n".repeat(300))).unwrap()));
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 400);
    let first = text.lines().next().unwrap();
    assert!(text.lines().all(|line| line == first));
}
