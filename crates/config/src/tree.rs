//! [`Node`]: a document as a tree in which every key and value knows its place. TOML, JSON and environment variables
//! all become this tree; what it means is decided later.

mod json;
mod toml;
mod variables;

pub(crate) use self::json::{parse as parse_json, value as json_value};
pub(crate) use self::toml::parse as parse_toml;
pub(crate) use self::variables::{OVERRIDE_PREFIX, apply as apply_overrides};
use crate::place::Place;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A value as it was written.
#[derive(Clone)]
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// A number, as its source text: what it may be is decided by the setting.
    Number(String),
    /// A boolean.
    Bool(bool),
    /// JSON's null, or a TOML date: nothing that a setting can be.
    Other(&'static str),
    /// The text of an environment variable: a string, a number, a boolean, a list or a table, as the setting wants.
    Variable(String),
    /// A list.
    List(Vec<Node>),
    /// A table in the order of the text.
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

/// One step of a path through the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Other(kind) => kind,
            Self::Variable(_) => "this text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Kinds only: a text may be a secret that was written where none belongs.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(items) => items.fmt(f),
            Self::Table(entries) => entries.fmt(f),
            other => f.write_str(other.kind()),
        }
    }
}

impl Node {
    pub(crate) fn table(place: Place) -> Self {
        Self { value: Value::Table(Vec::new()), place }
    }

    pub(crate) fn text(text: &str, place: Place) -> Self {
        Self { value: Value::Text(text.to_owned()), place }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn child(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entry's value, made as an empty table if it isn't there. What is no table is replaced by one.
    pub(crate) fn child_or_table(&mut self, key: &str, place: &Place) -> &mut Self {
        let entries = self.as_table();
        let at = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            entries.push(Entry { key: key.to_owned(), key_place: place.clone(), node: Self::table(place.clone()) });
            entries.len() - 1
        });
        &mut entries[at].node
    }

    /// Sets a value along a path of keys.
    pub(crate) fn set(&mut self, path: &[&str], value: Node) {
        let place = value.place.clone();
        let mut node = self;
        for key in path {
            node = node.child_or_table(key, &place);
        }
        *node = value;
    }

    pub(crate) fn as_table(&mut self) -> &mut Vec<Entry> {
        if !matches!(self.value, Value::Table(_)) {
            self.value = Value::Table(Vec::new());
        }
        match &mut self.value {
            Value::Table(entries) => entries,
            _ => unreachable!("it was just made a table"),
        }
    }

    /// Takes out what stands at the path, and says whether something did.
    pub(crate) fn remove(&mut self, path: &[Step]) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let mut node = self;
        for step in parents {
            let next = match (&mut node.value, step) {
                (Value::Table(entries), Step::Key(key)) => {
                    entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.node)
                }
                (Value::List(items), Step::Index(index)) => items.get_mut(*index),
                _ => None,
            };
            let Some(next) = next else { return false };
            node = next;
        }
        match (&mut node.value, last) {
            (Value::Table(entries), Step::Key(key)) => {
                let before = entries.len();
                entries.retain(|entry| entry.key != *key);
                entries.len() < before
            }
            (Value::List(items), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// Where the setting at this dotted path stands: its own place, or that of the nearest table above it.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        for step in path.split('.').filter(|step| !step.is_empty()) {
            let next = match &node.value {
                Value::Table(_) => node.child(step),
                Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node.place.clone()
    }
}

/// A path as a person writes it: `routes.0.match`.
pub(crate) fn dotted(path: &[Step]) -> String {
    let steps: Vec<_> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        })
        .collect();
    steps.join(".")
}
