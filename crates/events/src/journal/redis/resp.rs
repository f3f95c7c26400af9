//! Redis's protocol (RESP2): a command as bytes, and a reply out of bytes, within bounds.
//!
//! The reader knows nothing of connections: it is given what has come so far.

use lockstep_core::{Error, ErrorKind, Result};

/// The longest reply that is read. The largest that a journal asks for is a page of the longest changes.
pub(super) const MAX_REPLY_BYTES: usize = 16 << 20;
/// The most items of a reply.
const MAX_ITEMS: usize = 1 << 20;
/// The deepest reply: entries of a stream, in an array, in the reply of a transaction, are four.
const MAX_DEPTH: usize = 8;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// `+` and `$`: text or bytes.
    Bytes(Vec<u8>),
    /// `:`.
    Number(i64),
    /// `-`: its first word, when it looks like one. The rest may quote what was sent.
    Error(String),
    /// `$-1` and `*-1`.
    Nil,
    /// `*`.
    List(Vec<Self>),
}

impl Reply {
    /// The text of bytes, or of nothing else.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The items of a list, or of nothing else.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// A number, or text that is one.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            _ => self.text()?.parse().ok(),
        }
    }
}

/// A command and its arguments, as they are sent.
pub(super) fn command<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let words: Vec<_> = words.into_iter().collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The first reply of these bytes and how many it took; `None` when it is not whole yet.
///
/// # Errors
/// `Malformed` for what is no reply, `TooLarge` for one past the bounds.
pub(super) fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>> {
    let mut reader = Reader { bytes, at: 0, items: 0 };
    match reader.reply(0) {
        Ok(reply) => Ok(Some((reply, reader.at))),
        Err(Stop::More) if bytes.len() > MAX_REPLY_BYTES => Err(too_large()),
        Err(Stop::More) => Ok(None),
        Err(Stop::Broken(error)) => Err(error),
    }
}

enum Stop {
    /// It goes on after these bytes.
    More,
    Broken(Error),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl<'a> Reader<'a> {
    fn reply(&mut self, depth: usize) -> Result<Reply, Stop> {
        self.items += 1;
        if depth > MAX_DEPTH || self.items > MAX_ITEMS {
            return Err(Stop::Broken(too_large()));
        }
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or_else(broken)?;
        match kind {
            b'+' => Ok(Reply::Bytes(rest.to_vec())),
            b'-' => Ok(Reply::Error(first_word(rest))),
            b':' => Ok(Reply::Number(number(rest)?)),
            b'$' => match length(rest, MAX_REPLY_BYTES)? {
                None => Ok(Reply::Nil),
                Some(length) => {
                    let text = self.take(length)?.to_vec();
                    if self.take(2)? != b"\r\n" {
                        return Err(broken());
                    }
                    Ok(Reply::Bytes(text))
                }
            },
            b'*' => match length(rest, MAX_ITEMS)? {
                None => Ok(Reply::Nil),
                // Room is made as items come: a length costs nobody anything.
                Some(length) => (0..length).map(|_| self.reply(depth + 1)).collect::<Result<_, _>>().map(Reply::List),
            },
            _ => Err(broken()),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(length).ok_or_else(broken)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::More)?;
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::More)?;
        self.at += end + 2;
        Ok(&rest[..end])
    }
}

fn number(digits: &[u8]) -> Result<i64, Stop> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(broken)
}

fn length(digits: &[u8], most: usize) -> Result<Option<usize>, Stop> {
    match number(digits)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            Ok(_) => Err(Stop::Broken(too_large())),
            Err(_) => Err(broken()),
        },
    }
}

/// `WRONGTYPE`, `NOAUTH`: capital letters, and no other word.
fn first_word(line: &[u8]) -> String {
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_word = word.len() <= 32 && word.iter().all(u8::is_ascii_uppercase);
    if is_word { String::from_utf8_lossy(word).into_owned() } else { String::new() }
}

fn broken() -> Stop {
    Stop::Broken(Error::new(ErrorKind::Malformed, "the answer is not Redis's; look at the journal's host and port"))
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, format!("a reply of Redis is past {MAX_REPLY_BYTES} bytes, or too deep"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(reply: &Reply) -> Vec<u8> {
        match reply {
            Reply::Bytes(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Reply::Number(number) => format!(":{number}\r\n").into_bytes(),
            Reply::Error(word) => format!("-{word} more of it\r\n").into_bytes(),
            Reply::Nil => b"$-1\r\n".to_vec(),
            Reply::List(items) => {
                let mut bytes = format!("*{}\r\n", items.len()).into_bytes();
                for item in items {
                    bytes.extend(written(item));
                }
                bytes
            }
        }
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Reply::Bytes),
            any::<i64>().prop_map(Reply::Number),
            "[A-Z]{1,8}".prop_map(Reply::Error),
            Just(Reply::Nil),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| proptest::collection::vec(inner, 0..5).prop_map(Reply::List))
    }

    proptest! {
        /// Break: any `+ 2`, or take a reply before it is whole.
        #[test]
        fn a_reply_is_read_once_it_is_whole_and_never_before(reply in replies(), more in any::<Vec<u8>>()) {
            let bytes = written(&reply);
            for cut in 0..bytes.len() {
                prop_assert_eq!(super::reply(&bytes[..cut]).unwrap(), None);
            }
            let read = super::reply(&[bytes.clone(), more].concat()).unwrap();
            prop_assert_eq!(read, Some((reply, bytes.len())));
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in any::<Vec<u8>>(), lines in "[-+:$*0-9A-Za-z\\r\\n]{0,60}") {
            let _ = reply(&bytes);
            let _ = reply(lines.as_bytes());
        }
    }

    /// Break: any bound.
    #[test]
    fn what_is_enormous_deep_or_nonsense_is_refused() {
        let deep = "*1\r\n".repeat(10_000);
        for (bytes, kind) in [
            ("$99999999999\r\n", ErrorKind::TooLarge),
            ("*99999999999\r\n", ErrorKind::TooLarge),
            ("$18446744073709551615\r\n", ErrorKind::Malformed),
            ("$-2\r\n", ErrorKind::Malformed),
            ("$1\r\nab\r\n", ErrorKind::Malformed),
            (&*deep, ErrorKind::TooLarge),
            ("HTTP/1.1 400 c4n4ry\r\n", ErrorKind::Malformed),
            ("\r\n", ErrorKind::Malformed),
            (":1x\r\n", ErrorKind::Malformed),
        ] {
            let error = reply(bytes.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{bytes:.40}");
            assert!(!format!("{error:?}").contains("c4n4ry"));
        }
        assert_eq!(reply(&vec![b'+'; MAX_REPLY_BYTES + 1]).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(reply(b"-ERR c4n4ry\r\n").unwrap().unwrap().0, Reply::Error("ERR".to_owned()));
        assert_eq!(reply(b"-c4n4ry\r\n").unwrap().unwrap().0, Reply::Error(String::new()));
    }

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(command([&b"GET"[..], b"a\r\nb"]), b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
    }
}
