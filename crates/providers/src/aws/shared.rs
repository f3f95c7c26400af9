//! The shared credentials and config files of AWS's tools, and the profiles in them.
//!
//! Nothing is copied out of the text before it is asked for, and the text is wiped when it was read.

use std::path::{Path, PathBuf};

use lockstep_core::{Env, Error, ErrorKind, Files, Operation, Result};
use zeroize::Zeroizing;

/// The longest shared file that is read.
const FILE_LIMIT: usize = 1 << 20;

const CREDENTIALS: Shared = Shared { variable: "AWS_SHARED_CREDENTIALS_FILE", default: ".aws/credentials" };
const CONFIG: Shared = Shared { variable: "AWS_CONFIG_FILE", default: ".aws/config" };

struct Shared {
    variable: &'static str,
    default: &'static str,
}

/// The text of both files, as far as they are there.
pub(crate) struct SharedFiles {
    credentials: Option<Zeroizing<String>>,
    config: Option<Zeroizing<String>>,
}

impl SharedFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// `Unauthenticated` when one is there and can't be read.
    pub(crate) fn read(env: &dyn Env, files: &dyn Files) -> Result<Self> {
        Ok(Self { credentials: read(&CREDENTIALS, env, files)?, config: read(&CONFIG, env, files)? })
    }

    /// Reads the config file alone, which has no secrets to look for.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(crate) fn config(env: &dyn Env, files: &dyn Files) -> Result<Self> {
        Ok(Self { credentials: None, config: read(&CONFIG, env, files)? })
    }

    /// A profile: its sections of both files, the one of the credentials file first.
    pub(crate) fn profile<'a>(&'a self, name: &'a str) -> Profile<'a> {
        let section = |text: &'a Option<Zeroizing<String>>, kind| {
            text.as_ref().map(|text| Section { text: text.as_str(), kind, name })
        };
        let sections = [section(&self.credentials, Kind::Plain), section(&self.config, Kind::Profile)];
        Profile { sections, files: self }
    }
}

/// One profile.
pub(crate) struct Profile<'a> {
    sections: [Option<Section<'a>>; 2],
    files: &'a SharedFiles,
}

impl<'a> Profile<'a> {
    /// Whether a section of this name is there.
    pub(crate) fn exists(&self) -> bool {
        self.sections().any(Section::exists)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.sections().find_map(|section| section.get(key))
    }

    /// Whether a key is `true`.
    pub(crate) fn says(&self, key: &str) -> Option<bool> {
        self.get(key).map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The section that has a key: what belongs together stands together.
    pub(crate) fn with(&self, key: &str) -> Option<&Section<'a>> {
        self.sections().find(|section| section.get(key).is_some())
    }

    /// The address of a service, by the `services` section that the profile names.
    pub(crate) fn endpoint_of(&self, service: &str) -> Option<&'a str> {
        let name = self.get("services")?;
        let text = self.files.config.as_ref()?.as_str();
        Section { text, kind: Kind::Services, name }.nested(service, "endpoint_url")
    }

    fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().flatten()
    }
}

/// How the title of a section is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `[x]`
    Plain,
    /// `[profile x]`, and `[default]`
    Profile,
    /// `[services x]`
    Services,
}

/// One section of a file.
pub(crate) struct Section<'a> {
    text: &'a str,
    kind: Kind,
    name: &'a str,
}

impl<'a> Section<'a> {
    fn exists(&self) -> bool {
        self.text.lines().any(|line| self.opens(line) == Some(true))
    }

    /// The value of a key at the section's top level; the last one wins. Nested settings are indented.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        let mut found = None;
        for line in self.lines().filter(|line| !line.starts_with([' ', '\t'])) {
            if let Some((name, value)) = setting(line)
                && name.eq_ignore_ascii_case(key)
            {
                found = Some(value).filter(|value| !value.is_empty());
            }
        }
        found
    }

    /// The value of a key that is nested in another one, which has no value of its own.
    fn nested(&self, parent: &str, key: &str) -> Option<&'a str> {
        let (mut inside, mut found) = (false, None);
        for line in self.lines() {
            let Some((name, value)) = setting(line) else { continue };
            if !line.starts_with([' ', '\t']) {
                inside = name.eq_ignore_ascii_case(parent) && value.is_empty();
            } else if inside && name.eq_ignore_ascii_case(key) {
                found = Some(value).filter(|value| !value.is_empty());
            }
        }
        found
    }

    /// The section's lines, without comments.
    fn lines(&self) -> impl Iterator<Item = &'a str> {
        let mut inside = false;
        self.text.lines().filter(move |line| match self.opens(line) {
            Some(ours) => {
                inside = ours;
                false
            }
            None => inside && !line.starts_with(['#', ';']),
        })
    }

    /// Whether the line opens a section, and whether that is this one.
    fn opens(&self, line: &str) -> Option<bool> {
        let title = line.trim_end().strip_prefix('[')?.split(']').next()?.trim();
        let after = |word: &str| title.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
        let name = match self.kind {
            Kind::Plain => Some(title),
            Kind::Profile => after("profile").or(Some(title).filter(|title| *title == "default")),
            Kind::Services => after("services"),
        };
        Some(name.is_some_and(|name| name.trim_matches('"') == self.name))
    }
}

/// The name and value of a line, without a comment behind it.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let value = value.split(" #").next().and_then(|value| value.split(" ;").next()).unwrap_or_default();
    Some((name.trim(), value.trim()))
}

/// The profile's name, and whether somebody asked for it.
pub(crate) fn chosen(named: Option<&str>, env: &dyn Env) -> (String, bool) {
    match named.map(str::to_owned).or_else(|| env.var("AWS_PROFILE")) {
        Some(name) => (name, true),
        None => ("default".to_owned(), false),
    }
}

/// The file's text; `None` when there is no such file.
fn read(file: &Shared, env: &dyn Env, files: &dyn Files) -> Result<Option<Zeroizing<String>>> {
    let default = || Some(Path::new(&env.var("HOME")?).join(file.default));
    let Some(path) = env.var(file.variable).map(PathBuf::from).or_else(default) else { return Ok(None) };
    let refused = |what: String| Error::new(ErrorKind::Unauthenticated, what).during(Operation::Login);
    let mut content = match files.read(&path, FILE_LIMIT) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(refused(format!("{} can't be read; look at its permissions", path.display())).because(error));
        }
    };
    match String::from_utf8(std::mem::take(&mut *content.bytes)) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(refused(format!("{} is not UTF-8", path.display())))
        }
    }
}
