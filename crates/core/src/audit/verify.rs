//! [`ChainVerifier`]: whether lines of audit are what was written, all of it and in its order, and where they end.
//!
//! It takes bytes as they come, over files of any size, and keeps no more than one line of them. It stops at the first
//! break: what stands after one proves nothing.

use std::collections::VecDeque;
use std::fmt;

use super::chain::{CONTINUED, ChainHash, ChainKey, LOST, Note, Parts, START, has_more_than_a_line, hash};

/// The longest line that is looked at. What writes them stays far below.
const MAX_LINE_BYTES: usize = 256 << 10;

/// So many chains that have ended are remembered, for what their writers say of them later.
const MAX_ENDED: usize = 4096;

/// How the first line of a chain begins, and no other one.
const CUT_START: &[u8] = b"{\"seq\":0,";

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainFault {
    /// It is not what was written, or is no line of a chain.
    Edited,
    /// Lines before it are missing.
    Dropped,
    /// It stands before the one that it follows.
    Swapped,
    /// It stands there again.
    Duplicated,
    /// It belongs to another chain.
    Foreign,
    /// It was made with another key, with none, or with one although none was given.
    Key,
    /// There is no chain at all.
    Missing,
}

impl ChainFault {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Dropped => "dropped",
            Self::Swapped => "swapped",
            Self::Duplicated => "duplicated",
            Self::Foreign => "foreign",
            Self::Key => "key",
            Self::Missing => "missing",
        }
    }
}

/// The first line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBreak {
    /// Which of the files, from 0.
    pub file: usize,
    /// Which line of it, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: ChainFault,
    /// The same in words.
    pub message: Box<str>,
}

/// The last line of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEnd {
    /// The chain's id.
    pub chain: Box<str>,
    /// The line's place in the chain.
    pub seq: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainReport {
    /// Lines that are whole and in their place, up to the first break.
    pub lines: u64,
    /// Lines among them that an access made: all but those that begin a chain, carry it on, or count what was lost.
    pub records: u64,
    /// Chains that begin in these files.
    pub chains: u64,
    /// Records that were lost while they were written, as the chain itself says.
    pub lost: u64,
    /// When the first line was written, and the last one.
    pub first: Option<Box<str>>,
    /// The time of the last line.
    pub last: Option<Box<str>>,
    /// Where it ends.
    pub end: Option<ChainEnd>,
    /// What the first line follows, which is not in these files.
    pub follows: Option<ChainHash>,
    /// Chains whose writer had written another one before, which is not in these files: its file was moved away, or it ended
    /// too many chains ago. Nothing is known of its end.
    pub elsewhere: u64,
    /// Lines before the first chain that belong to none. Nothing is known of them.
    pub unchained: u64,
    /// Bytes that were cut off by the end of a process, as the next chain says.
    pub torn: u64,
    /// Bytes of the last line, if it was cut off.
    pub tail: Option<u64>,
    /// Whether every chain has a key, and it is one of those that were given.
    pub keyed: bool,
    /// The first line that is not as it was written.
    pub broken: Option<ChainBreak>,
}

/// Reads lines and looks at each.
pub struct ChainVerifier {
    keys: Vec<ChainKey>,
    /// The key of the chain at hand.
    key: Option<usize>,
    report: ChainReport,
    line: Vec<u8>,
    /// Bytes of the line at hand that are not kept, since it is too long.
    skipped: u64,
    place: Place,
    /// Chains that have ended. Of too many the oldest are forgotten, first those whose writer has named them.
    ended: VecDeque<Ended>,
    has_forgotten: bool,
    /// Lines that are none of a chain, and that the next chain may own up to.
    odd: Option<Odd>,
    gap: Option<Gap>,
}

/// A chain that has ended.
struct Ended {
    chain: Box<str>,
    last: u64,
    /// Its writer has begun another one since.
    is_named: bool,
}

/// Where a line stands.
#[derive(Clone, Copy, Default)]
struct Place {
    file: usize,
    /// Lines before it in its file.
    lines: u64,
    /// Bytes before it in its file.
    bytes: u64,
}

