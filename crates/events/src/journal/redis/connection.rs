//! One connection to Redis: opened, logged in, asked, and let go when nobody knows whether it still works.

use std::time::Duration;

use lockstep_core::{Call, Error, ErrorKind, Result, Socket, UnixMillis};

use super::resp::{Reply, command, reply};
use super::{RedisPorts, RedisSettings};

/// How long an unused connection is trusted, by either clock: a process that was frozen comes back to a dead one.
const IDLE: Duration = Duration::from_secs(15);

/// A connection that is logged in.
pub(super) struct Connection {
    socket: Box<dyn Socket>,
    /// What has come and was not read yet.
    unread: Vec<u8>,
    rested: (Duration, UnixMillis),
}

impl Connection {
    /// Opens and logs in.
    ///
    /// # Errors
    /// The socket's, those of reading the password, and `Unauthenticated` when it is not accepted.
    pub(super) async fn open(settings: &RedisSettings, ports: &RedisPorts) -> Result<Self> {
        let socket = ports.sockets.open(&settings.target).await?;
        let mut connection = Self { socket, unread: Vec::new(), rested: (Duration::ZERO, UnixMillis(0)) };
        if let Some(password) = &settings.password {
            let password = password.read(&*ports.env, &*ports.files)?;
            let user = settings.user.as_deref().unwrap_or("default");
            let login = zeroize::Zeroizing::new(command([&b"AUTH"[..], user.as_bytes(), password.expose()]));
            connection.socket.write(&login).await?;
            if let Reply::Error(_) = connection.reply().await? {
                let message = "Redis does not accept the password; look at `freshness.journal_token` and the user";
                return Err(Error::new(ErrorKind::Unauthenticated, message));
            }
        }
        Ok(connection)
    }

    /// Sends commands, and reads a reply to each.
    ///
    /// # Errors
    /// The socket's, and `Malformed` or `TooLarge` for what is no reply.
    pub(super) async fn ask(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Reply>> {
        self.socket.write(&commands.concat()).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    async fn reply(&mut self) -> Result<Reply> {
        loop {
            if let Some((reply, length)) = reply(&self.unread)? {
                self.unread.drain(..length);
                return Ok(reply);
            }
            let Some(bytes) = self.socket.read().await? else {
                return Err(Error::new(ErrorKind::Network, "Redis has closed the connection"));
            };
            self.unread.extend_from_slice(&bytes);
        }
    }

    /// The connection, put aside now.
    pub(super) fn rested(self, call: &Call) -> Self {
        Self { rested: (call.clock().monotonic(), call.clock().wall()), ..self }
    }

    /// Whether it may be used after its rest.
    pub(super) fn is_usable(&self, call: &Call) -> bool {
        let (monotonic, wall) = self.rested;
        let now = call.clock().wall();
        call.clock().monotonic().saturating_sub(monotonic) < IDLE && now >= wall && now.saturating_since(wall) < IDLE
    }
}

/// Why a transaction was not done: by the word that Redis says first.
pub(super) fn refusal(replies: &[Reply]) -> Error {
    let words = replies.iter().flat_map(|reply| std::iter::once(reply).chain(reply.list().unwrap_or_default()));
    let mut word = words.filter_map(|reply| if let Reply::Error(word) = reply { Some(word.as_str()) } else { None });
    // `EXECABORT` comes last and says only that one before it said no.
    let word = word.rfind(|word| *word != "EXECABORT").unwrap_or_default();
    let (kind, message) = match word {
        "NOAUTH" | "WRONGPASS" => {
            (ErrorKind::Unauthenticated, "Redis asks for a password; set `freshness.journal_token`")
        }
        "NOPERM" => (ErrorKind::Denied, "Redis's rules refuse this user the journal's keys or commands"),
        "MOVED" | "ASK" | "CLUSTERDOWN" => {
            (ErrorKind::Config, "the journal's keys are on another node of the cluster; name that one")
        }
        "READONLY" => (ErrorKind::Config, "this Redis is a replica; a journal is written and read at the primary"),
        "LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" => (ErrorKind::Unavailable, "Redis can't answer now"),
        "OOM" | "MISCONF" => (ErrorKind::Unavailable, "Redis takes no writes now; look at its memory and its disk"),
        "WRONGTYPE" => {
            (ErrorKind::Malformed, "the journal's keys hold something else; look at who else writes to them")
        }
        _ => (ErrorKind::Malformed, "Redis refuses the journal's commands; it takes version 6.2 or newer"),
    };
    Error::new(kind, message).upstream(word, 0)
}
