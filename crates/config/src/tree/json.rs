//! A JSON text as a tree. `serde_json` reads it; the places come from where its raw values lie in the text.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, Node, Value};
use crate::place::{Lines, Place};
use crate::problem::Problem;

/// Tables and lists inside one another; a configuration needs five.
const MAX_DEPTH: usize = 16;

/// Reads a JSON text.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let lines = Lines::new(file, text);
    read(text, &|offset| lines.place(offset), &|line, column| lines.at(line, column)).map_err(|problem| vec![problem])
}

/// Reads the JSON that a variable holds; everything in it stands in that variable.
pub(crate) fn value(text: &str, place: &Place) -> Result<Node, Problem> {
    read(text, &|_| place.clone(), &|_, _| place.clone())
}

struct Reader<'t> {
    text: &'t str,
    place: &'t dyn Fn(usize) -> Place,
}

fn read(text: &str, place: &dyn Fn(usize) -> Place, at: &dyn Fn(usize, usize) -> Place) -> Result<Node, Problem> {
    let raw: &RawValue = serde_json::from_slice(text.as_bytes())
        .map_err(|error| Problem::new(at(error.line(), error.column().max(1)), "", "this is not JSON"))?;
    Reader { text, place }.node(raw, MAX_DEPTH)
}

impl Reader<'_> {
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    fn node(&self, raw: &RawValue, depth: usize) -> Result<Node, Problem> {
        let source = raw.get();
        let start = self.offset(source);
        let place = (self.place)(start);
        let wrong = |message: &str| Problem::new(place.clone(), "", message);
        if depth == 0 {
            return Err(wrong("this lies too deep; a configuration has at most five levels"));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(source.as_bytes());
        let value = match source.as_bytes().first() {
            Some(b'{') => {
                let parts = deserializer.deserialize_map(Parts).map_err(|_| wrong("this is not JSON"))?;
                let mut entries = Vec::with_capacity(parts.len());
                let mut seen = HashSet::new();
                let mut end = start;
                for (key, raw) in parts {
                    // Between the value before and this one there is only the key.
                    let from = self.offset(raw.get());
                    let quote = self.text.get(end..from).and_then(|between| between.find('"')).unwrap_or(0);
                    let key_place = (self.place)(end + quote);
                    end = from + raw.get().len();
                    if !seen.insert(key.clone()) {
                        return Err(Problem::new(key_place, key, "this key stands twice; keep one"));
                    }
                    entries.push(Entry { key, key_place, node: self.node(raw, depth - 1)? });
                }
                Value::Table(entries)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> =
                    deserializer.deserialize_seq(Items).map_err(|_| wrong("this is not JSON"))?;
                Value::List(items.into_iter().map(|item| self.node(item, depth - 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => {
                Value::Text(serde_json::from_slice(source.as_bytes()).map_err(|_| wrong("this is not JSON"))?)
            }
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Other("null"),
            _ => Value::Number(source.to_owned()),
        };
        Ok(Node { value, place })
    }
}

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = map.next_entry()? {
            parts.push(part);
        }
        Ok(parts)
    }
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(items)
    }
}
