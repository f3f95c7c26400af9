//! [`LocalFiles`]: whole small files, read with a limit, and files that grow at their end. Nothing else is written.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use lockstep_core::{Error, ErrorKind, FileContent, FileStamp, Files, Result, UnixMillis};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// The file system of this host.
///
/// Only regular files are read; symbolic links are followed, since Kubernetes mounts secrets through them. What is
/// written to is never found through a link.
///
/// # Errors
/// `NotFound` (no such file), `Denied` (permissions), `Config` (a directory, device, socket or pipe), `TooLarge`
/// (longer than the limit), `Unavailable` (the disk failed).
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalFiles;

impl Files for LocalFiles {
    fn read(&self, path: &Path, limit: usize) -> Result<FileContent> {
        // NONBLOCK: opening a pipe must not wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed("open", path, errno))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| failed("read", path, errno))?;
        let stamp = stamp(path, &stat)?;
        let bytes = read_whole(File::from(file), path, stamp.len, limit)?;
        Ok(FileContent { bytes, stamp })
    }

    fn stamp(&self, path: &Path) -> Result<FileStamp> {
        stamp(path, &rustix::fs::stat(path).map_err(|errno| failed("read", path, errno))?)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let file = open_at_end(path, OFlags::WRONLY).map_err(|errno| match errno {
            Errno::LOOP => refused(path, "is a symbolic link; name the file itself"),
            errno => failed("write to", path, errno),
        })?;
        // Held until the file is closed: another process waits its turn, and finds whole lines.
        rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|errno| failed("lock", path, errno))?;
        let before = stamp(path, &rustix::fs::fstat(&file).map_err(|errno| failed("write to", path, errno))?)?;
        if before.mode & 0o077 != 0 {
            return Err(refused(path, "may be opened by others; run `chmod 600` on it"));
        }
        if !before.own {
            return Err(refused(path, "belongs to another user; run `chown` on it"));
        }
        let mut file = File::from(file);
        file.write_all(bytes).map_err(|error| {
            // A full disk takes a part: that part goes again, or what comes next would be written into it.
            let undone = rustix::fs::ftruncate(&file, before.len).err();
            let errno = undone.or_else(|| Errno::from_io_error(&error)).unwrap_or(Errno::IO);
            failed("write to", path, errno)
        })
    }
}

/// Opens a file to write at its end (`WRONLY`), or to read it too (`RDWR`), made with mode 0600 when it is not there. A
/// symbolic link is not followed, and a pipe without a reader not waited for.
pub(crate) fn open_at_end(path: &Path, access: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = access
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK
        | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

/// Reads to the end. The announced length is only a hint: a file may grow, and `/proc` announces nothing. The buffer
/// grows by hand, because a reallocation would leave a copy that nobody wipes.
fn read_whole(mut file: File, path: &Path, announced: u64, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
    let too_large = || {
        let message = format!("{} is larger than {limit} bytes; write a smaller file", path.display());
        Error::new(ErrorKind::TooLarge, message)
    };
    let announced = usize::try_from(announced).ok().filter(|len| *len <= limit).ok_or_else(too_large)?;
    // One byte more than announced, so that the read that finds the end has room.
    let mut bytes = Zeroizing::new(vec![0; announced.max(255) + 1]);
    let mut len = 0;
    loop {
        if len == bytes.len() {
            let mut larger = Zeroizing::new(vec![0; bytes.len() * 2]);
            larger[..len].copy_from_slice(&bytes);
            bytes = larger;
        }
        match file.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                return Err(failed("read", path, errno));
            }
        }
        if len > limit {
            return Err(too_large());
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

fn stamp(path: &Path, stat: &Stat) -> Result<FileStamp> {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Fifo => Some("a pipe"),
        FileType::Socket => Some("a socket"),
        _ => Some("no regular file"),
    };
    if let Some(what) = what {
        let message = format!("{} is {what}; name a regular file", path.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    Ok(FileStamp {
        modified: UnixMillis(seconds.saturating_mul(1000).saturating_add(stat.st_mtime_nsec / 1_000_000)),
        len: u64::try_from(stat.st_size).unwrap_or(0),
        identity: (stat.st_dev, stat.st_ino),
        mode: stat.st_mode & 0o7777,
        own: stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw(),
    })
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{} {why}", path.display()))
}

fn failed(what: &str, path: &Path, errno: Errno) -> Error {
    let path = path.display();
    match errno {
        Errno::NOENT | Errno::NOTDIR => {
            Error::new(ErrorKind::NotFound, format!("there is no file {path}; check the path"))
        }
        Errno::ACCESS | Errno::PERM => {
            let message = format!("may not {what} {path}; give the user of this process the right to");
            Error::new(ErrorKind::Denied, message)
        }
        Errno::LOOP | Errno::NAMETOOLONG => {
            Error::new(ErrorKind::Config, format!("can't {what} {path} ({errno}); check the path"))
        }
        _ => Error::new(ErrorKind::Unavailable, format!("can't {what} {path} ({errno})")),
    }
}

#[cfg(test)]
#[path = "files/tests.rs"]
mod tests;