struct Odd {
    first: Place,
    bytes: u64,
    lines: u64,
}

/// A line that comes too early: the one after it says whether the two were swapped.
struct Gap {
    at: Place,
    expected: u64,
    seq: u64,
}

impl ChainVerifier {
    /// Nothing is read yet. With keys, only chains that are made with one of them are whole.
    pub fn new(keys: Vec<ChainKey>) -> Self {
        let keyed = !keys.is_empty();
        Self {
            keys,
            key: None,
            report: ChainReport { keyed, ..ChainReport::default() },
            line: Vec::new(),
            skipped: 0,
            place: Place::default(),
            ended: VecDeque::new(),
            has_forgotten: false,
            odd: None,
            gap: None,
        }
    }

    /// Reads on, the bytes cut anywhere. Says whether there is a point in going on: not after a break.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while let (Some(at), None) = (bytes.iter().position(|byte| *byte == b'\n'), &self.report.broken) {
            let (line, rest) = bytes.split_at(at);
            self.keep(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        if self.report.broken.is_none() {
            self.keep(bytes);
        }
        self.report.broken.is_none()
    }

    /// The file ends, and the one that was written after it begins.
    pub fn next_file(&mut self) {
        if self.length() > 0 && self.report.broken.is_none() {
            self.end_line();
        }
        self.place = Place { file: self.place.file + 1, ..Place::default() };
    }

    /// All was read.
    pub fn finish(mut self) -> ChainReport {
        if self.report.broken.is_none() && self.length() > 0 {
            self.unended();
        }
        if let (Some(gap), None) = (self.gap.take(), &self.report.broken) {
            self.missing(&gap);
        }
        if self.report.lines == 0 {
            self.fail(Place::default(), ChainFault::Missing, "there is no line of a chain here".to_owned());
        }
        if let Some(odd) = self.odd.take() {
            self.no_line(odd.first);
        }
        self.report
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.line.capacity()
    }

