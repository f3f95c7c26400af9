//! What a hostile server does with one request.

use crate::transport::Gate;

/// What to do with one request.
#[derive(Clone)]
pub struct Action {
    /// The bytes of the answer, head and body.
    pub(super) bytes: Vec<u8>,
    pub(super) end: End,
    pub(super) gate: Option<Gate>,
}

/// What follows the bytes.
#[derive(Clone)]
pub(super) enum End {
    /// The next request on the same connection.
    KeepAlive,
    /// The connection is closed.
    Close,
    /// Nothing at all, until the client goes away.
    Stall,
    /// These bytes over and over, until the client goes away.
    Repeat(Vec<u8>),
}

impl Action {
    /// A well-formed answer.
    pub fn answer(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::with_headers(status, &[], body)
    }

    /// A well-formed answer in JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::with_headers(status, &[("content-type", "application/json")], body.to_string())
    }

    /// A well-formed answer with these headers.
    pub fn with_headers(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        let headers: Vec<_> = headers.iter().copied().chain([("content-length", length.as_str())]).collect();
        Self::raw([&head(status, &headers), body.as_ref()].concat(), End::KeepAlive)
    }

    /// 429 or 503, with `Retry-After`.
    pub fn retry_after(status: u16, seconds: u64) -> Self {
        Self::with_headers(status, &[("retry-after", &seconds.to_string())], "")
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::with_headers(status, &[("location", to)], "")
    }

    /// An answer that says it is this long, whatever its body is, and then closes.
    pub fn lying(status: u16, length: u64, body: impl AsRef<[u8]>) -> Self {
        let head = head(status, &[("content-length", &length.to_string())]);
        Self::raw([&head, body.as_ref()].concat(), End::Close)
    }

    /// These bytes, whatever they are, and then the end of the connection.
    pub fn nonsense(bytes: impl AsRef<[u8]>) -> Self {
        Self::raw(bytes.as_ref().to_vec(), End::Close)
    }

    /// A body in chunks that never ends.
    pub fn endless(status: u16) -> Self {
        let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
        Self::raw(head(status, &[("transfer-encoding", "chunked")]), End::Repeat(chunk))
    }

    /// Headers that never end.
    pub fn endless_headers() -> Self {
        let header = [b"x-more: ".as_slice(), &[b'x'; 1000], b"\r\n"].concat();
        Self::raw(b"HTTP/1.1 200 OK\r\n".to_vec(), End::Repeat(header))
    }

    /// Nothing: the connection is closed without an answer.
    pub fn close() -> Self {
        Self::raw(Vec::new(), End::Close)
    }

    /// Nothing: the client waits for ever.
    pub fn stall() -> Self {
        Self::raw(Vec::new(), End::Stall)
    }

    /// The first bytes of the answer, then the end of the connection.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.bytes.truncate(bytes);
        self.end = End::Close;
        self
    }

    /// The first bytes of the answer, then nothing.
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.bytes.truncate(bytes);
        self.end = End::Stall;
        self
    }

    /// The same, once the gate is open.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    fn raw(bytes: Vec<u8>, end: End) -> Self {
        Self { bytes, end, gate: None }
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A gzip file that unpacks to at least this many zero bytes, about 160 times its own size. Its checksum is wrong; who
/// comes that far has unpacked everything already.
pub fn gzip_bomb(unpacked: usize) -> Vec<u8> {
    // RFC 1952: magic, deflate, no flags, no time, no system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // RFC 1951, one block with fixed codes: the literal 0, then copies of 258 bytes from one byte back.
    let mut bits = Bits { out: &mut out, byte: 0, used: 0 };
    bits.push("110");
    bits.push("00110000");
    for _ in 0..unpacked.div_ceil(258) {
        bits.push("11000101");
        bits.push("00000");
    }
    bits.push("0000000");
    bits.flush();
    out.extend([0; 8]);
    out
}

struct Bits<'a> {
    out: &'a mut Vec<u8>,
    byte: u8,
    used: u32,
}

impl Bits<'_> {
    /// Bits in the order in which they stand in the stream.
    fn push(&mut self, bits: &str) {
        for bit in bits.bytes() {
            self.byte |= u8::from(bit == b'1') << self.used;
            self.used += 1;
            if self.used == 8 {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        self.out.push(self.byte);
        (self.byte, self.used) = (0, 0);
    }
}
