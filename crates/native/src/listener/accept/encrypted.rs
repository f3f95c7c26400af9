//! Listening with TLS, and in HTTP/2 where the caller speaks it. A program without this has no HTTP/2 in it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use lockstep_core::{Error, ErrorKind, FrontDoor, Peer, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::connection::{self, Session};
use super::super::socket::Socket;
use super::super::{Listener, multiplexed};
use super::{Arrivals, Arrived, Hall, Protocols, not_taken};
use crate::tls::ServerTls;

impl Listener {
    /// The same as [`serve`](Self::serve) with TLS, for HTTP/1.1 and HTTP/2.
    ///
    /// # Errors
    /// `Internal` when the socket can't be put on the runtime; `Config` for a Unix socket, which nobody can listen in on.
    pub async fn serve_tls<D: FrontDoor>(
        self,
        door: Arc<D>,
        tls: Arc<ServerTls>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let mut hall = Hall::new(door, self.settings).map_err(not_taken)?;
        let Socket::Tcp(socket) = self.socket else {
            return Err(Error::new(ErrorKind::Config, "a Unix socket needs no TLS; leave `listen.tls` out"));
        };
        let arrivals = Encrypted { socket: TcpListener::from_std(socket).map_err(not_taken)?, tls };
        hall.accept(&arrivals, stop).await;
        drop(arrivals);
        hall.drain().await;
        Ok(())
    }
}

/// TCP with TLS. The handshake belongs to the connection's own task: who is slow in it holds up nobody.
struct Encrypted {
    socket: TcpListener,
    tls: Arc<ServerTls>,
}

impl Arrivals for Encrypted {
    type Stream = TlsStream<TcpStream>;
    type Arriving = Pin<Box<dyn Future<Output = io::Result<Arrived<TlsStream<TcpStream>>>> + Send>>;

    async fn next(&self) -> io::Result<Option<(Self::Arriving, Peer)>> {
        let (stream, address) = self.socket.accept().await?;
        let shaking = TlsAcceptor::from(self.tls.config()).accept(stream);
        let arriving = async move {
            let stream = shaking.await?;
            let (_, session) = stream.get_ref();
            let certificate =
                session.peer_certificates().and_then(|chain| chain.first()).map(|own| own.as_ref().into());
            Ok(Arrived { stream, certificate })
        };
        Ok(Some((Box::pin(arriving), Peer { address: Some(address.to_string().into()), ..Peer::default() })))
    }

    async fn serve<D: FrontDoor>(arrived: Arrived<Self::Stream>, session: Session<D>, protocols: Protocols) {
        let (_, tls) = arrived.stream.get_ref();
        if tls.alpn_protocol() == Some(b"h2") {
            multiplexed::run(&protocols.settings, arrived.stream, session).await;
        } else {
            connection::run(&protocols.http1, arrived.stream, session).await;
        }
    }
}
