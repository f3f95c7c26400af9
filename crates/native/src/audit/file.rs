//! [`AuditFile`]: a file that lines are put to the end of, by one process or several, and that others are made of when it
//! is long enough.
//!
//! Each line is written under the file's lock, to the file that the path names at that time: whoever moves it away
//! (another process that rotates, or `logrotate`) takes no line with it that comes later. A line that the disk has taken a
//! part of is taken back.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstep_core::{ChainHash, ChainPlace, ChainTail};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Begin;
use crate::files::open_at_end;

/// What of the end of a file is looked at for the last line of a chain.
const TAIL_BYTES: u64 = 256 << 10;
/// What a chain adds to a line, about.
const CHAINED_BYTES: u64 = 128;
/// How often the lock is tried, and how long is waited in between. Whoever has it keeps it for as long as a line takes.
const LOCK_ATTEMPTS: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(1);
/// How often in a row the file may be moved away before a line is in it.
const MOVES: u32 = 8;

/// When a file is full, and how many full ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// A file does not grow beyond this; it grows without end if nothing is said.
    pub bytes: Option<u64>,
    /// How many files are kept beside the one that is written to.
    pub keep: u32,
}

/// The file that is written to.
pub(super) struct AuditFile {
    path: PathBuf,
    rotation: Rotation,
    file: Option<File>,
    /// Where it ended after the last line. Where it ends elsewhere, somebody else has written.
    end: Option<u64>,
    /// The last line of the file that was written to before this one.
    left: Option<ChainHash>,
    /// It was moved away, and no line is in this one yet.
    moved: bool,
    /// Files could not be moved, and the log was told.
    stuck: bool,
}

impl AuditFile {
    /// Opens it, and says what is wrong with it.
    pub(super) fn open(path: &Path, rotation: Rotation) -> Result<Self, String> {
        let file = open_at_end(path, OFlags::RDWR).map_err(|errno| errno.to_string())?;
        let is_file = rustix::fs::fstat(&file).is_ok_and(|stat| is_file(&stat));
        if !is_file {
            return Err("it is no regular file".to_owned());
        }
        let file = Some(File::from(file));
        Ok(Self { path: path.to_owned(), rotation, file, end: None, left: None, moved: false, stuck: false })
    }

    /// Takes the lock, and finds where the next line of this length goes. The lock is held until [`AuditFile::put`].
    pub(super) fn begin(&mut self, last: Option<ChainHash>, length: u64) -> io::Result<Begin> {
        let begin = self.locked().and_then(|len| {
            let most = self.rotation.bytes.unwrap_or(u64::MAX);
            let is_full = len > 0 && len.saturating_add(length + CHAINED_BYTES) > most;
            let is_ours = self.end == Some(len);
            let len = if is_full { self.rotate(is_ours)? } else { len };
            self.place(len, last)
        });
        if begin.is_err() {
            self.unlock();
        }
        begin
    }

    /// Writes, all or nothing, and gives the lock back.
    pub(super) fn put(&mut self, text: &str) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let before = self.end.unwrap_or_default();
        let written = file.write_all(text.as_bytes());
        match &written {
            Ok(()) => {
                self.end = Some(before + text.len() as u64);
                (self.left, self.moved) = (None, false);
            }
            // A full disk has taken a part. Where it can't be taken back, the next line finds it.
            Err(_) => {
                if rustix::fs::ftruncate(&*file, before).is_err() {
                    self.end = None;
                }
            }
        }
        self.unlock();
        written
    }

    /// Locks the file that the path names, and says how long it is.
    fn locked(&mut self) -> io::Result<u64> {
        for _ in 0..MOVES {
            let file = if let Some(file) = self.file.take() {
                file
            } else {
                self.end = None;
                File::from(open_at_end(&self.path, OFlags::RDWR)?)
            };
            lock(&file)?;
            let stat = rustix::fs::fstat(&file)?;
            // A symbolic link is not followed: what it leads to is not this file.
            let named = rustix::fs::lstat(&self.path);
            if named.is_ok_and(|named| (named.st_dev, named.st_ino) == (stat.st_dev, stat.st_ino)) {
                if !is_file(&stat) {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                self.file = Some(file);
                return Ok(u64::try_from(stat.st_size).unwrap_or_default());
            }
            self.leave(&file);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// This file is not the one that is written to any more.
    fn leave(&mut self, file: &File) {
        let tail = file.metadata().and_then(|meta| tail_of(file, meta.len()));
        self.left = tail.ok().and_then(|tail| ChainTail::of(&tail).previous);
        self.moved = true;
    }

    /// What has to stand before the next line.
    fn place(&mut self, len: u64, last: Option<ChainHash>) -> io::Result<Begin> {
        if self.end == Some(len) {
            return Ok(Begin { continued: len == 0 && last.is_some(), ..Begin::default() });
        }
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let tail = ChainTail::of(&tail_of(file, len)?);
        self.end = Some(len);
        let is_ours = last.is_some() && tail == ChainTail { previous: last, torn: 0, unended: false };
        if is_ours {
            return Ok(Begin::default());
        }
        // An empty file follows what was written before it.
        let before = || self.left.or(last).or_else(|| self.last_rotated());
        let previous = if len == 0 { before() } else { tail.previous };
        let offset = Some(len + u64::from(tail.unended));
        let start = Some(ChainPlace { previous, torn: tail.torn, offset, moved: self.moved });
        Ok(Begin { line_break: tail.unended, start, continued: false })
    }

    /// The end of the newest file that was moved away.
    fn last_rotated(&self) -> Option<ChainHash> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(self.numbered(1), flags, Mode::empty()).ok()?);
        let stat = rustix::fs::fstat(&file).ok().filter(is_file)?;
        ChainTail::of(&tail_of(&file, u64::try_from(stat.st_size).ok()?).ok()?).previous
    }

    /// Moves the file away and begins another. Where that can't be done, this one goes on: no line is lost for it.
    fn rotate(&mut self, is_ours: bool) -> io::Result<u64> {
        let moved =
            (1..self.rotation.keep.max(1)).rev().map(|number| (self.numbered(number), self.numbered(number + 1)));
        let newest = (self.path.clone(), self.numbered(1));
        for (from, to) in moved.chain([newest]) {
            match rustix::fs::rename(&from, &to) {
                Ok(()) => {}
                Err(Errno::NOENT) if from != self.path => {}
                Err(errno) => {
                    if !std::mem::replace(&mut self.stuck, true) {
                        tracing::error!(%errno, "can't move full audit files; the one that is written to grows on");
                    }
                    return self.length();
                }
            }
        }
        self.stuck = false;
        // The old file's lock goes with it. Whoever waits for it finds that the path names another file.
        if let Some(file) = self.file.take() {
            self.leave(&file);
        }
        let len = self.locked()?;
        // It is the next file of this chain, unless somebody else has ended the old one or begun this one.
        self.end = (is_ours && len == 0).then_some(0);
        Ok(len)
    }

    fn length(&self) -> io::Result<u64> {
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        Ok(file.metadata()?.len())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }

    fn unlock(&mut self) {
        if let Some(file) = &self.file
            && rustix::fs::flock(file, FlockOperation::Unlock).is_err()
        {
            // The lock goes with the file.
            self.file = None;
        }
    }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Waits for the lock, but not for somebody who never gives it back.
fn lock(file: &File) -> io::Result<()> {
    for _ in 0..LOCK_ATTEMPTS {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

fn tail_of(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let kept = len.min(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(kept).unwrap_or_default()];
    file.read_exact_at(&mut tail, len - kept)?;
    Ok(tail)
}
