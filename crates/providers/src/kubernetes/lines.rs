//! [`Lines`]: a streamed answer cut at its line ends. A line that does not end is refused, not kept.

use lockstep_core::{Error, ErrorKind, Pieces, Result};
use zeroize::Zeroizing;

use crate::wiped::{append, wiped};

/// The longest line in bytes. An object is 1 MiB at most, and its metadata are less.
pub(super) const LONGEST: usize = 2 << 20;

/// The lines of a watch.
pub(super) struct Lines {
    pieces: Pieces,
    /// What came and was not handed out.
    held: Zeroizing<Vec<u8>>,
    /// Up to here there is no line end.
    searched: usize,
}

impl Lines {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self { pieces, held: Zeroizing::default(), searched: 0 }
    }

    /// The next line without its end; `None` when the answer is over. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The stream's, `TooLarge`, and `Network` when the answer ends within a line.
    pub(super) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        loop {
            if let Some(end) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + end;
                let line = Zeroizing::new(self.held[..end].to_vec());
                self.held.drain(..=end);
                self.searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.held.len();
            if self.held.len() > LONGEST {
                let message =
                    format!("an event of the watch is longer than {LONGEST} bytes; look at what is before the server");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            match self.pieces.next().await? {
                Some(piece) => append(&mut self.held, &wiped(piece)),
                None if self.held.trim_ascii().is_empty() => return Ok(None),
                None => return Err(Error::new(ErrorKind::Network, "the watch was cut within an event")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::Request;
    use lockstep_core::{StreamLimits, Transport as _};
    use lockstep_testkit::{FakeTransport, Piece, Reply};

    use super::*;

    async fn lines(pieces: Vec<Piece>) -> Lines {
        let transport = FakeTransport::in_order([Reply::pieces(pieces)]);
        let limits = StreamLimits { head: Duration::ZERO, idle: Duration::ZERO };
        let request = Request::get("https://k8s.internal/").body(Bytes::new()).unwrap();
        Lines::new(transport.stream(request, limits).await.unwrap().into_body())
    }

    #[tokio::test]
    async fn lines_are_cut_at_their_ends_however_the_pieces_are_cut() {
        let whole = "one\n\n{\"two\":2}\r\nthree\n";
        for size in 1..=whole.len() {
            let pieces = whole.as_bytes().chunks(size).map(|chunk| Piece::new(chunk.to_vec())).collect();
            let mut lines = lines(pieces).await;
            let mut seen = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                seen.push(String::from_utf8(line.trim_ascii().to_vec()).unwrap());
            }
            assert_eq!(seen, ["one", "{\"two\":2}", "three"], "{size}");
        }
    }

    /// O3. Break: the bound in `Lines::next`.
    #[tokio::test]
    async fn o3_a_line_without_end_is_refused_before_it_is_kept() {
        let piece = Bytes::from(vec![b'x'; 64 << 10]);
        let mut lines = lines((0..1000).map(|_| Piece::Bytes(piece.clone())).collect()).await;
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(lines.held.len() <= LONGEST + piece.len(), "{}", lines.held.len());
    }

    /// Break: hand out at the end what was held.
    #[tokio::test]
    async fn an_answer_that_ends_within_a_line_was_cut() {
        let mut lines = lines(vec![Piece::new("one\n{\"type\":\"DEL")]).await;
        assert!(lines.next().await.unwrap().is_some());
        assert_eq!(lines.next().await.unwrap_err().kind(), ErrorKind::Network);
    }
}
