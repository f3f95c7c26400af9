//! Response bodies that may hold a value: a buffer that is wiped, and JSON written straight into it; and how a body is
//! written once for all hits.
//!
//! A growing `Vec` leaves its old blocks behind unwiped, so [`Wiped`] grows by hand. Nothing here knows what it writes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use lockstep_core::{Answer, CacheStatus, Rendition, Result};
use zeroize::Zeroize;

/// What a surface writes of a whole secret besides its payload, in bytes: names, ids, times.
const AROUND: usize = 640;

/// Room for a value with a few escapes, and for the names around it.
pub(crate) fn room(answer: &Answer) -> usize {
    let size = answer.secret.payload.size();
    size + size / 4 + AROUND
}

/// The body that a surface writes of a released secret, and its tag. From the second read on it is kept with the
/// secret, so that a hit writes nothing.
pub(crate) fn kept(
    answer: &Answer,
    surface: &'static str,
    tag: impl FnOnce() -> Option<HeaderValue>,
    write: impl FnOnce(&mut Json) -> Result<()>,
) -> Result<(Bytes, Option<HeaderValue>)> {
    let place = &answer.secret.rendition;
    if let Some(Rendition { body, tag, .. }) = place.by(surface) {
        return Ok((body.clone(), tag.clone()));
    }
    let mut json = Json::with_capacity(room(answer));
    write(&mut json)?;
    let (body, tag) = (json.into_body(), tag());
    if answer.status == CacheStatus::Hit {
        place.keep(answer.secret.payload.size(), Rendition { surface, body: body.clone(), tag: tag.clone() });
    }
    Ok((body, tag))
}

/// Bytes that are wiped when they are dropped, and whenever they move to a larger block.
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Makes room. The old block is wiped before it is given back.
    fn reserve(&mut self, more: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as a response body that still wipes them when its last reader is done.
    pub(crate) fn into_body(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        // What lies behind the length was never written, or was wiped when it was cut off.
        self.0.as_mut_slice().zeroize();
    }
}

impl fmt::Write for Wiped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Writes JSON: commas by itself, strings escaped as `serde_json` does, nothing else checked.
pub(crate) struct Json {
    out: Wiped,
    /// Whether the next key or item needs a comma before it.
    comma: bool,
}

/// A place in the text of a [`Json`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    length: usize,
    comma: bool,
}

impl Json {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { out: Wiped::with_capacity(capacity), comma: false }
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b",");
        }
    }

    pub(crate) fn open(&mut self) {
        self.separate();
        self.out.push(b"{");
        self.comma = false;
    }

    pub(crate) fn close(&mut self) {
        self.out.push(b"}");
        self.comma = true;
    }

    pub(crate) fn open_list(&mut self) {
        self.separate();
        self.out.push(b"[");
        self.comma = false;
    }

    pub(crate) fn close_list(&mut self) {
        self.out.push(b"]");
        self.comma = true;
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.string(key.as_bytes());
        self.out.push(b":");
        self.comma = false;
    }

    /// A string. The bytes must be UTF-8: whoever has others writes [`Json::base64`].
    pub(crate) fn string(&mut self, utf8: &[u8]) {
        self.separate();
        self.out.push(b"\"");
        escape(&mut self.out, utf8);
        self.out.push(b"\"");
        self.comma = true;
    }

    pub(crate) fn base64(&mut self, bytes: &[u8]) {
        self.separate();
        self.out.push(b"\"");
        self.out.reserve(bytes.len().div_ceil(3) * 4 + 1);
        // A piece of the input at a time, so that the text needs no block of its own.
        let mut piece = [0; 64];
        for chunk in bytes.chunks(48) {
            if let Ok(length) = STANDARD.encode_slice(chunk, &mut piece) {
                self.out.push(piece.get(..length).unwrap_or_default());
            }
        }
        piece.zeroize();
        self.out.push(b"\"");
        self.comma = true;
    }

    /// Where the text stands now, to come back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { length: self.out.0.len(), comma: self.comma }
    }

    /// Takes back, and wipes, everything since the mark.
    pub(crate) fn rewind(&mut self, to: Mark) {
        if let Some(written) = self.out.0.get_mut(to.length..) {
            written.zeroize();
        }
        self.out.0.truncate(to.length);
        self.comma = to.comma;
    }

    /// A number, `true`, `null`: text that is JSON already.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.separate();
        self.out.push(json);
        self.comma = true;
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.separate();
        // Writing into a vector can't fail.
        let _ = fmt::Write::write_fmt(&mut self.out, format_args!("{number}"));
        self.comma = true;
    }

    /// A member, unless there is nothing to say.
    pub(crate) fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key);
            self.string(text.as_bytes());
        }
    }

    pub(crate) fn into_body(self) -> Bytes {
        self.out.into_body()
    }
}

/// Writes the inside of a JSON string. Runs that need no escape are copied whole.
pub(crate) fn escape(out: &mut Wiped, utf8: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut start = 0;
    for (at, &byte) in utf8.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push(&utf8[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.push(b"\\\""),
            b'\\' => out.push(b"\\\\"),
            b'\n' => out.push(b"\\n"),
            b'\r' => out.push(b"\\r"),
            b'\t' => out.push(b"\\t"),
            0x08 => out.push(b"\\b"),
            0x0c => out.push(b"\\f"),
            control => {
                out.push(b"\\u00");
                out.push(&[HEX[usize::from(control >> 4)], HEX[usize::from(control & 0xf)]]);
            }
        }
    }
    out.push(&utf8[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_is_escaped_as_serde_json_does(text in any::<String>()) {
            let mut json = Json::with_capacity(0);
            json.string(text.as_bytes());
            prop_assert_eq!(&json.into_body()[..], serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn base64_in_pieces_is_base64_of_the_whole(bytes in any::<Vec<u8>>()) {
            let mut json = Json::with_capacity(0);
            json.base64(&bytes);
            let whole = format!("\"{}\"", STANDARD.encode(&bytes));
            prop_assert_eq!(json.into_body(), whole);
        }
    }

    #[test]
    fn what_is_taken_back_leaves_no_comma() {
        let mut json = Json::with_capacity(0);
        json.open();
        let start = json.mark();
        json.text("value", Some("hunter2"));
        json.rewind(start);
        json.text("a", Some("b"));
        json.close();
        assert_eq!(json.into_body(), r#"{"a":"b"}"#);
    }

    #[test]
    fn commas_stand_between_members_and_items_only() {
        let mut json = Json::with_capacity(0);
        json.open();
        json.key("a");
        json.open_list();
        json.number(1);
        json.open();
        json.close();
        json.raw(b"null");
        json.close_list();
        json.text("b", None);
        json.text("c", Some("d"));
        json.close();
        assert_eq!(json.into_body(), r#"{"a":[1,{},null],"c":"d"}"#);
    }
}
