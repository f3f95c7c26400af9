//! What stands in for a configuration where there is none: the providers of AWS's extension, and its variables.
//!
//! The variables are AWS's (Parameters and Secrets Lambda Extension). They fill in what nobody wrote; a value out of
//! AWS's range is cut to it, with a note, as AWS does.

use std::sync::Arc;

use lockstep_core::Env;

use crate::place::Place;
use crate::problem::Problem;
use crate::tree::{Entry, Node, Value};

/// The alias of AWS Secrets Manager where nothing is configured.
pub(crate) const SECRETS_MANAGER: &str = "aws";
/// The alias of Parameter Store where nothing is configured.
pub(crate) const PARAMETER_STORE: &str = "ssm";
/// The longest TTL that AWS's extension takes, in seconds.
const MAX_TTL: u64 = 300;
/// The largest cache that AWS's extension takes.
const MAX_CACHE: u64 = 1000;

/// Adds what is missing. `overrides` are the names of the `LOCKSTEP__…` variables.
pub(crate) fn apply(
    tree: &mut Node,
    env: &dyn Env,
    overrides: &[String],
    notes: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) {
    let mut defaults = Defaults { tree, env, notes, problems };
    if defaults.tree.child("providers").is_none() && !overrides.iter().any(|name| configures_provider(name)) {
        defaults.providers();
    }
    defaults.cache();
    defaults.endpoint_and_log();
    defaults.own_variables();
}

/// Whether an override adds a provider of its own, rather than a key to a default one.
fn configures_provider(name: &str) -> bool {
    name.starts_with("LOCKSTEP__PROVIDERS__") && name.ends_with("__TYPE")
}

struct Defaults<'a> {
    tree: &'a mut Node,
    env: &'a dyn Env,
    notes: &'a mut Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl Defaults<'_> {
    fn providers(&mut self) {
        for (alias, kind, ttl, timeout) in [
            (SECRETS_MANAGER, "aws-secrets-manager", "SECRETS_MANAGER_TTL", "SECRETS_MANAGER_TIMEOUT_MILLIS"),
            (PARAMETER_STORE, "aws-parameter-store", "SSM_PARAMETER_STORE_TTL", "SSM_PARAMETER_STORE_TIMEOUT_MILLIS"),
        ] {
            self.tree.set(&["providers", alias, "type"], Node::text(kind, Place::Default));
            if let Some((seconds, place)) = self.number(ttl, 0, MAX_TTL) {
                self.tree.set(&["providers", alias, "ttl"], Node::text(&format!("{seconds}s"), place));
            }
            // Zero is AWS's "no timeout"; here it leaves the bounded default.
            if let Some((millis, place)) = self.number(timeout, 0, 600_000).filter(|(millis, _)| *millis > 0) {
                self.tree.set(&["providers", alias, "upstream", "timeout"], Node::text(&format!("{millis}ms"), place));
            }
        }
        if self.tree.child("routes").is_none() {
            let entry = |key: &str, node: Node| Entry { key: key.to_owned(), key_place: Place::Default, node };
            let providers = Value::List(vec![Node::text(SECRETS_MANAGER, Place::Default)]);
            let route = Node {
                value: Value::Table(vec![
                    entry("match", Node::text("**", Place::Default)),
                    entry("providers", Node { value: providers, place: Place::Default }),
                ]),
                place: Place::Default,
            };
            self.tree.set(&["routes"], Node { value: Value::List(vec![route]), place: Place::Default });
        }
    }

    fn cache(&mut self) {
        let enabled = self.word("PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", &["true", "false"]);
        let size = self.number("PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", 0, MAX_CACHE);
        let off = match (&enabled, &size) {
            (Some((word, place)), _) if word == "false" => Some(place.clone()),
            (_, Some((0, place))) => Some(place.clone()),
            _ => None,
        };
        if let Some(place) = off {
            self.fill("cache", "ttl", Node::text("0", place.clone()));
            self.fill("cache", "ttl_with_journal", Node::text("0", place.clone()));
            // AWS's two services have TTLs of their own here; off is off for both.
            for alias in [SECRETS_MANAGER, PARAMETER_STORE] {
                if self.is_default_provider(alias) {
                    self.tree.set(&["providers", alias, "ttl"], Node::text("0", place.clone()));
                }
            }
        } else if let Some((entries, place)) = size {
            self.fill("cache", "max_entries", Node { value: Value::Number(entries.to_string()), place });
        }
    }

    fn is_default_provider(&self, alias: &str) -> bool {
        let kind = self.tree.child("providers").and_then(|providers| providers.child(alias)?.child("type"));
        kind.is_some_and(|node| node.place == Place::Default)
    }

    fn endpoint_and_log(&mut self) {
        if let Some((port, place)) = self.number("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", 1, 65_535) {
            self.fill("listen", "address", Node::text(&format!("127.0.0.1:{port}"), place));
        }
        let levels = ["debug", "info", "warn", "error", "none"];
        if let Some((level, place)) = self.word("PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", &levels) {
            self.fill("log", "level", Node::text(&level, place));
        }
        // AWS caps its connections to the services with it. Ours are few by themselves: one fetch per secret, a pool
        // that is reused, and a rate limit. So it is only read, to say when it is wrong.
        self.number("PARAMETERS_SECRETS_EXTENSION_MAX_CONNECTIONS", 1, u64::from(u32::MAX));
    }

    fn own_variables(&mut self) {
        for (name, path) in [("LOCKSTEP_JOURNAL", &["freshness", "journal"][..]), ("LOCKSTEP_PREFETCH", &["prefetch"])]
        {
            if let Some(text) = self.env.var(name) {
                self.tree.set(path, Node { value: Value::Variable(text), place: Place::Variable(Arc::from(name)) });
            }
        }
    }

    /// Sets a key of a section unless it is written.
    fn fill(&mut self, section: &str, key: &str, node: Node) {
        let written = self.tree.child(section).is_some_and(|table| table.child(key).is_some());
        // A section that is no table is a mistake that is reported as what it is.
        let is_table = self.tree.child(section).is_none_or(|node| matches!(node.value, Value::Table(_)));
        if !written && is_table {
            self.tree.set(&[section, key], node);
        }
    }

    fn number(&mut self, name: &str, least: u64, most: u64) -> Option<(u64, Place)> {
        let text = self.env.var(name)?;
        let place = Place::Variable(Arc::from(name));
        let Ok(number) = text.trim().parse::<u64>() else {
            let message = format!("write a whole number from {least} to {most}, or unset it");
            self.problems.push(Problem::new(place, "", message));
            return None;
        };
        let cut = number.clamp(least, most);
        if cut != number {
            self.notes.push(format!("{name} is out of AWS's range from {least} to {most}; {cut} is used"));
        }
        Some((cut, place))
    }

    fn word(&mut self, name: &str, words: &[&str]) -> Option<(String, Place)> {
        let word = self.env.var(name)?.trim().to_ascii_lowercase();
        let place = Place::Variable(Arc::from(name));
        if words.contains(&word.as_str()) {
            return Some((word, place));
        }
        self.problems.push(Problem::new(place, "", format!("write one of {}, or unset it", words.join(", "))));
        None
    }
}
