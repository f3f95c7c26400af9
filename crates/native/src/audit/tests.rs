use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use lockstep_core::{Outcome, UnixMillis};

use super::*;

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
    AuditLines::file(&path).unwrap().write(&record("one"));
    AuditLines::file(&path).unwrap().write(&record("two"));
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
        assert_eq!(AuditLines::file(path).unwrap_err().kind(), ErrorKind::Config, "{}", path.display());
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

/// Break: drop `torn`, or the count.
#[test]
fn lost_records_are_counted_and_a_cut_line_is_not_glued_to_the_next() {
    let (written, room) = (Arc::default(), Arc::new(AtomicU64::new(10)));
    let audit = AuditLines::to(Box::new(Full { written: Arc::clone(&written), room: Arc::clone(&room) }));
    audit.write(&record("one"));
    audit.write(&record("two"));
    assert_eq!(audit.lost(), 2);
    room.store(10_000, Ordering::Relaxed);
    audit.write(&record("three"));
    audit.write(&record("four"));
    assert_eq!(audit.lost(), 2);
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0].len(), 10);
    assert!(lines[1].contains("three") && lines[2].contains("four"), "{text}");
}

#[test]
fn lines_of_many_threads_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = AuditLines::file(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| audit.write(&record(&"n".repeat(300)))));
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 400);
    let first = text.lines().next().unwrap();
    assert!(text.lines().all(|line| line == first));
}
