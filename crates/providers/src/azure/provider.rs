//! [`AzureKeyVault`]: which requests an operation is, and what the answers mean.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, ErrorKind, Filter, Metadata, Moment, Operation, Page, Paged, Payload,
    Provider, Result, Scope, ScopeParts, Secret, SecretName, Selector, Timeline, Version, VersionInfo, VersionState,
};

use super::session::Session;
use super::settings::AzureSettings;
use super::wire::{API_VERSION, Attributes, Bundle, Listed, NAME, is_name, is_token, is_version, time};
use crate::Ports;
use crate::body::{Body, text, unexpected};
use crate::paging::page_of;

/// The items of one answer, at most.
const UPSTREAM_PAGE: u16 = 25;
/// How many items a page of ours has when nobody says, and at most.
const PAGE: u16 = 100;
/// Answers that one page of a list is put together from, at most: a filter may leave nothing of any.
const ANSWERS: usize = 8;
/// Answers that the versions of one secret are put together from, at most: 10,000 versions.
const VERSION_ANSWERS: usize = 400;
/// How long nobody looks at deleted secrets after the vault refused that.
const NO_LOOK: Duration = Duration::from_mins(5);

/// One Azure Key Vault.
pub struct AzureKeyVault {
    scope: Scope,
    pub(super) session: Session,
    timeline: Arc<Timeline>,
    /// When the vault last refused to show deleted secrets: a right of its own, which not everybody has.
    blind: Mutex<Option<Moment>>,
}

/// One version, without its value.
struct Item {
    id: Version,
    name: SecretName,
    attributes: Attributes,
    tags: BTreeMap<String, String>,
}

impl AzureKeyVault {
    /// A provider that has not asked anybody anything yet.
    ///
    /// # Errors
    /// `Config` when the address is no vault of the cloud, or another setting can't be one.
    pub fn new(settings: AzureSettings, ports: Ports) -> Result<Self> {
        let timeline = Arc::new(Timeline::new(ports.clock.clone()));
        let session = Session::new(&settings, ports, timeline.clone())?;
        let scope = Scope::new(ScopeParts {
            provider: "azure-key-vault".into(),
            endpoint: session.vault.text(),
            account: settings.auth.tenant().unwrap_or_default().to_owned(),
            // Names of two vaults are alike, and a Change says which vault it is of.
            region: session.vault.host().to_owned(),
            identity: settings.auth.identity(),
            environment: settings.environment,
            ..ScopeParts::default()
        });
        Ok(Self { scope, session, timeline, blind: Mutex::default() })
    }

    fn id(&self, name: &SecretName) -> CanonicalId {
        let name = self.respelled(name).unwrap_or_else(|| name.clone());
        CanonicalId { scope: self.scope.clone(), name }
    }

    async fn read(&self, call: &Call, path: &str) -> Result<Response<Bytes>> {
        self.session.read(call, &format!("{path}?api-version={API_VERSION}")).await
    }

    /// The value of the newest version, or of this one.
    async fn value(&self, call: &Call, name: &SecretName, version: Option<&str>) -> Result<Secret> {
        let version = version.map_or_else(String::new, |version| format!("/{version}"));
        let response = self.read(call, &format!("/secrets/{name}{version}")).await?;
        let body = Body::new(response.into_body());
        let bundle: Bundle<'_> = body.json()?;
        let (answered, id) = bundle.identity()?;
        let id = id.ok_or_else(|| unexpected("names no version"))?;
        let is_asked = version.is_empty() || version[1..].eq_ignore_ascii_case(&id);
        if !is_asked || !answered.as_str().eq_ignore_ascii_case(name.as_str()) {
            return Err(unexpected("is of another secret or version"));
        }
        let value = bundle.value.ok_or_else(|| unexpected("has no value"))?;
        let mut secret = Secret::new(self.id(&answered), answered, Payload::text(text(value)?));
        let Attributes { nbf, exp, created, .. } = bundle.attributes;
        secret.version = Some(Version::unordered(id));
        secret.created = created.map(time);
        // Both times bind nobody: an end that is past is told, and one to come shortens the time in the cache.
        secret.expires = exp.map(time).filter(|end| *end > call.clock().wall());
        let told = [("nbf", nbf), ("exp", exp)].into_iter();
        secret.attributes.extend(told.filter_map(|(key, at)| Some((key, time(at?).to_rfc3339().into()))));
        secret.attributes.extend(bundle.content_type.map(|kind| ("contentType", kind.into())));
        Ok(secret)
    }

