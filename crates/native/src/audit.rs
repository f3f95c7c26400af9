//! [`AuditLines`]: audit records as JSON lines, to standard error, standard output or a file.
//!
//! A line is written with one call, so that lines of several processes don't mix. With a chain each line holds the hash
//! of what stands before it, and where the chain stands is told to the log now and then, for another system to hold.
//!
//! A record that can't be written is refused, so that nothing is released, or counted as lost: as the settings say. The
//! log says so once until writing works again; then a line says how many were lost.

mod file;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_core::{
    AuditRecord, AuditSink, Chain, ChainHash, ChainKey, ChainPlace, ChainWriter, Clock, Error, ErrorKind, Random,
    Result, WhenFull, lost_line,
};

use self::file::AuditFile;
pub use self::file::Rotation;

/// How often the log is told where the chain stands, if it went on meanwhile.
const ANCHOR_EVERY: Duration = Duration::from_mins(1);

/// How lines are written.
#[derive(Clone)]
pub struct AuditSettings {
    /// For the times of lines that no access made.
    pub clock: Arc<dyn Clock>,
    /// For the names of chains.
    pub random: Arc<dyn Random>,
    /// Whether lines are chained.
    pub chain: bool,
    /// The key of the chains.
    pub key: Option<Arc<ChainKey>>,
    /// What is done with a record that can't be written.
    pub when_full: WhenFull,
}

/// Writes audit records as lines of JSON.
pub struct AuditLines {
    target: Mutex<Target>,
    settings: AuditSettings,
    lost: AtomicU64,
    failing: AtomicBool,
}

struct Target {
    out: Out,
    chain: Option<Chain>,
    /// Records that are lost and not yet told of in a line.
    untold: u64,
    /// When the log was told where the chain stands, and how many lines it had.
    anchored: Option<(Duration, u64)>,
}

enum Out {
    Stream(Stream),
    File(AuditFile),
}

/// What can only be written to.
struct Stream {
    out: Box<dyn Write + Send>,
    /// Bytes of a line that was cut.
    torn: u64,
    /// The next line must not be glued to it.
    unended: bool,
}

/// A line, and the chain once it stands there.
struct Composed {
    text: String,
    chain: Option<Chain>,
}

/// Where the next lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Begin {
    /// A line break comes first.
    line_break: bool,
    /// A chain begins here.
    start: Option<ChainPlace>,
    /// The chain that is being written goes on in a new file.
    continued: bool,
}

impl AuditLines {
    /// To standard error.
    pub fn stderr(settings: AuditSettings) -> Self {
        Self::to(Box::new(io::stderr()), settings)
    }

    /// To standard output.
    pub fn stdout(settings: AuditSettings) -> Self {
        Self::to(Box::new(io::stdout()), settings)
    }

    /// To the end of a file, made with mode 0600 when it is not there. Several processes may write to one file.
    ///
    /// # Errors
    /// `Config` when the path is a symbolic link or no regular file, or can't be opened for reading and writing.
    pub fn file(path: &Path, rotation: Rotation, settings: AuditSettings) -> Result<Self> {
        let file = AuditFile::open(path, rotation).map_err(|why| {
            let message = format!("can't write the audit to {} ({why}); name a regular file", path.display());
            Error::new(ErrorKind::Config, message)
        })?;
        Ok(Self::over(Out::File(file), settings))
    }

    fn to(out: Box<dyn Write + Send>, settings: AuditSettings) -> Self {
        Self::over(Out::Stream(Stream { out, torn: 0, unended: false }), settings)
    }

    fn over(out: Out, settings: AuditSettings) -> Self {
        let target = Target { out, chain: None, untold: 0, anchored: None };
        Self { target: Mutex::new(target), settings, lost: AtomicU64::new(0), failing: AtomicBool::new(false) }
    }

