//! [`Structure`]: how much structure a JSON text may have, counted before anybody parses it.
//!
//! What a parser builds grows with keys, items and levels, not with bytes: a bound on size alone lets a small answer
//! become a large tree. Only bytes are looked at here. Whether they are JSON is for the parser to say.

use std::fmt;

/// Keys and items that a JSON text may have unless its reader is told otherwise.
pub const MAX_MEMBERS: usize = 100_000;

/// Levels that a JSON text may have: as many as serde_json follows.
pub const MAX_DEPTH: usize = 128;

/// How much structure a JSON text may have.
///
/// ```
/// use lockstep_core::Structure;
/// let bound = Structure { members: 2, depth: 1 };
/// assert!(bound.check(br#"{"user": "app", "password": "a,b,{c"}"#).is_ok());
/// let excess = bound.check(b"[1,\n 2, 3]").unwrap_err();
/// assert_eq!(excess.to_string(), "more than 2 keys and items (line 2, column 3)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// Keys of objects and items of lists, in all. An empty object or list counts as one more.
    pub members: usize,
    /// Objects and lists inside each other.
    pub depth: usize,
}

/// What a text has too much of, and where. It holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// The bound that was crossed.
    pub bound: Bound,
    /// Its line, from 1.
    pub line: usize,
    /// Its byte in the line, from 1.
    pub column: usize,
}

/// One bound of a [`Structure`], with what it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Of keys and items.
    Members(usize),
    /// Of levels.
    Depth(usize),
}

impl Default for Structure {
    /// [`MAX_MEMBERS`] on [`MAX_DEPTH`] levels.
    fn default() -> Self {
        Self { members: MAX_MEMBERS, depth: MAX_DEPTH }
    }
}

impl Structure {
    /// Counts what begins a member, outside of strings. It takes no memory, and the time of one look at each byte.
    ///
    /// # Errors
    /// The first place where a bound is crossed.
    pub fn check(self, text: &[u8]) -> Result<(), Excess> {
        let (mut members, mut depth) = (0_usize, 0_usize);
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                // The first member begins with its object or list, each other one with a comma.
                b'{' | b'[' => {
                    (members, depth) = (members + 1, depth + 1);
                    if depth > self.depth {
                        return Err(Excess::at(at, text, Bound::Depth(self.depth)));
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' => members += 1,
                _ => {}
            }
            if members > self.members {
                return Err(Excess::at(at, text, Bound::Members(self.members)));
            }
        }
        Ok(())
    }
}

impl Excess {
    /// The excess at a byte of a text.
    pub fn at(at: usize, text: &[u8], bound: Bound) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let (line, last) = before.split(|byte| *byte == b'\n').fold((0, before), |(line, _), text| (line + 1, text));
        Self { bound, line, column: last.len() + 1 }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound {
            Bound::Members(most) => write!(f, "more than {most} keys and items")?,
            Bound::Depth(most) => write!(f, "more than {most} levels")?,
        }
        write!(f, " (line {}, column {})", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Keys and items, and levels, as a parser that builds everything finds them.
    fn counted(value: &Value) -> (usize, usize) {
        let parts: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => return (0, 0),
        };
        let of_parts = parts.iter().map(|part| counted(part));
        let (members, depth) = of_parts.fold((0, 0), |(sum, deep), (members, depth)| (sum + members, deep.max(depth)));
        (members + parts.len().max(1), depth + 1)
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a{}\\[\\],\"\\\\]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a{,\"\\\\]{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Break: `escaped = quoted`, `quoted = !quoted`, one of the two brackets, or either `>` as `>=`.
        #[test]
        fn o3_the_bound_is_exactly_what_a_parser_would_build(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let (members, depth) = counted(&value);
            let check = |members, depth| Structure { members, depth }.check(text.as_bytes()).map_err(|excess| excess.bound);
            prop_assert_eq!(check(members, depth), Ok(()));
            if let Some(fewer) = members.checked_sub(1) {
                prop_assert_eq!(check(fewer, depth), Err(Bound::Members(fewer)));
                prop_assert_eq!(check(members, depth - 1), Err(Bound::Depth(depth - 1)));
            }
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Structure { members: 3, depth: 2 }.check(&bytes);
        }
    }

    #[test]
    fn the_place_is_that_of_the_member_too_many() {
        let place = |text: &str| {
            let excess = Structure { members: 2, depth: 2 }.check(text.as_bytes()).unwrap_err();
            excess.to_string()
        };
        assert_eq!(place("{\"a\":1,\n\"b\":2,\n  \"c\":3}"), "more than 2 keys and items (line 2, column 6)");
        assert_eq!(place("[[[1]]]"), "more than 2 levels (line 1, column 3)");
    }
}
