//! `LOCKSTEP__SECTION__KEY=value`: environment variables laid over a tree.
//!
//! Two underscores separate the levels, case does not matter, and `_` also finds a `-` of the text (a provider's alias,
//! say). A number finds the item of a list, or adds the one after the last.

use std::sync::Arc;

use lockstep_core::Env;

use super::{Entry, Node, Value};
use crate::place::Place;
use crate::problem::Problem;

/// What every override begins with.
pub(crate) const OVERRIDE_PREFIX: &str = "LOCKSTEP__";

/// Lays every override over the tree, in the order of their names.
pub(crate) fn apply(root: &mut Node, env: &dyn Env, mut names: Vec<String>) -> Vec<Problem> {
    names.sort();
    let mut problems = Vec::new();
    for name in names {
        let Some(text) = env.var(&name) else { continue };
        let place = Place::Variable(Arc::from(name.as_str()));
        let path = name.get(OVERRIDE_PREFIX.len()..).unwrap_or_default().to_ascii_lowercase();
        let path: Vec<_> = path.split("__").collect();
        if path.iter().any(|step| step.is_empty()) {
            problems.push(Problem::new(
                place,
                "",
                "write `LOCKSTEP__SECTION__KEY`, for example `LOCKSTEP__CACHE__TTL`",
            ));
            continue;
        }
        if let Err(message) = set(root, &path, Node { value: Value::Variable(text), place: place.clone() }) {
            problems.push(Problem::new(place, path.join("."), message));
        }
    }
    problems
}

fn set(root: &mut Node, path: &[&str], value: Node) -> Result<(), String> {
    let mut node = root;
    for step in path {
        let is_list = matches!(node.value, Value::List(_));
        node = if is_list { item(node, step, &value.place)? } else { entry(node, step, &value.place) };
    }
    *node = value;
    Ok(())
}

fn item<'n>(node: &'n mut Node, step: &str, place: &Place) -> Result<&'n mut Node, String> {
    let Value::List(items) = &mut node.value else { return Err("this is no list".to_owned()) };
    let len = items.len();
    match step.parse::<usize>() {
        Ok(index) if index <= len => {
            if index == len {
                items.push(Node::table(place.clone()));
            }
            Ok(&mut items[index])
        }
        _ => Err(format!("`{step}` is no item of this list; write a number from 0 to {len}")),
    }
}

fn entry<'n>(node: &'n mut Node, step: &str, place: &Place) -> &'n mut Node {
    let folded = |key: &str| key.to_ascii_lowercase().replace('-', "_");
    let entries = node.as_table();
    let at = entries.iter().position(|entry| folded(&entry.key) == folded(step)).unwrap_or_else(|| {
        // `routes` is the one list of tables; its items can be added by number alone.
        let value = if step == "routes" { Value::List(Vec::new()) } else { Value::Table(Vec::new()) };
        let node = Node { value, place: place.clone() };
        entries.push(Entry { key: step.to_owned(), key_place: place.clone(), node });
        entries.len() - 1
    });
    &mut entries[at].node
}
