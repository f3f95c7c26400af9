//! [`HttpPieces`]: the body of an answer as it arrives, for as long as the other side goes on. It is bounded by how long
//! it may say nothing; who reads it bounds what is kept of it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lockstep_core::{ByteStream, Error, ErrorKind, Result};

use super::connect::Sender;
use super::failure::Failure;
use super::target::Target;

/// A body that is read piece by piece. Its connection is not used again: it is closed with this.
pub(super) struct HttpPieces {
    pub(super) target: Target,
    /// The connection stands while this does.
    pub(super) _sender: Sender,
    pub(super) incoming: Incoming,
    pub(super) idle: Duration,
}

#[async_trait]
impl ByteStream for HttpPieces {
    #[expect(clippy::disallowed_methods, reason = "core's bound works through a Call; this is below it")]
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Ok(frame) = tokio::time::timeout(self.idle, self.incoming.frame()).await else {
                let message = format!("{} has sent nothing for {} ms", self.target, self.idle.as_millis());
                return Err(Error::new(ErrorKind::Timeout, message));
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| Failure::of_exchange(&self.target, &error).into_error())?;
            // Trailers are left aside, and so is a piece without bytes.
            match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                _ => {}
            }
        }
    }
}
