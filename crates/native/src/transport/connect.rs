//! A connection to a target: its addresses, TCP to the first that answers, TLS, and hyper on top.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::target::Target;

/// One side of an open connection: requests go in here.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// How long the first family of addresses is tried alone (RFC 8305 has 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// With TLS or without. Behind one type, so that hyper is in the binary once.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection. What drives it is a task of its own, which ends with the connection.
#[expect(clippy::disallowed_methods, reason = "tokio drives a connection, for all requests that share it")]
pub(super) async fn open(target: &Target, tls: Option<&Arc<ClientConfig>>, limit: Duration) -> Result<Sender, Failure> {
    let opened = timeout(limit, stream(target, tls, limit)).await;
    let stream = opened.unwrap_or_else(|_| Err(Failure::of_connecting(target, &io::ErrorKind::TimedOut.into())))?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure::of_exchange(target, &error))?;
    tokio::spawn(async move {
        // What breaks it is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(sender)
}

pub(crate) async fn stream(
    target: &Target,
    tls: Option<&Arc<ClientConfig>>,
    limit: Duration,
) -> Result<Box<dyn Stream>, Failure> {
    let failed = |error: io::Error| Failure::of_connecting(target, &error);
    let found = tokio::net::lookup_host((&*target.host, target.port)).await;
    let found: Vec<SocketAddr> = found.map_err(|_| Failure::of_name(target))?.collect();
    let tcp = first_of(&found, limit).await.map_err(failed)?;
    // Requests are small and wait for nothing.
    tcp.set_nodelay(true).map_err(failed)?;
    match tls {
        Some(tls) if target.tls => {
            let name = ServerName::try_from(target.host.to_string()).map_err(|_| Failure::of_name(target))?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.map_err(failed)?;
            Ok(Box::new(stream))
        }
        _ => Ok(Box::new(tcp)),
    }
}

/// TCP to the first address that answers. The family of the first address goes first; the other one, when there is
/// one, comes in after a moment, since a network may promise IPv6 and swallow it.
#[expect(clippy::disallowed_methods, reason = "a head start is tokio's, below any Clock")]
async fn first_of(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let six = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| address.is_ipv6() == six);
    if second.is_empty() {
        return one_by_one(&first, limit).await;
    }
    let before = one_by_one(&first, limit);
    let after = async {
        sleep(HEAD_START).await;
        one_by_one(&second, limit).await
    };
    tokio::pin!(before, after);
    tokio::select! {
        stream = &mut before => match stream {
            Ok(stream) => Ok(stream),
            Err(_) => one_by_one(&second, limit).await,
        },
        stream = &mut after => match stream {
            Ok(stream) => Ok(stream),
            Err(_) => before.await,
        },
    }
}

/// Each address has its share of the time, so that a dead one leaves some to the next.
#[expect(clippy::disallowed_methods, reason = "a bound of connecting, below any Clock")]
async fn one_by_one(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Break: `one_by_one(&second, …)` after a failure, or the loop.
    #[tokio::test]
    async fn a_dead_address_and_a_dead_family_leave_the_others_to_be_tried() {
        let open = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let good = open.local_addr().unwrap();
        // Port 1 of the machine itself: nobody listens there.
        let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let dead_six = SocketAddr::from((Ipv6Addr::LOCALHOST, 1));
        for addresses in [vec![dead, good], vec![dead_six, good], vec![dead_six, dead, good], vec![good, dead_six]] {
            let stream = first_of(&addresses, Duration::from_secs(3)).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good, "{addresses:?}");
        }
        let refused = first_of(&[dead, dead_six], Duration::from_secs(3)).await.unwrap_err();
        assert!(matches!(refused.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable));
        assert_eq!(first_of(&[], Duration::from_secs(3)).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
