//! [`Replay`]: a provider that answers from a recording, and knows nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Files, Filter, Metadata, Operation, Page, Paged, Provider, Result, Rotation,
    Scope, ScopeParts, Secret, SecretName, Selector, VersionInfo,
};

use super::form::{Asked, Which};
use super::recording::{Answers, Kept, read};
use super::seal::Seal;
use super::{Ports, Recording};
use crate::payload::duplicate;

/// A recording as a provider. Each thing that is asked is answered in the order of its answers then, the last one again
/// and again. Nothing here has a lease: the secret of one is answered like any other.
pub struct Replay {
    scope: Scope,
    recording: Recording,
    seal: Seal,
    files: Arc<dyn Files>,
    tape: Mutex<Option<Tape>>,
}

/// The recording, once it was read, and how far each thing has come.
struct Tape {
    answers: Answers,
    heard: BTreeMap<Asked, usize>,
}

impl Replay {
    /// A replay of this recording, which is read when something is asked.
    ///
    /// # Errors
    /// When the key is missing or is not 32 bytes in base64.
    pub fn new(recording: Recording, ports: &Ports) -> Result<Self> {
        let seal = Seal::read(&recording.key, &*ports.env, &*ports.files)?;
        let scope = Scope::new(ScopeParts {
            provider: "replay".into(),
            endpoint: recording.file.display().to_string(),
            ..ScopeParts::default()
        });
        Ok(Self { scope, recording, seal, files: Arc::clone(&ports.files), tape: Mutex::default() })
    }

    /// Reads the recording unless it was read, and looks into it.
    fn with<T>(&self, look: impl FnOnce(&mut Tape) -> Result<T>) -> Result<T> {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tape) = &mut *tape {
            return look(tape);
        }
        let answers = read(&self.recording, &self.seal, &*self.files, &self.scope)?;
        if answers.lost > 0 {
            tracing::warn!(lost = answers.lost, "the recording is not whole: accesses could not be written down");
        }
        look(tape.insert(Tape { answers, heard: BTreeMap::new() }))
    }

    /// The next answer to this, by what `take` makes of it.
    fn next<T>(&self, asked: &Asked, take: impl FnOnce(&Kept) -> Option<T>) -> Result<T> {
        self.with(|tape| {
            let missing = || {
                let message = "the recording has no answer to this; record it, or look at the name";
                Error::new(ErrorKind::NotFound, message)
            };
            let answers = tape.answers.of.get(asked).ok_or_else(missing)?;
            let heard = tape.heard.entry(asked.clone()).or_default();
            let answer = answers.get(*heard).or(answers.last()).ok_or_else(missing)?;
            *heard = heard.saturating_add(1);
            match answer {
                Kept::Failed(error) => Err(error.clone()),
                answer => take(answer).ok_or_else(|| {
                    Error::new(ErrorKind::Decrypt, "the recording answers something else than was asked")
                }),
            }
        })
    }

    /// What can't be asked for of what was recorded is `Unsupported`, and not missing.
    fn able(&self, able: impl FnOnce(Capabilities) -> bool, what: &str) -> Result<()> {
        let can = self.with(|tape| Ok(tape.capabilities()))?;
        if able(can) { Ok(()) } else { Err(Error::unsupported(what)) }
    }
}

impl Tape {
    /// As they were, but for what a recording has no use for.
    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: false, watch: false, leased: false, ..self.answers.capabilities }
    }
}

#[async_trait]
impl Provider for Replay {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    /// None while the recording can't be read: what is asked says why.
    fn capabilities(&self) -> Capabilities {
        self.with(|tape| Ok(tape.capabilities())).unwrap_or_default()
    }

    /// As the provider took it then; a label when it was not asked.
    fn selector(&self, text: &str) -> Result<Selector> {
        self.with(|tape| {
            let is_id = |asked: &Asked| matches!(asked, Asked::Get(_, Which::Id(id)) if &**id == text);
            let is_id = tape.answers.of.keys().any(is_id);
            Ok(if is_id { Selector::Id(text.into()) } else { Selector::Label(text.into()) })
        })
    }

    async fn get(&self, _: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let secret = self.next(&Asked::get(name, selector), |kept| match kept {
            Kept::Secret(secret) => Some(copy(secret)),
            _ => None,
        });
        secret.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, _: &Call, name: &SecretName) -> Result<Metadata> {
        let metadata = self.able(|can| can.describe, "describe a secret without reading it").and_then(|()| {
            self.next(&Asked::describe(name), |kept| match kept {
                Kept::Metadata(metadata) => Some(metadata.clone()),
                _ => None,
            })
        });
        metadata.map_err(|error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, _: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let versions = self.able(|can| can.versions, "list versions").and_then(|()| {
            self.next(&Asked::versions(name, &page), |kept| match kept {
                Kept::Versions(page) => Some(page.clone()),
                _ => None,
            })
        });
        versions.map_err(|error| error.during(Operation::Versions).on(name))
    }

    async fn list(&self, _: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let list = self.able(|can| can.list, "list secrets").and_then(|()| {
            self.next(&Asked::list(prefix, filter, &page), |kept| match kept {
                Kept::List(page) => Some(page.clone()),
                _ => None,
            })
        });
        list.map_err(|error| error.during(Operation::List))
    }

    async fn rotate(&self, _: &Call, name: &SecretName) -> Result<Rotation> {
        let rotation = self.able(|can| can.rotate, "rotate a secret").and_then(|()| {
            self.next(&Asked::rotate(name), |kept| match kept {
                Kept::Rotated(rotation) => Some(rotation.clone()),
                _ => None,
            })
        });
        rotation.map_err(|error| error.during(Operation::Rotate).on(name))
    }

    /// Whether the recording can be read.
    async fn check(&self, _: &Call) -> Result<()> {
        self.with(|_| Ok(())).map_err(|error| error.during(Operation::Check))
    }
}

/// A second copy, every byte of its value in memory that is wiped.
fn copy(secret: &Secret) -> Secret {
    Secret {
        version: secret.version.clone(),
        labels: secret.labels.clone(),
        created: secret.created,
        expires: secret.expires,
        attributes: secret.attributes.clone(),
        ..Secret::new(secret.id.clone(), secret.name.clone(), duplicate(&secret.payload))
    }
}
