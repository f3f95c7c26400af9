//! [`MockProvider`] itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Payload, Provider,
    Result, Rotation, Scope, ScopeParts, Secret, SecretName, Selector, Version, VersionInfo, VersionState,
};

use super::MockSettings;
use crate::paging::page_of;
use crate::payload::duplicate;

/// How many items a list answers when nobody says.
const PAGE: u16 = 100;

/// A provider in memory that does what it is told.
pub struct MockProvider {
    scope: Scope,
    delay: Duration,
    secrets: Mutex<BTreeMap<SecretName, Kept>>,
    failure: Mutex<Option<ErrorKind>>,
    calls: AtomicU64,
}

/// One secret: what [`MockSecret`](super::MockSecret) became.
#[derive(Default)]
struct Kept {
    versions: Vec<KeptVersion>,
    rotations: std::collections::VecDeque<Payload>,
    error: Option<ErrorKind>,
    delay: Duration,
}

struct KeptVersion {
    payload: Payload,
    state: VersionState,
}

impl MockProvider {
    /// A mock with these secrets.
    ///
    /// # Errors
    /// `InvalidName` when a key of the settings is no secret name.
    pub fn new(settings: MockSettings) -> Result<Self> {
        let mut secrets = BTreeMap::new();
        for (name, secret) in settings.secrets {
            let name = SecretName::parse(&name)?;
            let versions = secret.versions.into_iter().map(KeptVersion::enabled).collect();
            let rotations = secret.rotations.into();
            secrets.insert(name, Kept { versions, rotations, error: secret.error, delay: secret.delay });
        }
        let scope = Scope::new(ScopeParts {
            provider: "mock".into(),
            endpoint: settings.instance,
            environment: settings.environment,
            ..ScopeParts::default()
        });
        Ok(Self {
            scope,
            delay: settings.delay,
            secrets: Mutex::new(secrets),
            failure: Mutex::default(),
            calls: AtomicU64::new(0),
        })
    }

    /// Writes a new version, which is current from now on.
    pub fn put(&self, name: &SecretName, payload: Payload) -> Version {
        let mut secrets = self.locked();
        let versions = &mut secrets.entry(name.clone()).or_default().versions;
        versions.push(KeptVersion::enabled(payload));
        Version::number(versions.len() as u64)
    }

    /// Puts the newest version into this state.
    pub fn mark(&self, name: &SecretName, state: VersionState) {
        if let Some(newest) = self.locked().get_mut(name).and_then(|kept| kept.versions.last_mut()) {
            newest.state = state;
        }
    }

    /// Forgets the secret.
    pub fn remove(&self, name: &SecretName) {
        self.locked().remove(name);
    }

    /// Every call fails like this from now on; with `None`, none does.
    pub fn fail(&self, kind: Option<ErrorKind>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<SecretName, Kept>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call, takes its time, and fails if it is to.
    async fn begin(&self, call: &Call, operation: Operation, name: Option<&SecretName>) -> Result<()> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (delay, error) =
            name.and_then(|name| self.locked().get(name).map(|kept| (kept.delay, kept.error))).unwrap_or_default();
        call.clock().sleep(self.delay + delay).await;
        let failure = *self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match failure.or(error) {
            Some(kind) => Err(named(Error::new(kind, "the mock was told to fail like this"), operation, name)),
            None => Ok(()),
        }
    }

    fn id(&self, name: &SecretName) -> CanonicalId {
        CanonicalId { scope: self.scope.clone(), name: name.clone() }
    }

    fn read(&self, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let secrets = self.locked();
        let versions = secrets.get(name).map(|kept| &kept.versions).filter(|versions| !versions.is_empty());
        let versions = versions.ok_or_else(not_found)?;
        let number = match selector {
            Selector::Current => Some(versions.len()),
            Selector::Previous => versions.len().checked_sub(1),
            Selector::Id(id) => id.parse().ok(),
            Selector::Label(_) => None,
        };
        let number = number.and_then(|number| number.checked_sub(1)).ok_or_else(no_version)?;
        let version = versions.get(number).ok_or_else(no_version)?;
        match version.state {
            VersionState::Enabled => {}
            VersionState::Disabled => return Err(Error::new(ErrorKind::Disabled, "the version is disabled")),
            VersionState::Deleted => return Err(Error::new(ErrorKind::Deleted, "the version is deleted")),
            VersionState::Destroyed => return Err(Error::new(ErrorKind::Destroyed, "the version is destroyed")),
        }
        let mut secret = Secret::new(self.id(name), name.clone(), duplicate(&version.payload));
        secret.version = Some(Version::number(number as u64 + 1));
        Ok(secret)
    }

    fn metadata(&self, name: &SecretName, kept: &Kept) -> Metadata {
        let mut metadata = Metadata::new(self.id(name), name.clone());
        metadata.version = Some(Version::number(kept.versions.len() as u64));
        metadata.rotation_enabled = Some(!kept.rotations.is_empty());
        metadata
    }
}

impl KeptVersion {
    fn enabled(payload: Payload) -> Self {
        Self { payload, state: VersionState::Enabled }
    }
}

impl std::fmt::Debug for MockProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockProvider").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for MockProvider {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { versions: true, list: true, describe: true, rotate: true, ..Capabilities::default() }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if is_number { Selector::Id(text.into()) } else { Selector::Label(text.into()) })
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.begin(call, Operation::Get, Some(name)).await?;
        self.read(name, selector).map_err(|error| named(error, Operation::Get, Some(name)))
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        self.begin(call, Operation::Describe, Some(name)).await?;
        let secrets = self.locked();
        let kept = secrets.get(name).ok_or_else(|| named(not_found(), Operation::Describe, Some(name)))?;
        Ok(self.metadata(name, kept))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        self.begin(call, Operation::Versions, Some(name)).await?;
        let secrets = self.locked();
        let kept = secrets.get(name).ok_or_else(|| named(not_found(), Operation::Versions, Some(name)))?;
        let newest_first = kept.versions.iter().enumerate().rev().map(|(index, version)| VersionInfo {
            version: Version::number(index as u64 + 1),
            labels: Vec::new(),
            created: None,
            state: version.state,
        });
        page_of(newest_first, &page, PAGE)
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        self.begin(call, Operation::List, None).await?;
        if !filter.tags.is_empty() {
            return Err(Error::unsupported("filter by tags: its secrets have none").during(Operation::List));
        }
        let secrets = self.locked();
        let matching = secrets.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        page_of(matching.map(|(name, kept)| self.metadata(name, kept)), &page, PAGE)
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        self.begin(call, Operation::Rotate, Some(name)).await?;
        let mut secrets = self.locked();
        let kept = secrets.get_mut(name).ok_or_else(|| named(not_found(), Operation::Rotate, Some(name)))?;
        let payload = kept.rotations.pop_front().ok_or_else(|| {
            let message = "the mock has no value left to rotate to; add one under `rotations`";
            named(Error::new(ErrorKind::RotationNotConfigured, message), Operation::Rotate, Some(name))
        })?;
        kept.versions.push(KeptVersion::enabled(payload));
        Ok(Rotation { version: Some(Version::number(kept.versions.len() as u64)) })
    }

    async fn check(&self, call: &Call) -> Result<()> {
        self.begin(call, Operation::Check, None).await
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such secret")
}

fn no_version() -> Error {
    Error::new(ErrorKind::VersionNotFound, "there is no such version of the secret")
}

fn named(error: Error, operation: Operation, name: Option<&SecretName>) -> Error {
    let error = error.during(operation);
    match name {
        Some(name) => error.on(name),
        None => error,
    }
}
