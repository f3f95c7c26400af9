//! [`Node`]: what stands in a text of names and values, whatever language it is written in, with the place of everything.
//!
//! A number keeps its spelling. No message of a parser is passed on, since it may quote the text.

use std::fmt;

use lockstep_core::SecretValue;

/// Maps inside each other: more than what is read here has, so that it is the text that explains itself.
pub(crate) const DEPTH: usize = 16;

pub(crate) const TOO_MANY: &str = "the file has more keys than `max_members` allows; split it, or raise `max_members`";
pub(crate) const TOO_DEEP: &str = "this nests too deep; write a deeper structure as JSON text";

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// What is wrong with a file, where, and what to write instead. It quotes nothing of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Option<Place>,
    pub(crate) what: &'static str,
}

/// One value of the file.
pub(crate) enum Node {
    /// Text.
    Text(SecretValue),
    /// A number or boolean, as it is spelled.
    Verbatim(SecretValue),
    /// A map, in the order of the file; a key may stand in it twice.
    Map(Vec<Entry>),
    /// A list.
    #[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "no secret of a file is a list"))]
    List(Vec<Node>),
    /// Null, a date: nothing that a secret can be.
    Other,
}

/// One entry of a map.
pub(crate) struct Entry {
    pub(crate) key: String,
    #[cfg_attr(not(feature = "file"), expect(dead_code, reason = "only a secrets file says where a key stands"))]
    pub(crate) place: Option<Place>,
    pub(crate) node: Node,
}

#[cfg(feature = "kubernetes")]
impl Node {
    /// The first entry of a map with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// A text, number or boolean as it is spelled, unless it is empty.
    pub(crate) fn text(&self) -> Option<&str> {
        let (Self::Text(value) | Self::Verbatim(value)) = self else { return None };
        value.expose_text().filter(|text| !text.is_empty())
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(self.what)
    }
}
