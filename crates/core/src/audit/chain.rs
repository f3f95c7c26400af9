//! [`Chain`]: lines of audit that each hold a hash over themselves and over what stands before them.
//!
//! A line is what it is without a chain, with two members in front (`seq`, `chain`) and one at its end (`hash`). What is
//! hashed are the bytes of the line as they stand there, up to `hash`: whoever verifies parses no JSON and no order of
//! members can be ambiguous. With a key the hash is an HMAC, and whoever has not the key can't make one.
//!
//! Nothing is written here: a line counts once [`Chain::take`] says that it stands somewhere.

use std::fmt::{self, Write};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::escape_beyond_ascii;
use crate::{Error, ErrorKind, Result, SecretValue, UnixMillis, hex};

/// What is hashed is nothing else's hash.
const DOMAIN: &[u8] = b"lockstep audit chain 1\0";
/// What the name of a key is the hash of.
const KEY_DOMAIN: &[u8] = b"lockstep audit key 1\0";
/// Between a record and its hash.
const HASH: &[u8] = b",\"hash\":\"";
/// Bytes of a hash in hex.
const HEX: usize = 64;
/// Bytes of a chain's id.
const ID_BYTES: usize = 8;

/// Where a chain stands: the hash of its last line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What stands before the first chain of all.
    pub(super) const NONE: Self = Self([0; 32]);

    /// Reads 64 hex digits, in lower case as they are written.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (pairs, []) = text.as_chunks::<2>() else { return None };
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut hash = [0; 32];
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(hash))
    }
}

fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key of chains that only its owner can continue.
#[derive(Clone)]
pub struct ChainKey {
    mac: Hmac<Sha256>,
    name: Box<str>,
}

impl ChainKey {
    /// The least bytes of a key.
    pub const LEAST_BYTES: usize = 32;

    /// Takes a key.
    ///
    /// # Errors
    /// `Config` when it is shorter than [`ChainKey::LEAST_BYTES`].
    pub fn new(key: &SecretValue) -> Result<Self> {
        let short = || {
            let message = format!(
                "the audit's key is shorter than {} bytes; write one of random characters, such as `openssl rand -hex \
                 32` makes",
                Self::LEAST_BYTES
            );
            Error::new(ErrorKind::Config, message)
        };
        if key.len() < Self::LEAST_BYTES {
            return Err(short());
        }
        let mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| short())?;
        let mut named = mac.clone();
        named.update(KEY_DOMAIN);
        let name = hex::text(named.finalize().into_bytes().get(..ID_BYTES).unwrap_or_default());
        Ok(Self { mac, name: name.into() })
    }

    /// What chains call it. It says nothing of the key but that it is the same one.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The hash of a line after `before`.
pub(super) fn hash(key: Option<&ChainKey>, before: &ChainHash, body: &[u8]) -> ChainHash {
    ChainHash(match key {
        None => Sha256::new().chain_update(DOMAIN).chain_update(before.0).chain_update(body).finalize().into(),
        Some(key) => {
            let mac = key.mac.clone().chain_update(DOMAIN).chain_update(before.0).chain_update(body);
            mac.finalize().into_bytes().into()
        }
    })
}

/// Who writes a chain, for its first line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainWriter {
    /// Its version.
    pub version: Box<str>,
    /// The machine.
    pub host: Box<str>,
    /// The process.
    pub process: u32,
}

/// Where a chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainPlace {
    /// The end of the chain before it, if there is one.
    pub previous: Option<ChainHash>,
    /// Bytes after that end which are no line of a chain, such as one that was cut off by the end of its process.
    pub torn: u64,
    /// Where its first line stands in its file.
    pub offset: Option<u64>,
    /// It is another file than the one that the same writer wrote to before.
    pub moved: bool,
}

/// A line that is made and not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLine {
    /// The line, without a line break.
    pub text: String,
    /// Its place in the chain.
    pub seq: u64,
    hash: ChainHash,
}

