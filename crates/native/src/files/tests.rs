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
