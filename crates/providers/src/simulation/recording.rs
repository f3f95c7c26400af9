//! A recording as a file: [`Writer`] adds lines at its end, [`read`] takes it whole or not at all.
//!
//! A run is what one process writes. It begins with a line that says what the file held before, and numbers its lines,
//! so several may write at once, and a line that was changed, doubled, moved or taken out is found. What was cut off
//! behind the last line that is there can't be: a run may end at any time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{
    Capabilities, Error, ErrorKind, Metadata, Paged, Result, Rotation, Scope, Secret, VersionInfo, hex,
};

use super::form::{Answer, Asked, Begin, Holds, Line};
use super::seal::Seal;
use super::{Ports, Recording};

/// The largest recording in bytes: what a replay holds in memory. A cipher that is not optimized takes too long to fill
/// that in a test.
pub(super) const MAX_BYTES: usize = if cfg!(test) { 2 << 20 } else { 32 << 20 };
/// How often a failure to write is told, at most.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// Base64 of the end of a line, longer than the tag that no two lines share.
const TAIL_CHARS: usize = 24;
/// Distinct names of attributes. Providers have a handful.
const MAX_WORDS: usize = 64;

/// Adds to a recording.
pub(super) struct Writer {
    file: Box<Path>,
    seal: Seal,
    ports: Ports,
    capabilities: Capabilities,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    run: Option<Run>,
    lost: u64,
    told: Option<Duration>,
}

/// What was written by this process.
struct Run {
    id: String,
    lines: u64,
    /// Length of the file, as far as this process knows.
    bytes: usize,
}

impl Writer {
    /// A writer to this recording. Nothing is written before the first access.
    ///
    /// # Errors
    /// When the key is missing or none, or the file is there and can't be gone on with: it is of another key or no
    /// recording.
    pub(super) fn new(recording: Recording, capabilities: Capabilities, ports: Ports) -> Result<Self> {
        let seal = Seal::read(&recording.key, &*ports.env, &*ports.files)?;
        let writer = Self { file: recording.file, seal, ports, capabilities, state: Mutex::default() };
        writer.begin()?;
        Ok(writer)
    }

    /// Writes these accesses down, in this order. That it fails is told and counted, and nothing else: whoever asked
    /// has an answer already.
    pub(super) fn write(&self, accesses: Vec<(Asked, Answer<'_>)>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = accesses.len() as u64;
        let Err(error) = self.append(&mut state, accesses) else { return };
        state.lost += count;
        let now = self.ports.clock.monotonic();
        if state.told.is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY) {
            state.told = Some(now);
            tracing::warn!(%error, lost = state.lost, "an access was answered, but not recorded");
        }
    }

    /// How many accesses could not be written.
    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    fn append(&self, state: &mut State, accesses: Vec<(Asked, Answer<'_>)>) -> Result<()> {
        let (mut run, begin) = match state.run.take() {
            Some(run) => (run, None),
            None => self.begin().map(|(run, begin)| (run, Some(begin)))?,
        };
        let (mut text, mut lines) = (String::new(), run.lines);
        let holds = accesses.into_iter().map(|(asked, answer)| Holds::Access(asked, answer));
        for holds in begin.into_iter().map(Holds::Begin).chain(holds) {
            let at = self.ports.clock.wall().0;
            let line = Line { run: Cow::Borrowed(&run.id), number: lines, at, lost: state.lost, holds };
            text.push_str(&self.seal.line(&*self.ports.random, &line)?);
            lines += 1;
        }
        let length = run.bytes + text.len();
        let written = if length > MAX_BYTES {
            Err(too_large(&self.file))
        } else {
            self.ports.files.append(&self.file, text.as_bytes())
        };
        if written.is_ok() {
            (run.lines, run.bytes) = (lines, length);
        }
        // A run without its first line has not begun.
        state.run = (run.lines > 0).then_some(run);
        written
    }

    /// A new run behind what is there.
    fn begin(&self) -> Result<(Run, Begin)> {
        let there = match self.ports.files.read(&self.file, MAX_BYTES) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) if error.kind() == ErrorKind::TooLarge => return Err(too_large(&self.file)),
            Err(error) => return Err(error),
        };
        let text = there.as_ref().map_or(&[][..], |file| &file.bytes);
        let lines = lines(&self.file, text)?;
        let last = lines.last().copied();
        if last.is_some_and(|line| self.seal.open(line).is_none()) {
            return Err(not_ours(&self.file, lines.len()));
        }
        let mut id = [0; 16];
        self.ports.random.fill(&mut id);
        let tail = last.map_or_else(|| Box::from(""), |line| tail(line).into());
        let begin = Begin { capabilities: self.capabilities, after: lines.len(), tail };
        Ok((Run { id: hex::text(&id), lines: 0, bytes: text.len() }, begin))
    }
}

/// What a recording answers.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) capabilities: Capabilities,
    /// Every answer to what was asked, in the order of the recording.
    pub(super) of: BTreeMap<Asked, Vec<Kept>>,
    /// Accesses that were answered and could not be written.
    pub(super) lost: u64,
}

