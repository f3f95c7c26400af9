//! The loop that accepts connections, counts them, and sweeps those which take too long.

#[cfg(feature = "tls-listener")]
mod encrypted;
mod plain;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use lockstep_core::{Error, ErrorKind, FrontDoor, Peer, Result};
use tokio::io::{AsyncRead, AsyncWrite};

use self::plain::Plain;
use super::bodies::Bodies;
use super::connection::Session;
use super::ticks::Ticks;
use super::watch::{Crowd, Patience, Watch, Wish};
use super::{Listener, ListenerSettings, connection};
use crate::tally::{Count, Tally};

/// The pause after an accept that failed for want of file descriptors: until somebody closes one, it fails again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The longest that the end of the listener waits for connections that have asked for nothing yet. One whose handshake is
/// under way may be taken for open by its client, and what is asked on it for answered.
const GREETING: Duration = Duration::from_secs(1);

impl Listener {
    /// Answers connections until `stop` is ready; then no new ones are accepted, and requests under way may go on for
    /// `drain_timeout`. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// `Internal` when the socket can't be put on the runtime.
    pub async fn serve<D: FrontDoor>(self, door: Arc<D>, stop: impl Future<Output = ()>) -> Result<()> {
        let mut hall = Hall::new(door, self.settings).map_err(not_taken)?;
        let plain = Plain::new(self.socket).map_err(not_taken)?;
        hall.accept(&plain, stop).await;
        drop(plain);
        // The socket is closed now: who comes too late is refused by the kernel, not kept waiting.
        hall.drain().await;
        Ok(())
    }
}

fn not_taken(error: io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the runtime does not take the listening socket").because(error)
}

/// Where connections come from.
trait Arrivals {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A connection that has yet to shake hands.
    type Arriving: Future<Output = io::Result<Arrived<Self::Stream>>> + Send + 'static;

    /// The next connection; `None` for one that must not be answered.
    async fn next(&self) -> io::Result<Option<(Self::Arriving, Peer)>>;

    /// Serves a connection in the protocol that it speaks.
    fn serve<D: FrontDoor>(
        arrived: Arrived<Self::Stream>,
        session: Session<D>,
        protocols: Protocols,
    ) -> impl Future<Output = ()> + Send {
        async move { connection::run(&protocols.http1, arrived.stream, session).await }
    }
}

/// What the protocols of all connections are set to.
#[derive(Clone)]
struct Protocols {
    http1: Arc<http1::Builder>,
    settings: Arc<ListenerSettings>,
}

/// A connection that can be spoken on.
struct Arrived<S> {
    stream: S,
    certificate: Option<Arc<[u8]>>,
}

/// The open connections and what they share.
struct Hall<D> {
    door: Arc<D>,
    protocols: Protocols,
    patience: Patience,
    ticks: Ticks,
    crowd: Crowd,
    open: Tally,
    bodies: Arc<Bodies>,
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
        let http1 = Arc::new(connection::protocol(settings.max_header_bytes));
        let patience = Patience::new(&settings);
        let ticks = Ticks::new(patience.tick)?;
        let of_one = settings.max_address_bodies_bytes.max(settings.max_body_bytes);
        let bodies = Arc::new(Bodies::new(settings.max_bodies_bytes, of_one));
        let protocols = Protocols { http1, settings: Arc::new(settings) };
        Ok(Self { door, protocols, patience, ticks, crowd: Crowd::default(), open: Tally::default(), bodies })
    }

    async fn accept<A: Arrivals>(&mut self, arrivals: &A, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.ticks.next() => self.sweep(),
                arrival = arrivals.next() => match arrival {
                    Ok(Some((arriving, peer))) => self.admit::<A>(arriving, peer),
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
        let crowded = self.open.count() >= self.protocols.settings.max_connections;
        self.crowd.sweep(&self.patience, crowded);
        self.ticks.beat(!self.crowd.is_empty());
    }

    #[expect(clippy::disallowed_methods, reason = "a connection is the listener's own task, not a request's")]
    fn admit<A: Arrivals>(&mut self, arriving: A::Arriving, mut peer: Peer) {
        let ListenerSettings { max_connections, overflow, .. } = *self.protocols.settings;
        let mut staying = self.open.count();
        if staying >= max_connections {
            // Those that were asked to end may not have come to it yet.
            staying = self.crowd.staying();
        }
        if staying >= max_connections && self.crowd.make_room() {
            staying -= 1;
        }
        if staying >= max_connections.saturating_add(overflow) {
            return;
        }
        peer.crowded = staying >= max_connections;
        let watch = Arc::new(Watch::new());
        let place = Place { watch: Arc::clone(&watch), _count: self.open.enter() };
        self.crowd.add(Arc::clone(&watch), peer.address.as_deref());
        self.ticks.beat(true);
        let (door, protocols, bodies) = (Arc::clone(&self.door), self.protocols.clone(), Arc::clone(&self.bodies));
        tokio::spawn(async move {
            let place = place;
            let Some(Ok(arrived)) = connection::unless_ended(&place.watch, arriving).await else { return };
            peer.certificate.clone_from(&arrived.certificate);
            let max_body_bytes = protocols.settings.max_body_bytes;
            A::serve(arrived, Session { door, peer, watch, max_body_bytes, bodies }, protocols).await;
        });
    }

    /// Lets requests end, then ends the rest.
    #[expect(clippy::disallowed_methods, reason = "the end of the listener waits by tokio's timer")]
    async fn drain(&self) {
        self.crowd.ask(Wish::Finish);
        let limit = self.protocols.settings.drain_timeout;
        let greeting = GREETING.min(limit);
        let mut left = tokio::time::timeout(greeting, self.open.none()).await.is_err();
        if left {
            self.crowd.end_silent();
            left = tokio::time::timeout(limit.saturating_sub(greeting), self.open.none()).await.is_err();
        }
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