    async fn get_inner(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        checked(name)?;
        match selector {
            Selector::Current => match self.value(call, name, None).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Err(self.gone(call, name, error).await),
                outcome => outcome,
            },
            Selector::Id(version) if !is_version(version) => Err(no_version()),
            Selector::Id(version) => match self.value(call, name, Some(version)).await {
                // The vault answers alike for a missing version and a missing secret. Whether there is a current one
                // is asked with the right that the read needs anyway.
                Err(error) if error.kind() == ErrorKind::NotFound => match self.value(call, name, None).await {
                    Ok(_) => Err(no_version()),
                    Err(now) if now.kind() == ErrorKind::Disabled => Err(no_version()),
                    Err(now) if now.kind() == ErrorKind::NotFound => Err(self.gone(call, name, error).await),
                    Err(now) => Err(now),
                },
                outcome => outcome,
            },
            Selector::Previous => {
                let versions = self.history(call, name).await?;
                let previous = self.previous(call, name, &versions).await?;
                self.value(call, name, Some(&previous)).await
            }
            Selector::Label(_) => Err(Error::unsupported("read a label: versions of Azure Key Vault have ids alone")),
        }
    }

    /// Deleted, if the vault says so; else the error as it is.
    async fn gone(&self, call: &Call, name: &SecretName, error: Error) -> Error {
        match self.deleted(call, name).await {
            Ok(Some(_)) => {
                let message = "the secret is deleted and can be recovered; recover it, or purge it to write it anew";
                Error::new(ErrorKind::Deleted, message).upstream("SecretNotFound", 404)
            }
            Ok(None) => error,
            // Whether it is missing or deleted decides what is asked next: nobody guesses.
            Err(unknown) => unknown,
        }
    }

    /// What the vault tells of a deleted secret. `None` also when it may not be asked.
    async fn deleted(&self, call: &Call, name: &SecretName) -> Result<Option<Metadata>> {
        let now = self.timeline.now();
        let blind = *self.blind.lock().unwrap_or_else(PoisonError::into_inner);
        if blind.is_some_and(|since| !now.is_past(since, NO_LOOK)) {
            return Ok(None);
        }
        let response = match self.read(call, &format!("/deletedsecrets/{name}")).await {
            Ok(response) => response,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Denied => {
                *self.blind.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let body = Body::new(response.into_body());
        let bundle: Bundle<'_> = body.json()?;
        let deleted = bundle.deleted.ok_or_else(|| unexpected("does not say when the secret was deleted"))?;
        let (answered, _) = bundle.identity()?;
        let mut metadata = self.metadata(&answered, bundle.attributes, bundle.tags);
        metadata.deleted = Some(time(deleted));
        Ok(Some(metadata))
    }

    fn metadata(&self, name: &SecretName, of: Attributes, tags: BTreeMap<String, String>) -> Metadata {
        let mut metadata = Metadata::new(self.id(name), name.clone());
        metadata.tags = tags;
        metadata.created = of.created.map(time);
        metadata.changed = of.updated.map(time);
        metadata
    }

    /// All versions of a secret, newest first; none when there is no such secret, or it is deleted.
    async fn all_versions(&self, call: &Call, name: &SecretName) -> Result<Vec<Item>> {
        let path = format!("/secrets/{name}/versions");
        let (mut items, mut token) = (Vec::new(), None);
        for _ in 0..VERSION_ANSWERS {
            let response = match self.listed(call, &path, UPSTREAM_PAGE, token.as_deref()).await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                outcome => outcome?,
            };
            let body = Body::new(response.into_body());
            let listed: Listed<'_> = body.json()?;
            token = listed.next(&self.session.vault, &path)?;
            for bundle in listed.value {
                let (name, version) = bundle.identity()?;
                let id = Version::unordered(version.ok_or_else(|| unexpected("lists a version without its id"))?);
                items.push(Item { id, name, attributes: bundle.attributes, tags: bundle.tags });
            }
            if token.is_none() {
                // The vault lists them in no order.
                items.sort_by_key(|item| std::cmp::Reverse(item.attributes.created));
                return Ok(items);
            }
        }
        Err(Error::new(ErrorKind::TooLarge, "the secret has more than 10000 versions; name one by its id"))
    }

    /// The versions of a secret that is there.
    async fn history(&self, call: &Call, name: &SecretName) -> Result<Vec<Item>> {
        checked(name)?;
        let versions = self.all_versions(call, name).await?;
        if versions.is_empty() {
            return Err(self.gone(call, name, not_found()).await);
        }
        Ok(versions)
    }

    /// The id of the version that was current before. Times are whole seconds, so two may say the same.
    async fn previous(&self, call: &Call, name: &SecretName, versions: &[Item]) -> Result<Box<str>> {
        let created = |at: usize| versions.get(at).map(|item| item.attributes.created);
        let Some(second) = created(1) else { return Err(no_version()) };
        if created(2) == Some(second) {
            return Err(Error::unsupported("tell which version was current before: several were made in one second"));
        }
        if created(0) == Some(second) {
            // One of the two is current, and only a read tells which.
            let current = self.value(call, name, None).await?.version;
            let before = versions.iter().take(2).find(|item| Some(&item.id) != current.as_ref());
            return before.map(|item| item.id.id.clone()).ok_or_else(no_version);
        }
        versions.get(1).map(|item| item.id.id.clone()).ok_or_else(no_version)
    }

    async fn listed(&self, call: &Call, path: &str, size: u16, token: Option<&str>) -> Result<Response<Bytes>> {
        let next = token.map_or_else(String::new, |token| format!("&$skiptoken={token}"));
        self.session.read(call, &format!("{path}?api-version={API_VERSION}&maxresults={size}{next}")).await
    }

    async fn list_inner(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let prefix = prefix.trim_start_matches('/');
        let limit = usize::from(page.limit.unwrap_or(PAGE).clamp(1, PAGE));
        let mut next = page.token;
        if next.as_deref().is_some_and(|token| !is_token(token)) {
            return Err(Page::bad_token());
        }
        let mut items: Vec<Metadata> = Vec::new();
        for _ in 0..ANSWERS {
            let size = u16::try_from(limit - items.len()).unwrap_or(UPSTREAM_PAGE).min(UPSTREAM_PAGE);
            let response = self.listed(call, "/secrets", size, next.as_deref()).await?;
            let body = Body::new(response.into_body());
            let listed: Listed<'_> = body.json()?;
            next = listed.next(&self.session.vault, "/secrets")?;
            for bundle in listed.value {
                let (name, _) = bundle.identity()?;
                let metadata = self.metadata(&name, bundle.attributes, bundle.tags);
                if begins(name.as_str(), prefix) && metadata.has_tags(&filter.tags) {
                    items.push(metadata);
                }
            }
            if next.is_none() || items.len() >= limit {
                break;
            }
        }
        Ok(Paged { items, next })
    }

    async fn check_inner(&self, call: &Call) -> Result<()> {
        match self.listed(call, "/secrets", 1, None).await {
            Ok(_) => Ok(()),
            // Who may read and not list is answered like this: address, login and network are good.
            Err(error)
                if matches!(error.upstream_code(), Some("ForbiddenByRbac" | "ForbiddenByPolicy" | "AccessDenied")) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a name begins like this; names that differ in case alone are one.
fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A name that the vault can have, or what to write instead.
fn checked(name: &SecretName) -> Result<()> {
    let text = name.as_str();
    if is_name(text) {
        return Ok(());
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let instead: String = text.trim_start_matches('/').chars().take(NAME).map(plain).collect();
    let message = format!(
        "a name in Azure Key Vault is 1 to {NAME} letters, digits and `-`; write for example `{instead}`, if the secret \
         is called so there"
    );
    Err(Error::new(ErrorKind::InvalidName, message))
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such secret").upstream("SecretNotFound", 404)
}

fn no_version() -> Error {
    Error::new(ErrorKind::VersionNotFound, "there is no such version of the secret").upstream("SecretNotFound", 404)
}

impl fmt::Debug for AzureKeyVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKeyVault").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for AzureKeyVault {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { versions: true, list: true, describe: true, ..Capabilities::default() }
    }

    /// To the vault, names that differ in case alone are one.
    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        let is_other = name.as_str().bytes().any(|byte| byte.is_ascii_uppercase());
        is_other.then(|| SecretName::parse(&name.as_str().to_ascii_lowercase()).ok())?
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(if is_version(text) { Selector::Id(text.to_ascii_lowercase().into()) } else { Selector::Label(text.into()) })
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.get_inner(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let described = async {
            checked(name)?;
            let versions = self.all_versions(call, name).await?;
            let (Some(newest), Some(oldest)) = (versions.first(), versions.last()) else {
                return self.deleted(call, name).await?.ok_or_else(not_found);
            };
            let mut metadata = self.metadata(&newest.name, newest.attributes, newest.tags.clone());
            metadata.version = Some(newest.id.clone());
            metadata.created = oldest.attributes.created.map(time);
            Ok(metadata)
        };
        described.await.map_err(|error: Error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let named = |error: Error| error.during(Operation::Versions).on(name);
        let versions = self.history(call, name).await.map_err(named)?;
        let info = |item: Item| VersionInfo {
            version: item.id,
            labels: Vec::new(),
            created: item.attributes.created.map(time),
            state: if item.attributes.enabled { VersionState::Enabled } else { VersionState::Disabled },
        };
        page_of(versions.into_iter().map(info), &page, PAGE).map_err(named)
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        self.list_inner(call, prefix, filter, page).await.map_err(|error| error.during(Operation::List))
    }

    async fn check(&self, call: &Call) -> Result<()> {
        self.check_inner(call).await.map_err(|error| error.during(Operation::Check))
    }
}