/// A chain that is being written.
#[derive(Debug, Clone)]
pub struct Chain {
    id: Box<str>,
    key: Option<Arc<ChainKey>>,
    next: u64,
    last: ChainHash,
}

/// What no access made.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(default)]
    time: String,
    #[serde(default)]
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
    /// The name of the key, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Box<str>>,
    /// The chain that the same writer wrote before, and its last line there: it is in the file, unless that was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own_chain: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own_seq: Option<u64>,
    /// The file of that chain was moved away by others: it may be in no file that is at hand.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) own_moved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) torn: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
}

/// The first line of a chain.
pub(super) const START: &str = "chain-start";
/// The first line of a file into which a chain goes on.
pub(super) const CONTINUED: &str = "chain-continued";
/// So many records could not be written.
pub(super) const LOST: &str = "lost";

impl Chain {
    /// A chain with this random id. Its first line is to be [`Chain::start`].
    pub fn new(id: [u8; ID_BYTES], key: Option<Arc<ChainKey>>) -> Self {
        Self { id: hex::text(&id).into(), key, next: 0, last: ChainHash::NONE }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its key.
    pub fn key(&self) -> Option<Arc<ChainKey>> {
        self.key.clone()
    }

    /// The hash of its last line.
    pub fn last(&self) -> ChainHash {
        self.last
    }

    /// How many lines it has.
    pub fn lines(&self) -> u64 {
        self.next
    }

    /// The first line. `own` is the chain that the same writer wrote before this one: what others have made of the file
    /// meanwhile is for it to say.
    pub fn start(&self, at: UnixMillis, writer: &ChainWriter, place: &ChainPlace, own: Option<&Self>) -> ChainLine {
        let note = Note {
            version: Some(writer.version.clone()),
            host: Some(writer.host.clone()),
            process: Some(writer.process),
            own_chain: own.map(|own| own.id.clone()),
            own_seq: own.map(|own| own.next.saturating_sub(1)),
            own_moved: own.is_some() && place.moved,
            torn: (place.torn > 0).then_some(place.torn),
            ..self.note(at, START, place.previous, place.offset)
        };
        self.line(place.previous.unwrap_or(ChainHash::NONE), &note.to_json())
    }

    /// The first line of the next file: whoever has that file alone can verify it.
    pub fn continued(&self, at: UnixMillis) -> ChainLine {
        let note = self.note(at, CONTINUED, Some(self.last), Some(0));
        self.line(self.last, &note.to_json())
    }

    /// A record, as [`AuditRecord::to_json`](crate::AuditRecord::to_json) or [`lost_line`] writes it.
    pub fn record(&self, json: &str) -> ChainLine {
        self.line(self.last, json)
    }

    /// The line stands where it belongs, and the next one comes after it.
    pub fn take(&mut self, line: &ChainLine) {
        self.next = line.seq.saturating_add(1);
        self.last = line.hash;
    }

    fn note(&self, at: UnixMillis, action: &str, previous: Option<ChainHash>, offset: Option<u64>) -> Note {
        Note {
            time: at.to_rfc3339(),
            action: action.to_owned(),
            key: self.key.as_ref().map(|key| key.name.clone()),
            previous: previous.map(|hash| hash.to_string().into()),
            offset,
            ..Note::default()
        }
    }

    fn line(&self, before: ChainHash, json: &str) -> ChainLine {
        let mut text = String::with_capacity(json.len() + 160);
        let members = json.strip_prefix('{').unwrap_or(json);
        let members = members.strip_suffix('}').unwrap_or(members);
        // Writing to a String can't fail.
        let _ = write!(text, "{{\"seq\":{},\"chain\":\"{}\",{members}", self.next, self.id);
        let hash = hash(self.key.as_deref(), &before, text.as_bytes());
        let _ = write!(text, ",\"hash\":\"{hash}\"}}");
        ChainLine { text, seq: self.next, hash }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Note {
    fn to_json(&self) -> String {
        escape_beyond_ascii(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// The line that says of how many accesses the records could not be written before it.
pub fn lost_line(at: UnixMillis, count: u64) -> String {
    let note = Note { time: at.to_rfc3339(), action: LOST.to_owned(), count: Some(count), ..Note::default() };
    note.to_json()
}

/// A line of a chain, taken apart. Nothing of it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) seq: u64,
    pub(super) chain: &'a [u8],
    /// After the two members in front.
    pub(super) members: &'a [u8],
    /// What is hashed.
    pub(super) body: &'a [u8],
    pub(super) hash: ChainHash,
}

impl<'a> Parts<'a> {
    /// Takes a line apart; nothing when it is no whole line of a chain.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(b"\"}")?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HEX)?)?;
        let body = rest.strip_suffix(HASH)?;
        let numbered = body.strip_prefix(b"{\"seq\":")?;
        let digits = numbered.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, named) = numbered.split_at_checked(digits)?;
        // One number has one spelling.
        if digits.first() == Some(&b'0') && digits.len() > 1 {
            return None;
        }
        let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let (chain, rest) = named.strip_prefix(b",\"chain\":\"")?.split_at_checked(2 * ID_BYTES)?;
        let is_id = chain.iter().all(|byte| digit(*byte).is_some());
        let members = rest.strip_prefix(b"\",")?;
        is_id.then_some(Self { seq, chain, members, body, hash: ChainHash::parse(hash)? })
    }

    /// When, as it is written; nothing when it is not written where it belongs.
    pub(super) fn time(&self) -> Option<&'a [u8]> {
        let rest = self.members.strip_prefix(b"\"time\":\"")?;
        rest.get(..rest.iter().position(|byte| *byte == b'"')?)
    }

    /// What no access made, by its action. An access has its request's id in that place, so nobody's text can look
    /// like one.
    pub(super) fn note(&self, action: &str) -> Option<Note> {
        let (_, rest) = self.members.split_at_checked(b"\"time\":\"\",".len() + self.time()?.len())?;
        let rest = rest.strip_prefix(b"\"action\":\"")?.strip_prefix(action.as_bytes())?;
        if !rest.starts_with(b"\"") {
            return None;
        }
        let mut json = Vec::with_capacity(self.body.len() + 1);
        json.extend_from_slice(self.body);
        json.push(b'}');
        serde_json::from_slice(&json).ok()
    }
}

/// Whether a line begins with a whole line of a chain and goes on.
pub(super) fn has_more_than_a_line(line: &[u8]) -> bool {
    let ends = line.windows(2).enumerate().filter(|(_, two)| *two == b"\"}");
    ends.map(|(at, _)| at + 2).any(|end| end < line.len() && line.get(..end).and_then(Parts::of).is_some())
}

/// What the end of a file says to who goes on writing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainTail {
    /// The hash of the last whole line of a chain.
    pub previous: Option<ChainHash>,
    /// Bytes after that line which are none, the line break that ends them included.
    pub torn: u64,
    /// Whether a line break has to be written first.
    pub unended: bool,
}

impl ChainTail {
    /// Reads the last bytes of a file, as many as it has or as there is patience for.
    pub fn of(tail: &[u8]) -> Self {
        let unended = tail.last().is_some_and(|last| *last != b'\n');
        let mut torn = 0;
        let lines = tail.strip_suffix(b"\n").unwrap_or(tail).rsplit(|byte| *byte == b'\n');
        for line in lines.take_while(|_| !tail.is_empty()) {
            if let Some(parts) = Parts::of(line) {
                return Self { previous: Some(parts.hash), torn, unended };
            }
            torn += line.len() as u64 + 1;
        }
        // No line of a chain is there: what is, is not a chain's.
        Self { previous: None, torn: 0, unended }
    }
}
