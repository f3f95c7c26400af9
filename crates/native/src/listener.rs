//! [`Listener`]: the local endpoint's socket. It counts connections, bytes and time, and hands whole requests to a
//! [`FrontDoor`](lockstep_core::FrontDoor).
//!
//! Nothing here knows a route, a token or a secret. A client that is slow, silent, too large or broken costs one
//! connection and nothing else.

mod accept;
mod bodies;
mod connection;
#[cfg(feature = "tls-listener")]
mod multiplexed;
mod socket;
mod ticks;
mod watch;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use lockstep_core::Result;

use self::socket::Socket;

/// The caps of a listener. Times are kept with a coarse clock: a limit takes up to half as long again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Connections that are served at once. One more takes the place of the one whose client has kept us waiting the
    /// longest: for its first bytes, for the rest of a request, or for another one.
    pub max_connections: usize,
    /// Connections over the cap that are still accepted to be told so, where nobody keeps us waiting; the next ones are
    /// closed at once.
    pub overflow: usize,
    /// Bytes of the request line and the headers together.
    pub max_header_bytes: usize,
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Bytes of the bodies that have not ended yet, of all connections together.
    pub max_bodies_bytes: usize,
    /// The same of one address (of IPv6, of one /64). One whole body has room, whatever this says.
    pub max_address_bodies_bytes: usize,
    /// From the first byte of a request, or the opening of a connection, to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub body_timeout: Duration,
    /// From the whole request to the answer. Only a last resort: callers are told by their own deadline before.
    pub answer_timeout: Duration,
    /// How long a client may take to read its answer.
    pub write_timeout: Duration,
    /// How long a connection may be silent between requests. While connections are over the cap, `header_timeout`
    /// counts for it if that is shorter.
    pub idle_timeout: Duration,
    /// How long requests may go on after the listener was told to stop.
    pub drain_timeout: Duration,
    /// Requests that one connection may have under way at once, where it speaks HTTP/2.
    pub max_streams: u32,
    /// Whether addresses other than loopback may be bound.
    pub allow_remote: bool,
}

impl Default for ListenerSettings {
    /// 800 connections, headers of 16 KiB within 5 s, bodies of 256 KiB (16 MiB in all, 4 MiB of
    /// one address) within 10 s, answers within 60 s, 60 s idle.
    fn default() -> Self {
        Self {
            max_connections: 800,
            overflow: 32,
            max_header_bytes: 16 << 10,
            max_body_bytes: 256 << 10,
            max_bodies_bytes: 16 << 20,
            max_address_bodies_bytes: 4 << 20,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(5),
            max_streams: 100,
            allow_remote: false,
        }
    }
}

/// A bound socket. Clients can connect from now on; they are answered once [`Listener::serve`] runs.
pub struct Listener {
    socket: Socket,
    settings: ListenerSettings,
}

impl Listener {
    /// Binds a TCP address; port 0 takes a free one. Needs no runtime.
    ///
    /// Packets leave with a hop limit of 1, so that they can't be routed to another machine.
    ///
    /// # Errors
    /// `Config` when the address is not loopback and `allow_remote` is off, or when it can't be bound.
    pub fn bind(address: SocketAddr, settings: ListenerSettings) -> Result<Self> {
        Ok(Self { socket: Socket::tcp(address, settings.allow_remote)?, settings })
    }

    /// Binds a Unix socket with mode 0600. Only root and the user of this process are answered, as the kernel tells who
    /// is at the other end. The file goes away with the listener.
    ///
    /// # Errors
    /// `Config` when the path is taken by a live socket or by anything else, or can't be bound.
    pub fn bind_unix(path: &Path, settings: ListenerSettings) -> Result<Self> {
        Ok(Self { socket: Socket::unix(path)?, settings })
    }

    /// The TCP address that is bound; none on a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.address()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "listener/tests.rs"]
mod tests;

#[cfg(test)]
#[cfg(feature = "tls-listener")]
#[path = "listener/tests_tls.rs"]
mod tests_tls;
