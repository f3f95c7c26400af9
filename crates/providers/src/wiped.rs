//! What is left of an answer once it was read: bytes that are wiped on drop, and the one way to secret text in their JSON.
//!
//! A JSON parser unescapes strings in buffers of its own and leaves them behind. So secret members are kept as raw JSON
//! that borrows from the answer, and unescaped here. Nothing here knows a provider.

use bytes::{Bytes, BytesMut};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an answer that nobody else holds.
struct Wiped(BytesMut);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The same bytes, wiped when their last reader is done. What somebody else holds too is passed on as it is.
pub(crate) fn wiped(bytes: Bytes) -> Bytes {
    match bytes.try_into_mut() {
        Ok(own) => Bytes::from_owner(Wiped(own)),
        Err(shared) => shared,
    }
}

/// Appends by hand: a vector that grows by itself leaves its old block, and a secret in it, behind.
#[cfg(feature = "kubernetes")]
pub(crate) fn append(to: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = to.len() + bytes.len();
    if needed > to.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * to.capacity())));
        larger.extend_from_slice(to);
        *to = larger;
    }
    to.extend_from_slice(bytes);
}

/// A JSON string with its quotes, unescaped. The output is never longer than the input, so it never moves.
pub(crate) fn unescape(quoted: &str) -> Option<Vec<u8>> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Zeroizing::new(Vec::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let kind = *escape.as_bytes().get(1)?;
        let mut used = 2;
        match kind {
            b'"' | b'\\' | b'/' => out.push(kind),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let unit = hex(escape, 2)?;
                used = 6;
                let code = match unit {
                    0xD800..=0xDBFF => {
                        let low = escape.get(6..8).filter(|s| *s == "\\u").and_then(|_| hex(escape, 8))?;
                        used = 12;
                        0x10000 + ((unit - 0xD800) << 10) + low.checked_sub(0xDC00).filter(|low| *low < 0x400)?
                    }
                    unit => unit,
                };
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return None,
        }
        rest = escape.get(used..)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Some(std::mem::take(&mut *out))
}

fn hex(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}
