//! [`Config`]: the settings of one document, the variables laid over it, and where each of them was written.
//!
//! Later wins: defaults, then the variables of AWS's extension, then the document, then `LOCKSTEP_JOURNAL` and
//! `LOCKSTEP_PREFETCH`, then `LOCKSTEP__SECTION__KEY`.

use std::path::{Path, PathBuf};

use lockstep_core::Env;

use crate::checks;
use crate::decode::decode;
use crate::drop_in;
use crate::place::Place;
use crate::problem::{Problem, Problems};
use crate::settings::Settings;
use crate::tree::{Node, OVERRIDE_PREFIX, apply_overrides, parse_json, parse_toml};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML, the file's format.
    Toml,
    /// JSON, with the same keys.
    Json,
    /// JSON when it begins with `{`, else TOML: for `LOCKSTEP_CONFIG_CONTENT`.
    Either,
}

/// A text that holds a configuration. The host has read it; nothing here opens files of its own accord.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// The file's path, or the variable's name, for messages.
    pub name: &'a str,
    /// How it is written.
    pub format: Format,
    /// The text.
    pub text: &'a str,
    /// The folder where relative paths begin; the working directory when it is empty.
    pub folder: &'a Path,
}

/// A configuration without mistakes, as far as can be seen without its providers.
#[derive(Debug, Clone)]
pub struct Config {
    settings: Settings,
    tree: Node,
    folder: PathBuf,
    notes: Vec<String>,
}

impl Config {
    /// Reads a document, or none, and the variables. `names` are the names of all variables, so that an override that
    /// nobody knows is an error and not silence.
    ///
    /// # Errors
    /// Everything that is wrong, with its place and what to write instead.
    ///
    /// ```
    /// use std::path::Path;
    /// use lockstep_config::{Config, Document, Format};
    /// # struct NoEnv;
    /// # impl lockstep_core::Env for NoEnv { fn var(&self, _: &str) -> Option<String> { None } }
    /// let text = "[cache]\ntll = \"5m\"\n";
    /// let document = Document { name: "lockstep.toml", format: Format::Toml, text, folder: Path::new("") };
    /// let problems = Config::load(Some(document), &NoEnv, &[]).unwrap_err();
    /// assert_eq!(problems.to_string(), "lockstep.toml:2:1: `cache.tll`: there is no such key; did you mean `ttl`?");
    /// ```
    pub fn load(document: Option<Document<'_>>, env: &dyn Env, names: &[String]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut tree = document.map_or_else(
            || Node::table(Place::Default),
            |document| {
                parse(document).unwrap_or_else(|syntax| {
                    problems.extend(syntax);
                    Node::table(Place::Default)
                })
            },
        );
        let unreadable = !problems.is_empty();
        let mut notes = Vec::new();
        let overrides: Vec<_> = names.iter().filter(|name| name.starts_with(OVERRIDE_PREFIX)).cloned().collect();
        drop_in::apply(&mut tree, env, &overrides, &mut notes, &mut problems);
        problems.extend(apply_overrides(&mut tree, env, overrides));
        let aliases = checks::aliases(&tree);
        let (settings, wrong): (Settings, _) = decode(&mut tree);
        problems.extend(wrong);
        if !unreadable {
            // With half a document, what refers to the other half would be wrong too.
            checks::check(&settings, &tree, &aliases, &mut problems);
        }
        if let Some(problems) = Problems::from_list(problems) {
            return Err(problems);
        }
        let folder = document.map_or_else(PathBuf::new, |document| document.folder.to_path_buf());
        Ok(Self { settings, tree, folder, notes })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A path of the configuration, as it is from the working directory.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Whether the setting at this dotted path was written somewhere, and is not a default.
    pub fn is_written(&self, key: &str) -> bool {
        key.split('.').try_fold(&self.tree, Node::child).is_some()
    }

    /// What was understood, but perhaps not as it was meant.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A problem with the setting at this dotted path.
    pub(crate) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.tree.place_of(key), key, message)
    }

    /// The settings in force as TOML, every default written out. A credential is shown as the place it is read from,
    /// never as itself.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.settings).unwrap_or_default()
    }

    /// The settings in force as JSON, like [`Config::to_toml`].
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }
}

fn parse(document: Document<'_>) -> Result<Node, Vec<Problem>> {
    let json = match document.format {
        Format::Toml => false,
        Format::Json => true,
        Format::Either => document.text.trim_start().starts_with('{'),
    };
    if json { parse_json(document.name, document.text) } else { parse_toml(document.name, document.text) }
}
