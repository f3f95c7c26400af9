use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn a_file_is_read_whole_up_to_the_limit_and_refused_one_byte_later() {
    for len in [0, 1, 255, 256, 257, 1000] {
        let content = vec![b'x'; len];
        let (_folder, path) = file(&content);
        let read = LocalFiles.read(&path, len).unwrap();
        assert_eq!(*read.bytes, content, "{len}");
        assert_eq!(read.stamp.len, len as u64);
        if len > 0 {
            assert_eq!(LocalFiles.read(&path, len - 1).unwrap_err().kind(), ErrorKind::TooLarge, "{len}");
        }
    }
}

#[test]
fn a_file_that_announces_no_length_is_still_bounded() {
    let path = Path::new("/proc/self/status");
    assert!(LocalFiles.read(path, 1 << 20).unwrap().bytes.len() > 256);
    assert_eq!(LocalFiles.read(path, 300).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn directories_devices_pipes_and_missing_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    let cases = [
        (folder.path().to_owned(), ErrorKind::Config),
        (PathBuf::from("/dev/zero"), ErrorKind::Config),
        (pipe, ErrorKind::Config),
        (folder.path().join("absent"), ErrorKind::NotFound),
        (PathBuf::from("/dev/null/x"), ErrorKind::NotFound),
    ];
    for (path, kind) in cases {
        assert_eq!(LocalFiles.read(&path, 10).unwrap_err().kind(), kind, "{}", path.display());
        assert_eq!(LocalFiles.stamp(&path).unwrap_err().kind(), kind, "{}", path.display());
    }
}

#[test]
fn the_stamp_tells_mode_owner_and_a_replaced_file() {
    let (folder, path) = file(b"one");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = LocalFiles.stamp(&path).unwrap();
    assert_eq!((before.mode, before.own, before.len), (0o640, true, 3));
    assert_eq!(LocalFiles.read(&path, 10).unwrap().stamp, before);

    let other = folder.path().join("other");
    std::fs::write(&other, b"two").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_ne!(LocalFiles.stamp(&path).unwrap().identity, before.identity);
}

#[test]
fn a_symbolic_link_is_followed_and_a_loop_is_an_error() {
    let (folder, path) = file(b"value");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(*LocalFiles.read(&link, 10).unwrap().bytes, b"value");

    let looped = folder.path().join("loop");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    assert_eq!(LocalFiles.read(&looped, 10).unwrap_err().kind(), ErrorKind::Config);
}

/// Break: leave `CREATE` its default mode, `APPEND` out, or one of the checks in `append`.
#[test]
fn what_is_appended_stands_in_a_file_of_ones_own_and_in_no_other() {
    let (folder, open) = file(b"open to others");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o640)).unwrap();
    let path = folder.path().join("made");
    LocalFiles.append(&path, b"one\n").unwrap();
    LocalFiles.append(&path, b"two\n").unwrap();
    let read = LocalFiles.read(&path, 100).unwrap();
    assert_eq!((read.bytes.as_slice(), read.stamp.mode), (b"one\ntwo\n".as_slice(), 0o600));

    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let nowhere = folder.path().join("none").join("file");
    for (path, kind) in [
        (open.as_path(), ErrorKind::Config),
        (&link, ErrorKind::Config),
        (folder.path(), ErrorKind::Unavailable),
        (Path::new("/dev/full"), ErrorKind::Config),
        (&nowhere, ErrorKind::NotFound),
    ] {
        assert_eq!(LocalFiles.append(path, b"three").unwrap_err().kind(), kind, "{}", path.display());
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    assert_eq!(std::fs::read(&open).unwrap(), b"open to others");
}

/// Break: leave the lock of `append` out, and write in two pieces.
#[test]
fn what_many_append_at_once_is_there_whole() {
    let (_folder, path) = file(b"");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4_u8 {
            let path = &path;
            scope.spawn(move || {
                let mut line = vec![b'a' + writer; 5000];
                line.push(b'\n');
                (0..25).for_each(|_| LocalFiles.append(path, &line).unwrap());
            });
        }
    });
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.lines().count(), 100);
    assert!(written.lines().all(|line| line.len() == 5000 && line.bytes().all(|byte| byte == line.as_bytes()[0])));
}
