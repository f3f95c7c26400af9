//! [`AuditLines`]: audit records as JSON lines, to standard error, standard output or a file.
//!
//! A line is written with one call, so that lines of several processes don't mix. A record that can't be written is
//! counted, and the log says so once until writing works again.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use lockstep_core::{AuditRecord, AuditSink, Error, ErrorKind, Result};
use rustix::fs::FileType;

use crate::files::open_at_end;

/// Writes audit records as lines of JSON.
pub struct AuditLines {
    target: Mutex<Target>,
    lost: AtomicU64,
}

struct Target {
    out: Box<dyn Write + Send>,
    /// A line was cut: the next one must not be glued to it.
    torn: bool,
    failing: bool,
}

impl AuditLines {
    /// To standard error.
    pub fn stderr() -> Self {
        Self::to(Box::new(io::stderr()))
    }

    /// To standard output.
    pub fn stdout() -> Self {
        Self::to(Box::new(io::stdout()))
    }

    /// To the end of a file, made with mode 0600 when it is not there.
    ///
    /// # Errors
    /// `Config` when the path is a symbolic link or no regular file, or can't be opened for writing.
    pub fn file(path: &Path) -> Result<Self> {
        let refused = |why: &str| {
            let message = format!("can't write the audit to {} ({why}); name a regular file", path.display());
            Error::new(ErrorKind::Config, message)
        };
        let file = open_at_end(path).map_err(|errno| refused(&errno.to_string()))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| refused(&errno.to_string()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused("it is no regular file"));
        }
        Ok(Self::to(Box::new(File::from(file))))
    }

    fn to(out: Box<dyn Write + Send>) -> Self {
        Self { target: Mutex::new(Target { out, torn: false, failing: false }), lost: AtomicU64::new(0) }
    }

    /// How many records could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl AuditSink for AuditLines {
    fn write(&self, record: &AuditRecord) {
        let mut line = record.to_json();
        line.push('\n');
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        match target.put(line) {
            Ok(()) => target.failing = false,
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !target.failing {
                    target.failing = true;
                    tracing::error!(reason = %error.kind(), "can't write audit records; they are lost until this works again");
                }
            }
        }
    }
}

impl Target {
    fn put(&mut self, mut line: String) -> io::Result<()> {
        if self.torn {
            line.insert(0, '\n');
        }
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Standard output is buffered by lines and has passed this one on; a file has nothing to flush.
        self.out.flush()
    }
}

impl fmt::Debug for AuditLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLines").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "audit/tests.rs"]
mod tests;
