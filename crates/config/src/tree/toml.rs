//! A TOML text as a tree.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Node, Value};
use crate::place::Lines;
use crate::problem::Problem;

/// Reads a TOML text. All of its syntax errors are listed.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let lines = Lines::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut root = table(&lines, document.into_inner(), 0);
        root.place = lines.at(1, 1);
        return Ok(root);
    }
    // Only the parser's own words: its full message quotes the line, which may hold a secret.
    Err(errors
        .iter()
        .map(|error| {
            let place = lines.place(error.span().map_or(0, |span| span.start));
            Problem::new(place, "", format!("this is not TOML: {}", error.message()))
        })
        .collect())
}

fn table(lines: &Lines<'_>, table: DeTable<'_>, offset: usize) -> Node {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            let at = key.span().start;
            (at, Entry { key: key.into_inner().into_owned(), key_place: lines.place(at), node: node(lines, value) })
        })
        .collect();
    entries.sort_by_key(|(at, _)| *at);
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    Node { value: Value::Table(entries), place: lines.place(offset) }
}

fn node(lines: &Lines<'_>, value: Spanned<DeValue<'_>>) -> Node {
    let offset = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Value::Bool(flag),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(lines, item)).collect()),
        DeValue::Table(entries) => return table(lines, entries, offset),
    };
    Node { value, place: lines.place(offset) }
}
