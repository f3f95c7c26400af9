//! Listening without TLS, on TCP or on a Unix socket. Both are one type, so that all that serves a connection is
//! compiled once, at one comparison per read.

use std::future::{Ready, ready};
use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use lockstep_core::Peer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::super::socket::{Socket, SocketFile};
use super::{Arrivals, Arrived};

/// A socket on the runtime.
pub(super) enum Plain {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "goes away with the listener")] SocketFile),
}

impl Plain {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Socket::Unix(socket, file) => Self::Unix(UnixListener::from_std(socket)?, file),
        })
    }
}

impl Arrivals for Plain {
    type Stream = PlainStream;
    type Arriving = Ready<io::Result<Arrived<PlainStream>>>;

    async fn next(&self) -> io::Result<Option<(Self::Arriving, Peer)>> {
        let (stream, peer) = match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                (PlainStream::Tcp(stream), Peer { address: Some(address.to_string().into()), ..Peer::default() })
            }
            Self::Unix(socket, _) => {
                let (stream, _) = socket.accept().await?;
                let uid = rustix::net::sockopt::socket_peercred(stream.as_fd())?.uid.as_raw();
                if uid != 0 && uid != rustix::process::geteuid().as_raw() {
                    return Ok(None);
                }
                (PlainStream::Unix(stream), Peer { uid: Some(uid), ..Peer::default() })
            }
        };
        Ok(Some((ready(Ok(Arrived { stream, certificate: None })), peer)))
    }
}

/// A connection of either kind.
pub(super) enum PlainStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for PlainStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// The kernel holds what was written: neither kind has anything to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
        }
    }
}
