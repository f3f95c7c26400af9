//! [`TcpSockets`]: connections for protocols that are not HTTP, with the trust and the way of connecting of our transports.

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use lockstep_core::{Error, ErrorKind, Result, Socket, SocketTarget, Sockets};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::transport::HttpTransports;
use crate::transport::connect::{Stream, stream};
use crate::transport::failure::Failure;
use crate::transport::target::Target;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 << 10;

/// Opens connections over TCP. They share the roots and TLS sessions of the transports.
pub struct TcpSockets(Arc<HttpTransports>);

impl TcpSockets {
    /// Sockets beside these transports.
    pub fn new(transports: Arc<HttpTransports>) -> Self {
        Self(transports)
    }
}

impl fmt::Debug for TcpSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSockets").finish_non_exhaustive()
    }
}

#[async_trait]
impl Sockets for TcpSockets {
    #[expect(clippy::disallowed_methods, reason = "a bound of connecting, below any Clock")]
    async fn open(&self, to: &SocketTarget) -> Result<Box<dyn Socket>> {
        let tls = to.tls.as_ref().map(|profile| self.0.tls(profile)).transpose()?.map(|config| {
            let mut config = (*config).clone();
            // What is spoken inside is not HTTP, and says so by saying nothing.
            config.alpn_protocols.clear();
            Arc::new(config)
        });
        let target = Target { tls: tls.is_some(), host: to.host.clone(), port: to.port };
        let limit = self.0.connect_timeout();
        let opened = tokio::time::timeout(limit, stream(&target, tls.as_ref(), limit)).await;
        let late = || Failure::of_connecting(&target, &io::ErrorKind::TimedOut.into());
        let stream = opened.unwrap_or_else(|_| Err(late())).map_err(Failure::into_error)?;
        Ok(Box::new(TcpSocket { stream, target }))
    }
}

struct TcpSocket {
    stream: Box<dyn Stream>,
    target: Target,
}

impl TcpSocket {
    /// Only the kind of the system's error: the rest may quote what was sent.
    fn broke(&self, error: &io::Error) -> Error {
        let message =
            format!("the connection to {} broke ({}); what was sent may have been taken", self.target, error.kind());
        Error::new(ErrorKind::Network, message)
    }
}

#[async_trait]
impl Socket for TcpSocket {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let mut bytes = BytesMut::with_capacity(READ_BYTES);
        match self.stream.read_buf(&mut bytes).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(bytes.freeze())),
            Err(error) => Err(self.broke(&error)),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| self.broke(&error))
    }
}