    fn length(&self) -> u64 {
        self.line.len() as u64 + self.skipped
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len()).min(bytes.len());
        let (kept, skipped) = bytes.split_at(room);
        self.line.extend_from_slice(kept);
        self.skipped += skipped.len() as u64;
    }

    /// The line at hand is whole, or the last one of its file.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match Parts::of(&line) {
            Some(parts) if self.skipped == 0 => self.chained(&parts),
            _ => self.odd_line(line.len() as u64 + self.skipped),
        }
        self.place.lines += 1;
        self.place.bytes += line.len() as u64 + self.skipped + 1;
        self.skipped = 0;
        self.line = line;
        self.line.clear();
    }

    /// The last line has no line break: it was cut off, or only the line break was.
    fn unended(&mut self) {
        let is_line = self.skipped == 0 && Parts::of(&self.line).is_some();
        if is_line {
            self.end_line();
        } else if has_more_than_a_line(&self.line) || self.skipped > 0 {
            self.no_line(self.place);
        } else {
            self.report.tail = Some(self.length());
            // The chain that was cut off as it began would have owned up to what is before it.
            if self.line.starts_with(CUT_START) {
                self.odd = None;
            }
        }
    }

    fn odd_line(&mut self, length: u64) {
        if let Some(gap) = self.gap.take() {
            return self.missing(&gap);
        }
        let odd = self.odd.get_or_insert(Odd { first: self.place, bytes: 0, lines: 0 });
        odd.bytes += length + 1;
        odd.lines += 1;
    }

    fn chained(&mut self, parts: &Parts<'_>) {
        if let Some(gap) = self.gap.take() {
            let is_due = parts.seq == gap.expected && self.is_of_this_chain(parts);
            return if is_due { self.swapped(&gap) } else { self.missing(&gap) };
        }
        let (start, continued) = (parts.note(START), parts.note(CONTINUED));
        if let Some(start) = start.filter(|_| parts.seq == 0) {
            return self.starts(parts, &start);
        }
        if let Some(odd) = self.odd.take() {
            return self.no_line(odd.first);
        }
        match (continued, &self.report.end) {
            (Some(note), None) => self.goes_on(parts, &note),
            (None, None) if parts.seq == 0 => {
                self.here(ChainFault::Edited, "this line begins a chain, and does not say so".to_owned());
            }
            (None, None) => {
                let seq = parts.seq;
                let message = format!("line {seq} of its chain is the first one; those before it are missing");
                self.here(ChainFault::Dropped, message);
            }
            (note, Some(end)) => {
                let previous = note.and_then(|note| note.previous);
                let strays = previous.is_some_and(|previous| *previous != *end.hash.to_string());
                let (seq, next, before) = (parts.seq, end.seq + 1, end.hash);
                if !self.is_of_this_chain(parts) {
                    self.here(ChainFault::Foreign, "this line belongs to another chain".to_owned());
                } else if seq == next && !strays {
                    self.accept(parts, &before);
                } else if seq == next {
                    self.here(ChainFault::Edited, "this line follows another one than the one before it".to_owned());
                } else if seq < next {
                    let message =
                        format!("line {seq} of its chain stands after line {}: it is a copy, or was moved", next - 1);
                    self.here(ChainFault::Duplicated, message);
                } else {
                    self.gap = Some(Gap { at: self.place, expected: next, seq });
                }
            }
        }
    }

    fn is_of_this_chain(&self, parts: &Parts<'_>) -> bool {
        self.report.end.as_ref().is_some_and(|end| end.chain.as_bytes() == parts.chain)
    }

    /// The first line of a chain.
    fn starts(&mut self, parts: &Parts<'_>, start: &Note) {
        let Ok(previous) = previous(start) else {
            return self.here(ChainFault::Edited, "what this line says that it follows is no hash".to_owned());
        };
        let odd = self.odd.take();
        let torn = start.torn.unwrap_or(0);
        match (&self.report.end, &odd) {
            // Lines of before there was a chain.
            (None, Some(odd)) if previous.is_none() => self.report.unchained = odd.lines,
            (None | Some(_), Some(odd)) if odd.bytes != torn => return self.no_line(odd.first),
            (Some(_), None) if torn > 0 => {
                let message = format!("{torn} bytes are missing before it, which this line says were cut off there");
                return self.here(ChainFault::Dropped, message);
            }
            _ => {}
        }
        if let Some(end) = &self.report.end {
            if parts.hash == end.hash {
                return self.here(ChainFault::Duplicated, "this line stands here twice".to_owned());
            }
            if previous != Some(end.hash) {
                let message = "a chain begins here that does not follow the line before it: lines between them are \
                               missing, or it was put here";
                return self.here(ChainFault::Dropped, message.to_owned());
            }
        } else if self.is_in_place(start) {
            self.report.follows = previous;
        } else {
            return;
        }
        self.end_chain();
        if !self.has_own(start) {
            let message = "whoever writes here had written lines that are not there: they were cut off before this one";
            return self.here(ChainFault::Dropped, message.to_owned());
        }
        if self.takes_key(start) && self.accept(parts, &previous.unwrap_or(ChainHash::NONE)) {
            self.report.chains += 1;
            self.report.torn += torn;
        }
    }

    /// The chain at hand has ended.
    fn end_chain(&mut self) {
        let Some(end) = &self.report.end else { return };
        if self.ended.len() >= MAX_ENDED {
            let named = self.ended.iter().position(|ended| ended.is_named);
            self.has_forgotten |= named.is_none();
            self.ended.remove(named.unwrap_or(0));
        }
        self.ended.push_back(Ended { chain: end.chain.clone(), last: end.seq, is_named: false });
    }

    /// Whether the last line that the writer of a chain wrote before it was there. It can't be known of what may be in
    /// other files.
    fn has_own(&mut self, start: &Note) -> bool {
        let (Some(chain), Some(seq)) = (&start.own_chain, start.own_seq) else { return true };
        if let Some(ended) = self.ended.iter_mut().rfind(|ended| ended.chain == *chain) {
            ended.is_named = true;
            return ended.last >= seq;
        }
        let may_be_elsewhere = start.own_moved || self.has_forgotten || self.report.follows.is_some();
        self.report.elsewhere += u64::from(may_be_elsewhere);
        may_be_elsewhere
    }

    /// The first line of a file, of a chain that begins in another one.
    fn goes_on(&mut self, parts: &Parts<'_>, note: &Note) {
        let Ok(Some(previous)) = previous(note) else {
            return self.here(ChainFault::Edited, "what this line says that it follows is no hash".to_owned());
        };
        if self.is_in_place(note) && self.takes_key(note) && self.accept(parts, &previous) {
            self.report.follows = Some(previous);
        }
    }

    /// Whether the first line of all stands where it was written.
    fn is_in_place(&mut self, note: &Note) -> bool {
        let here = self.place.bytes;
        match note.offset {
            Some(offset) if offset != here => {
                let message = format!(
                    "this line was written at byte {offset} and stands at byte {here}: what was before it is not there"
                );
                self.here(ChainFault::Dropped, message);
                false
            }
            _ => true,
        }
    }

    fn takes_key(&mut self, note: &Note) -> bool {
        let known = note.key.as_ref().map(|name| self.keys.iter().position(|key| key.name() == &**name));
        let message = match known {
            None if self.keys.is_empty() => {
                self.key = None;
                return true;
            }
            Some(Some(at)) => {
                self.key = Some(at);
                return true;
            }
            None => "this chain has no key: whoever can write the file could have made it",
            Some(None) if self.keys.is_empty() => "this chain has a key; name it",
            Some(None) => "this chain was made with another key",
        };
        self.here(ChainFault::Key, message.to_owned());
        false
    }

    /// Looks at the hash of a line that stands in its place.
    fn accept(&mut self, parts: &Parts<'_>, before: &ChainHash) -> bool {
        let key = self.key.and_then(|at| self.keys.get(at));
        let (true, Some(time)) = (hash(key, before, parts.body) == parts.hash, parts.time()) else {
            let message = format!("line {} of its chain is not what was written there", parts.seq);
            self.here(ChainFault::Edited, message);
            return false;
        };
        let time: Box<str> = String::from_utf8_lossy(time).into();
        let lost = parts.note(LOST).map(|note| note.count.unwrap_or(0));
        let report = &mut self.report;
        report.lines += 1;
        report.lost += lost.unwrap_or(0);
        if lost.is_none() && parts.note(START).is_none() && parts.note(CONTINUED).is_none() {
            report.records += 1;
        }
        report.first.get_or_insert_with(|| time.clone());
        report.last = Some(time);
        let chain = String::from_utf8_lossy(parts.chain).into();
        report.end = Some(ChainEnd { chain, seq: parts.seq, hash: parts.hash });
        true
    }

    fn swapped(&mut self, gap: &Gap) {
        let message = format!("lines {} and {} of their chain have changed places", gap.expected, gap.seq);
        self.fail(gap.at, ChainFault::Swapped, message);
    }

    fn missing(&mut self, gap: &Gap) {
        let message = match gap.seq - gap.expected {
            1 => format!("line {} of the chain is missing before it", gap.expected),
            _ => format!("lines {} to {} of the chain are missing before it", gap.expected, gap.seq - 1),
        };
        self.fail(gap.at, ChainFault::Dropped, message);
    }

    fn no_line(&mut self, at: Place) {
        self.fail(at, ChainFault::Edited, "this is no line of a chain".to_owned());
    }

    fn here(&mut self, fault: ChainFault, message: String) {
        self.fail(self.place, fault, message);
    }

    fn fail(&mut self, at: Place, fault: ChainFault, message: String) {
        let broken = ChainBreak { file: at.file, line: at.lines + 1, fault, message: message.into() };
        self.report.broken.get_or_insert(broken);
    }
}

/// What should be a hash is none.
struct NoHash;

/// What a line says that it follows: nothing, or a hash.
fn previous(note: &Note) -> Result<Option<ChainHash>, NoHash> {
    match &note.previous {
        None => Ok(None),
        Some(text) => ChainHash::parse(text.as_bytes()).map(Some).ok_or(NoHash),
    }
}

impl fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainVerifier").field("report", &self.report).finish_non_exhaustive()
    }
}
