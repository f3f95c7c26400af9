//! YAML, JSON and TOML into one small tree, with the place of everything.
//!
//! A number keeps its spelling: it is cut out of the source, not printed again. No message of a parser is passed on,
//! since it may quote the file.

use std::borrow::Cow;
use std::path::Path;

use serde_json::value::RawValue;

use super::structure;
use crate::json;
pub(super) use crate::tree::{Entry, Fault, Node, Place};
use crate::yaml;

/// Which language a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Yaml,
    Json,
    Toml,
}

impl Syntax {
    /// The language that the file's ending names.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Reads the text, of at most so many keys.
    pub(super) fn parse(self, text: &str, members: usize) -> Result<Node, Fault> {
        match self {
            Self::Yaml => yaml::parse(text, members),
            Self::Json => structure::json(text, members).and_then(|()| json(text)),
            Self::Toml => structure::toml(text, members).and_then(|()| toml(text)),
        }
    }
}

fn json(text: &str) -> Result<Node, Fault> {
    let root: &RawValue = serde_json::from_slice(text.as_bytes()).map_err(|error| Fault {
        place: Some(Place { line: error.line() as u64, column: error.column() as u64 }),
        what: r#"this is not valid JSON; write `{ "name": "value" }`"#,
    })?;
    json_node(root.get(), text)
}

fn json_node(source: &str, text: &str) -> Result<Node, Fault> {
    let broken = || Fault { place: json_place(source, text), what: "this JSON can't be read; write text in UTF-8" };
    Ok(match source.as_bytes().first() {
        Some(b'"') => Node::Text(serde_json::from_slice::<String>(source.as_bytes()).map_err(|_| broken())?.into()),
        Some(b'{') => {
            let entries = json::members(source).map_err(|_| broken())?;
            let entry = |(key, value): (Cow<'_, str>, &RawValue)| {
                Ok(Entry {
                    key: key.into_owned(),
                    place: json_place(value.get(), text),
                    node: json_node(value.get(), text)?,
                })
            };
            Node::Map(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
        Some(b'[' | b'n') | None => Node::Other,
        Some(_) => Node::Verbatim(source.into()),
    })
}

/// Where a part of the text begins, by its address.
fn json_place(part: &str, text: &str) -> Option<Place> {
    let offset = (part.as_ptr().addr()).checked_sub(text.as_ptr().addr())?;
    place_at(offset, text)
}

fn toml(text: &str) -> Result<Node, Fault> {
    let table = toml::de::DeTable::parse(text).map_err(|error| Fault {
        place: error.span().and_then(|span| place_at(span.start, text)),
        what: r#"this is not valid TOML, or a key stands twice; write `"name" = "value"`"#,
    })?;
    Ok(toml_table(table.into_inner(), text))
}

fn toml_table(table: toml::de::DeTable<'_>, text: &str) -> Node {
    let entry = |(key, value): (toml::Spanned<Cow<'_, str>>, toml::Spanned<toml::de::DeValue<'_>>)| {
        let place = place_at(key.span().start, text);
        let source = text.get(value.span()).unwrap_or_default();
        Entry { key: key.into_inner().into_owned(), place, node: toml_node(value.into_inner(), source, text) }
    };
    Node::Map(table.into_iter().map(entry).collect())
}

fn toml_node(value: toml::de::DeValue<'_>, source: &str, text: &str) -> Node {
    use toml::de::DeValue;
    match value {
        DeValue::String(value) => Node::Text(value.into_owned().into()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => Node::Verbatim(source.into()),
        DeValue::Table(table) => toml_table(table, text),
        DeValue::Datetime(_) | DeValue::Array(_) => Node::Other,
    }
}

fn place_at(offset: usize, text: &str) -> Option<Place> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Some(Place {
        line: before.matches('\n').count() as u64 + 1,
        column: before[line_start..].chars().count() as u64 + 1,
    })
}
