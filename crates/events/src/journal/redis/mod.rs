//! A journal in a stream of Redis.
//!
//! | key | holds |
//! |---|---|
//! | `{NAME}:head` | a hash: `base` (this life of the journal), `seq`, `trimmed_to` |
//! | `{NAME}:entries` | a stream; the id of an entry is its number and `-0` |
//! | `{NAME}:ids` | a sorted set: the hashes of the ids, by number |
//!
//! The braces keep them on one node of a cluster. An append is one script, so it is whole or not there. A read is one
//! transaction (`MULTI`), so head and entries are of one moment.
//!
//! **The epoch** is made of `base` and of the `run_id` of the server that answers. So a flush, another node after a
//! failover, and every start of a server, with a restored snapshot or without, is another epoch, and that is a gap: nobody
//! can tell a restart that lost nothing from one that did. What is lost with a server is never passed over in silence.

mod connection;
mod feed;
mod resp;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lockstep_core::{
    Call, Change, Cursor, Env, Error, ErrorKind, Feed, Files, Journal, Random, Result, SocketTarget, Sockets, hex,
};
use lockstep_providers::Credential;

use self::connection::Connection;
use self::feed::{Head, appended, head_of, newest_of, range_of};
use self::resp::command;
use super::stored::Stored;

/// Entries that are kept: instances that have slept through more of them read a gap.
const KEPT: usize = 10_000;
/// Changes of one script: Redis runs nothing else meanwhile.
const PER_SCRIPT: usize = 100;
/// What appends.
const APPEND: &str = include_str!("append.lua");

/// Which journal, and how to log in.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where the server is, with TLS or without.
    pub target: SocketTarget,
    /// What its keys begin with: letters, digits, `-`, `_`, `.` and `:`.
    pub name: String,
    /// The user of its password, if it is not the default one.
    pub user: Option<String>,
    /// The password, if there is one. It is read anew for each connection.
    pub password: Option<Credential>,
}

/// The ports of a journal in Redis.
#[derive(Clone)]
pub struct RedisPorts {
    /// The way out.
    pub sockets: Arc<dyn Sockets>,
    /// Where a password may stand.
    pub env: Arc<dyn Env>,
    /// Where a password may stand.
    pub files: Arc<dyn Files>,
    /// What makes a life of the journal one of its own.
    pub random: Arc<dyn Random>,
}

/// A journal in a stream of Redis.
pub struct RedisJournal {
    settings: RedisSettings,
    ports: RedisPorts,
    keys: [String; 3],
    /// A connection that nobody uses now.
    idle: Mutex<Option<Connection>>,
}

impl RedisJournal {
    /// A journal that has not been asked yet.
    ///
    /// # Errors
    /// `Config` when the name can't be one.
    pub fn new(settings: RedisSettings, ports: RedisPorts) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if !(1..=128).contains(&settings.name.len()) || !settings.name.bytes().all(fits) {
            let message = "the name of a journal in Redis has 1 to 128 letters, digits, `-`, `_`, `.` and `:`; write \
                           `redis://HOST:PORT/NAME`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let keys = ["head", "entries", "ids"].map(|part| format!("{{{}}}:{part}", settings.name));
        Ok(Self { settings, ports, keys, idle: Mutex::default() })
    }