/// One answer.
pub(super) enum Kept {
    Secret(Secret),
    Metadata(Metadata),
    Versions(Paged<VersionInfo>),
    List(Paged<Metadata>),
    Rotated(Rotation),
    Failed(Error),
}

/// Reads a recording. Its secrets are given this scope.
///
/// # Errors
/// `Config` when there is none, `TooLarge`, `Decrypt` when it is not as it was written, or of another key.
pub(super) fn read(
    recording: &Recording,
    seal: &Seal,
    files: &dyn lockstep_core::Files,
    scope: &Scope,
) -> Result<Answers> {
    let path = &*recording.file;
    let file = files.read(path, MAX_BYTES).map_err(|error| {
        if error.kind() == ErrorKind::TooLarge {
            return too_large(path);
        }
        let message = format!("the recording {} can't be read; make one with `type = \"record\"`", path.display());
        Error::new(ErrorKind::Config, message).because(error)
    })?;
    let lines = lines(path, &file.bytes)?;
    if lines.is_empty() {
        let message = format!("the recording {} is empty; make one with `type = \"record\"`", path.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let mut answers = Answers::default();
    let mut words = BTreeSet::new();
    // Each run: the number of its next line, and what it has lost.
    let mut runs: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (index, text) in lines.iter().enumerate() {
        let wrong = |what: &str| broken(path, index + 1, what);
        let opened = seal.open(text).ok_or_else(|| not_ours(path, index + 1))?;
        // The parser's own text can quote what it reads.
        let line: Line<'_> = serde_json::from_slice(&opened).map_err(|_| wrong("has an unknown form"))?;
        let fits = match &line.holds {
            Holds::Begin(begin) => {
                let before =
                    begin.after.checked_sub(1).map_or(Some(""), |last| lines[..index].get(last).map(|line| tail(line)));
                line.number == 0 && !runs.contains_key(&*line.run) && before == Some(&*begin.tail)
            }
            Holds::Access(..) => runs.get(&*line.run).is_some_and(|(next, _)| *next == line.number),
        };
        if !fits {
            return Err(wrong("does not follow what is before it: lines were taken out, doubled or moved"));
        }
        runs.insert(line.run.into_owned(), (line.number + 1, line.lost));
        match line.holds {
            Holds::Begin(begin) => answers.capabilities = begin.capabilities,
            Holds::Access(asked, answer) => {
                let kept =
                    Kept::of(answer, scope, &mut words).map_err(|error| wrong("has an unknown form").because(error))?;
                if let Some(kept) = kept {
                    answers.of.entry(asked).or_default().push(kept);
                }
            }
        }
    }
    answers.lost = runs.values().map(|(_, lost)| lost).sum();
    Ok(answers)
}

impl Kept {
    /// What is kept of an answer; nothing of those that can't be asked for again.
    fn of(answer: Answer<'_>, scope: &Scope, words: &mut BTreeSet<&'static str>) -> Result<Option<Self>> {
        let kept = match answer {
            Answer::Secret(form) => Self::Secret(form.read(scope, |word| lasting(words, word))?),
            Answer::Metadata(form) => Self::Metadata(form.read(scope)?),
            Answer::Versions(items, next) => Self::Versions(Paged {
                items: items.into_iter().map(super::form::VersionInfoForm::read).collect(),
                next,
            }),
            Answer::List(items, next) => {
                let items = items.into_iter().map(|form| form.read(scope)).collect::<Result<_>>()?;
                Self::List(Paged { items, next })
            }
            Answer::Rotated(version) => Self::Rotated(Rotation { version: version.map(Into::into) }),
            Answer::Failed(failed) => Self::Failed(failed.read()?),
            Answer::Done => return Ok(None),
        };
        Ok(Some(kept))
    }
}

/// A name of an attribute. In core they are words of the program; here they are read, few, and kept for good.
fn lasting(words: &mut BTreeSet<&'static str>, word: &str) -> Result<&'static str> {
    if let Some(known) = words.get(word) {
        return Ok(known);
    }
    if words.len() == MAX_WORDS {
        return Err(Error::new(ErrorKind::TooLarge, "the recording has too many kinds of attributes"));
    }
    let word: &'static str = Box::leak(Box::from(word));
    words.insert(word);
    Ok(word)
}

/// The lines of a file; each of them has its end.
fn lines<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<&'a str>> {
    let text = std::str::from_utf8(bytes).map_err(|_| not_ours(path, 1))?;
    let lines: Vec<_> = text.split_terminator('\n').collect();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(broken(path, lines.len(), "is cut off"));
    }
    Ok(lines)
}

fn tail(line: &str) -> &str {
    line.len().checked_sub(TAIL_CHARS).and_then(|at| line.get(at..)).unwrap_or(line)
}

fn not_ours(path: &Path, line: usize) -> Error {
    broken(path, line, "can't be opened: it was changed, or sealed with another key")
}

fn broken(path: &Path, line: usize, what: &str) -> Error {
    let message = format!("line {line} of the recording {} {what}; make a new one", path.display());
    Error::new(ErrorKind::Decrypt, message)
}

fn too_large(path: &Path) -> Error {
    let message =
        format!("a recording has {MAX_BYTES} bytes at most, and {} would have more; begin another", path.display());
    Error::new(ErrorKind::TooLarge, message)
}
