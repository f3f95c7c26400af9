//! [`FileProvider`]: reads the file when its stamp has changed, and answers from memory in between.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, ErrorKind, FileStamp, Files, Filter, Metadata, Operation, Page, Paged,
    Provider, Random, Result, Scope, ScopeParts, Secret, SecretName, Selector,
};

use super::FileSettings;
use super::content::{Content, VersionKey, parse};
use super::syntax::Syntax;
use crate::paging::page_of;
use crate::payload::duplicate;

/// The largest file in bytes.
const MAX_BYTES: usize = 8 << 20;
/// How many items a list answers when nobody says.
const PAGE: u16 = 100;

/// Secrets of one file.
pub struct FileProvider {
    scope: Scope,
    settings: FileSettings,
    syntax: Syntax,
    files: Arc<dyn Files>,
    key: VersionKey,
    read: Mutex<Reading>,
}

/// What the last look at the file found.
struct Reading {
    /// The stamp of the file that was read last, good or not.
    stamp: FileStamp,
    /// The last good content.
    content: Arc<Content>,
    /// Why the file as it is now is not `content`.
    fault: Option<Error>,
}

impl FileProvider {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// `Config` when the file can't be read, has another ending, is open to others, or does not parse. The message says
    /// where and what to do, and quotes nothing of the file.
    pub fn new(settings: FileSettings, files: Arc<dyn Files>, random: &dyn Random) -> Result<Self> {
        let syntax = Syntax::of(&settings.path).ok_or_else(|| {
            let message = format!(
                "{} is no secrets file by its name; end it in `.yaml`, `.json` or `.toml`",
                settings.path.display()
            );
            Error::new(ErrorKind::Config, message)
        })?;
        let key = VersionKey::new(random);
        let (stamp, content) = load(&settings, syntax, &*files, &key);
        let stamp = stamp.map_err(|error| {
            let message = format!("{} can't be read; look at its path and permissions", settings.path.display());
            Error::new(ErrorKind::Config, message).because(error)
        })?;
        let read = Mutex::new(Reading { stamp, content: Arc::new(content?), fault: None });
        let scope = Scope::new(ScopeParts {
            provider: "file".into(),
            endpoint: settings.path.display().to_string(),
            environment: settings.environment.clone(),
            ..ScopeParts::default()
        });
        Ok(Self { scope, settings, syntax, files, key, read })
    }

    pub(super) fn settings(&self) -> &FileSettings {
        &self.settings
    }

    pub(super) fn key(&self) -> &VersionKey {
        &self.key
    }

    /// What the file holds now, or held when it was last good; with the fault that the file has now.
    ///
    /// # Errors
    /// `Unavailable` when there is no file any more: it may be back in a moment.
    pub(super) fn content(&self) -> Result<(Arc<Content>, Option<Error>)> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |error: Error| {
            let message = format!("{} can't be read any more; put it back", self.settings.path.display());
            Error::new(ErrorKind::Unavailable, message).because(error)
        };
        let stamp = self.files.stamp(&self.settings.path).map_err(gone)?;
        if stamp != read.stamp {
            let (stamp, content) = load(&self.settings, self.syntax, &*self.files, &self.key);
            read.stamp = stamp.map_err(gone)?;
            match content {
                Ok(content) => {
                    read.content = Arc::new(content);
                    read.fault = None;
                }
                Err(fault) => {
                    tracing::warn!(
                        fault = fault.message(),
                        "the secrets file is not taken over; the last good one is served on"
                    );
                    read.fault = Some(fault);
                }
            }
        }
        Ok((read.content.clone(), read.fault.clone()))
    }

    fn id(&self, name: &SecretName) -> CanonicalId {
        CanonicalId { scope: self.scope.clone(), name: name.clone() }
    }

    fn one(&self, name: &SecretName) -> Result<Secret> {
        let (content, _) = self.content()?;
        let held = content.get(name).ok_or_else(not_found)?;
        let mut secret = Secret::new(self.id(name), name.clone(), duplicate(&held.payload));
        secret.version = Some(held.version.clone());
        Ok(secret)
    }
}

/// Reads the file once: its stamp unless it can't be read at all, and its content unless it is refused.
fn load(
    settings: &FileSettings,
    syntax: Syntax,
    files: &dyn Files,
    key: &VersionKey,
) -> (Result<FileStamp>, Result<Content>) {
    let file = match files.read(&settings.path, MAX_BYTES) {
        Ok(file) => file,
        Err(error) => return (Err(error.clone()), Err(error)),
    };
    let path = settings.path.display();
    let refused = |what: String| Err(Error::new(ErrorKind::Config, what));
    let content = if !settings.insecure_permissions && file.stamp.mode & 0o077 != 0 {
        refused(format!(
            "{path} holds secrets and others may open it (mode {:03o}); run `chmod 600 {path}`, or set `insecure_permissions = true`",
            file.stamp.mode & 0o777
        ))
    } else if !settings.insecure_permissions && !file.stamp.own {
        refused(format!(
            "{path} holds secrets and belongs to another user; run `chown` on it, or set `insecure_permissions = true`"
        ))
    } else {
        match std::str::from_utf8(&file.bytes) {
            Ok(text) => parse(text, syntax, settings.members, key)
                .map_err(|fault| Error::new(ErrorKind::Config, format!("{path}: {fault}"))),
            Err(_) => refused(format!("{path} is not UTF-8; save it as UTF-8, and bytes as `binary = \"base64\"`")),
        }
    };
    (Ok(file.stamp), content)
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such secret in the file")
}

impl fmt::Debug for FileProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileProvider").field("path", &self.settings.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for FileProvider {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { list: true, describe: true, watch: true, ..Capabilities::default() }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Label(text.into()))
    }

    async fn get(&self, _call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let secret = match selector {
            Selector::Current => self.one(name),
            _ => Err(Error::unsupported("read another version than the current one: a file keeps one")),
        };
        secret.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, _call: &Call, name: &SecretName) -> Result<Metadata> {
        let named = |error: Error| error.during(Operation::Describe).on(name);
        let (content, _) = self.content().map_err(named)?;
        let held = content.get(name).ok_or_else(|| named(not_found()))?;
        let mut metadata = Metadata::new(self.id(name), name.clone());
        metadata.version = Some(held.version.clone());
        Ok(metadata)
    }

    async fn list(&self, _call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        if !filter.tags.is_empty() {
            return Err(Error::unsupported("filter by tags: a file has none").during(Operation::List));
        }
        let (content, _) = self.content().map_err(|error| error.during(Operation::List))?;
        let matching = content.iter().filter(|(name, _)| name.as_str().starts_with(prefix)).map(|(name, held)| {
            let mut metadata = Metadata::new(self.id(name), name.clone());
            metadata.version = Some(held.version.clone());
            metadata
        });
        page_of(matching, &page, PAGE).map_err(|error| error.during(Operation::List))
    }

    async fn check(&self, _call: &Call) -> Result<()> {
        let checked = self.content().and_then(|(_, fault)| fault.map_or(Ok(()), Err));
        checked.map_err(|error| error.during(Operation::Check))
    }
}
