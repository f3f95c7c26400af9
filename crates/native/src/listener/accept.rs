//! The loop that accepts connections, counts them, and sweeps those which take too long.

use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use lockstep_core::{Error, ErrorKind, FrontDoor, Peer, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::socket::Socket;
use super::ticks::Ticks;
use super::watch::{Crowd, Patience, Watch, Wish};
use super::{Listener, ListenerSettings, connection};
use crate::tally::{Count, Tally};

/// The pause after an accept that failed for want of file descriptors: until somebody closes one, it fails again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listener {
    /// Answers connections until `stop` is ready; then no new ones are accepted, and requests under way may go on for
    /// `drain_timeout`. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// `Internal` when the socket can't be put on the runtime.
    pub async fn serve<D: FrontDoor>(self, door: Arc<D>, stop: impl Future<Output = ()>) -> Result<()> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Internal, "the runtime does not take the listening socket").because(error)
        };
        let mut hall = Hall::new(door, self.settings).map_err(failed)?;
        match self.socket {
            Socket::Tcp(socket) => {
                let socket = TcpListener::from_std(socket).map_err(failed)?;
                hall.accept(&socket, stop).await;
            }
            Socket::Unix(socket, _file) => {
                let socket = UnixListener::from_std(socket).map_err(failed)?;
                hall.accept(&socket, stop).await;
            }
        }
        // The socket is closed now: who comes too late is refused by the kernel, not kept waiting.
        hall.drain().await;
        Ok(())
    }
}

/// Where connections come from.
trait Arrivals {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection; `None` for one that must not be answered.
    async fn next(&self) -> io::Result<Option<(Self::Stream, Peer)>>;
}

impl Arrivals for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<Option<(Self::Stream, Peer)>> {
        let (stream, address) = self.accept().await?;
        Ok(Some((stream, Peer { address: Some(address.to_string().into()), ..Peer::default() })))
    }
}

impl Arrivals for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<Option<(Self::Stream, Peer)>> {
        let (stream, _) = self.accept().await?;
        let uid = rustix::net::sockopt::socket_peercred(stream.as_fd())?.uid.as_raw();
        let welcome = uid == 0 || uid == rustix::process::geteuid().as_raw();
        Ok(welcome.then(|| (stream, Peer { uid: Some(uid), ..Peer::default() })))
    }
}

/// The open connections and what they share.
struct Hall<D> {
    door: Arc<D>,
    settings: ListenerSettings,
    http: Arc<http1::Builder>,
    patience: Patience,
    ticks: Ticks,
    crowd: Crowd,
    open: Tally,
}

/// One connection's place, to the end of its task, however that ends.
struct Place {
    watch: Arc<Watch>,
    _count: Count,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.watch.end();
    }
}

impl<D: FrontDoor> Hall<D> {
    fn new(door: Arc<D>, settings: ListenerSettings) -> io::Result<Self> {
        let http = Arc::new(connection::protocol(settings.max_header_bytes));
        let patience = Patience::new(&settings);
        let ticks = Ticks::new(patience.tick)?;
        Ok(Self { door, settings, http, patience, ticks, crowd: Crowd::default(), open: Tally::default() })
    }

    async fn accept<A: Arrivals>(&mut self, arrivals: &A, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.ticks.next() => self.sweep(),
                arrival = arrivals.next() => match arrival {
                    Ok(Some((stream, peer))) => self.admit(stream, peer),
                    Ok(None) => tracing::warn!("a caller of another user was turned away from the Unix socket"),
                    // The client gave up before we came to it.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::error!(reason = %error.kind(), "can't accept a connection");
                        pause().await;
                    }
                },
            }
        }
    }

    fn sweep(&mut self) {
        let crowded = self.open.count() >= self.settings.max_connections;
        self.crowd.sweep(&self.patience, crowded);
        self.ticks.beat(!self.crowd.is_empty());
    }

    #[expect(clippy::disallowed_methods, reason = "a connection is the listener's own task, not a request's")]
    fn admit<S>(&mut self, stream: S, mut peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let before = self.open.count();
        if before >= self.settings.max_connections.saturating_add(self.settings.overflow) {
            return;
        }
        peer.crowded = before >= self.settings.max_connections;
        let watch = Arc::new(Watch::new());
        let place = Place { watch: Arc::clone(&watch), _count: self.open.enter() };
        self.crowd.add(Arc::clone(&watch));
        self.ticks.beat(true);
        let (http, door, most) = (Arc::clone(&self.http), Arc::clone(&self.door), self.settings.max_body_bytes);
        tokio::spawn(async move {
            let _place = place;
            connection::run(&http, stream, door, peer, watch, most).await;
        });
    }

    /// Lets requests end, then ends the rest.
    #[expect(clippy::disallowed_methods, reason = "the end of the listener waits by tokio's timer")]
    async fn drain(&self) {
        self.crowd.ask(Wish::Finish);
        let limit = self.settings.drain_timeout;
        let left = tokio::time::timeout(limit, self.open.none()).await.is_err();
        if left {
            tracing::warn!("requests were cut off at the end of the drain time");
            self.crowd.ask(Wish::End);
            self.open.none().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the accept loop waits by tokio's timer")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