    /// Sends commands and reads as many replies: over the connection that is there, and once more over a new one when it
    /// breaks. Both what is read and what is appended may be asked for twice.
    async fn ask(&self, call: &Call, commands: &[Vec<u8>]) -> Result<Vec<resp::Reply>> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = kept.filter(|connection| connection.is_usable(call)) {
            match call.bounded(connection.ask(commands)).await {
                Ok(replies) => return Ok(self.keep(call, connection, replies)),
                Err(error) if error.kind() != ErrorKind::Network => return Err(error),
                Err(_) => {}
            }
        }
        let opened = async {
            let mut connection = Connection::open(&self.settings, &self.ports).await?;
            let replies = connection.ask(commands).await?;
            Ok((connection, replies))
        };
        let (connection, replies) = call.bounded(opened).await?;
        Ok(self.keep(call, connection, replies))
    }

    /// A connection on which all is said and read may be used again. One whose caller went away is dropped with its caller.
    fn keep(&self, call: &Call, connection: Connection, replies: Vec<resp::Reply>) -> Vec<resp::Reply> {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.rested(call));
        replies
    }

    /// One moment of the journal: the server, the head, and some of its entries.
    async fn moment(&self, call: &Call, entries: &[&str]) -> Result<(Option<Head>, resp::Reply)> {
        let [head, stream, _] = &self.keys;
        let words = |words: &[&str]| command(words.iter().map(|word| word.as_bytes()));
        let read: Vec<&str> = [entries[0], stream].into_iter().chain(entries[1..].iter().copied()).collect();
        let commands = [
            words(&["MULTI"]),
            words(&["INFO", "server"]),
            words(&["HMGET", head, "base", "seq", "trimmed_to"]),
            words(&read),
            words(&["EXEC"]),
        ];
        let replies = self.ask(call, &commands).await?;
        let answers = replies.last().and_then(resp::Reply::list);
        match answers {
            Some([info, head, found]) => Ok((head_of(info, head)?, found.clone())),
            _ => Err(connection::refusal(&replies)),
        }
    }

    async fn newest(&self, call: &Call, limit: usize) -> Result<(Option<Head>, Vec<(u64, Change)>)> {
        let count = limit.max(1).to_string();
        let (head, found) = self.moment(call, &["XREVRANGE", "+", "-", "COUNT", &count]).await?;
        let changes = head.as_ref().map(|head| newest_of(&found, head, limit)).transpose()?;
        Ok((head, changes.unwrap_or_default()))
    }
}

impl fmt::Debug for RedisJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisJournal").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The cursor of a journal that nobody has appended to.
const EMPTY: Cursor = Cursor { epoch: 0, seq: 0 };

#[async_trait]
impl Journal for RedisJournal {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        let stored = Stored::distinct(changes)?;
        if stored.is_empty() {
            let (head, _) = self.newest(call, 1).await?;
            return Ok(head.map_or(EMPTY, Head::cursor));
        }
        let mut base = [0; 16];
        self.ports.random.fill(&mut base);
        let (base, kept) = (hex::text(&base), KEPT.to_string());
        let mut cursor = EMPTY;
        for part in stored.chunks(PER_SCRIPT) {
            let [head, entries, ids] = &self.keys;
            let mut words: Vec<&[u8]> = vec![b"EVAL", APPEND.as_bytes(), b"3"];
            words.extend([head, entries, ids, &base, &kept].map(String::as_bytes));
            words.extend(part.iter().flat_map(|stored| [stored.key.as_bytes(), stored.json.as_bytes()]));
            // Of one moment, so that the epoch that is answered is that of the server which took it.
            let commands =
                [command([&b"MULTI"[..]]), command([&b"INFO"[..], b"server"]), command(words), command([&b"EXEC"[..]])];
            let replies = self.ask(call, &commands).await?;
            cursor = match replies.last().and_then(resp::Reply::list) {
                Some([info, taken]) if taken.list().is_some() => appended(info, taken)?,
                _ => return Err(connection::refusal(&replies)),
            };
        }
        Ok(cursor)
    }

    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        if let Some(cursor) = cursor {
            let (from, count) = (cursor.seq.saturating_add(1).to_string(), limit.max(1).to_string());
            let (head, found) = self.moment(call, &["XRANGE", &from, "+", "COUNT", &count]).await?;
            let Some(head) = head else { return Ok(feed(Vec::new(), EMPTY, cursor != EMPTY, limit)) };
            if cursor.epoch == head.epoch && (head.trimmed_to..=head.seq).contains(&cursor.seq) {
                // A hole is a gap: numbers have none.
                if let Some(changes) = range_of(&found, &head, cursor.seq, limit)? {
                    return Ok(feed(changes, head.cursor(), false, limit));
                }
            }
        }
        let (head, changes) = self.newest(call, limit).await?;
        let gap = cursor.is_some();
        Ok(match head {
            Some(head) => feed(changes, head.cursor(), gap, limit),
            None => feed(Vec::new(), EMPTY, gap, limit),
        })
    }
}

fn feed(changes: Vec<(u64, Change)>, head: Cursor, gap: bool, limit: usize) -> Feed {
    Feed { cut: changes.len() >= limit, changes, head, gap, head_age: std::time::Duration::ZERO }
}