    /// Tells the log where the chain stands, unless it was told so a while ago. Each write does it too.
    pub fn anchor(&self) {
        self.target().anchor(self.settings.clock.monotonic(), ANCHOR_EVERY);
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditSink for AuditLines {
    fn write(&self, record: &AuditRecord) -> Result<()> {
        let mut target = self.target();
        match target.put(record, &self.settings) {
            Ok(()) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(lost = self.lost(), "audit records can be written again");
                }
                target.anchor(self.settings.clock.monotonic(), ANCHOR_EVERY);
                Ok(())
            }
            Err(error) => {
                let first = !self.failing.swap(true, Ordering::Relaxed);
                let reason = error.kind();
                if self.settings.when_full == WhenFull::Block {
                    if first {
                        tracing::error!(%reason, "can't write audit records; nothing is released until this works again");
                    }
                    return Err(unwritten());
                }
                if first {
                    tracing::error!(%reason, "can't write audit records; they are lost until this works again");
                }
                target.untold += record.count.max(1);
                self.lost.fetch_add(record.count.max(1), Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.settings.when_full == WhenFull::Drop || !self.failing.load(Ordering::Relaxed)
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// What a caller is told, who is not told where the audit goes.
fn unwritten() -> Error {
    let message = "the audit record can't be written, so nothing is released; look at the log of this endpoint";
    Error::new(ErrorKind::Unavailable, message)
}

impl Target {
    /// Writes a record, and before it whatever has to stand there: all of it or nothing.
    fn put(&mut self, record: &AuditRecord, settings: &AuditSettings) -> io::Result<()> {
        let json = record.to_json();
        let last = self.chain.as_ref().map(Chain::last);
        let begin = match &mut self.out {
            Out::Stream(stream) => stream.begin(last),
            Out::File(file) => file.begin(last, json.len() as u64)?,
        };
        for composed in self.compose(&json, begin, settings) {
            // A file takes all of them or none. What only can be written to has taken those before the one that fails.
            match &mut self.out {
                Out::Stream(stream) => stream.put(&composed.text)?,
                Out::File(file) => file.put(&composed.text)?,
            }
            self.chain = composed.chain;
        }
        self.untold = 0;
        Ok(())
    }

    fn compose(&self, json: &str, begin: Begin, settings: &AuditSettings) -> Vec<Composed> {
        let now = settings.clock.wall();
        let mut lines = Vec::with_capacity(1);
        let mut chain = self.chain.clone();
        let mut add = |text: &str, chain: &Option<Chain>| {
            lines.push(Composed { text: format!("{text}\n"), chain: chain.clone() });
        };
        if let (true, Some(place)) = (settings.chain, begin.start) {
            let mut id = [0; 8];
            settings.random.fill(&mut id);
            let mut fresh = Chain::new(id, settings.key.clone());
            let line = fresh.start(now, &chain_writer(), &place, chain.as_ref());
            fresh.take(&line);
            chain = Some(fresh);
            add(&line.text, &chain);
        } else if let (true, Some(going_on)) = (begin.continued, &mut chain) {
            let line = going_on.continued(now);
            going_on.take(&line);
            add(&line.text, &chain);
        }
        let lost = (self.untold > 0).then(|| lost_line(now, self.untold));
        for json in lost.as_deref().into_iter().chain([json]) {
            let line = chain.as_mut().map(|chain| {
                let line = chain.record(json);
                chain.take(&line);
                line.text
            });
            add(line.as_deref().unwrap_or(json), &chain);
        }
        if let (true, Some(first)) = (begin.line_break, lines.first_mut()) {
            first.text.insert(0, '\n');
        }
        if matches!(self.out, Out::File(_)) && lines.len() > 1 {
            let text = lines.iter().map(|line| line.text.as_str()).collect();
            return vec![Composed { text, chain }];
        }
        lines
    }

    fn anchor(&mut self, now: Duration, every: Duration) {
        let Some(chain) = &self.chain else { return };
        let is_due = self.anchored.is_none_or(|(at, lines)| lines != chain.lines() && now.saturating_sub(at) >= every);
        if is_due {
            self.anchored = Some((now, chain.lines()));
            let seq = chain.lines().saturating_sub(1);
            tracing::info!(chain = chain.id(), seq, hash = %chain.last(), "the audit has come to here");
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.anchor(Duration::MAX, Duration::ZERO);
    }
}

/// Who writes, for the first line of a chain: this version, machine and process.
pub fn chain_writer() -> ChainWriter {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let process = rustix::process::getpid().as_raw_nonzero().get();
    ChainWriter {
        version: env!("CARGO_PKG_VERSION").into(),
        host: host.into(),
        process: u32::try_from(process).unwrap_or_default(),
    }
}

impl Stream {
    /// What was written can't be taken back: after a cut line a chain begins anew, and says what was cut.
    fn begin(&self, last: Option<ChainHash>) -> Begin {
        // The line break that ends it counts.
        let torn = if self.torn > 0 { self.torn + u64::from(self.unended) } else { 0 };
        let is_new = last.is_none() || torn > 0;
        Begin {
            line_break: self.unended,
            start: is_new.then_some(ChainPlace { previous: last, torn, ..ChainPlace::default() }),
            continued: false,
        }
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (taken, left) = rest.split_at_checked(written).unwrap_or((rest, &[]));
                    self.torn += taken.len() as u64;
                    self.unended = taken.last() != Some(&b'\n');
                    rest = left;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The line is there; what ends it comes with the next one.
                Err(_) if rest == b"\n" => break,
                Err(error) => return Err(error),
            }
        }
        self.torn = 0;
        // Standard output is buffered by lines and has passed this one on.
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
