//! [`GcpSecretManager`]: which requests an operation is, and what the answers mean.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Provider, Result, Scope,
    ScopeParts, Secret, SecretName, Selector, Timeline, VersionInfo,
};
use percent_encoding::utf8_percent_encode;

use super::client::Client;
use super::hosts::Hosts;
use super::login::Login;
use super::name::{Asked, Place, is_id_byte, number_of};
use super::settings::GcpSettings;
use super::wire::{Accessed, Described, SecretList, VersionList};
use crate::Ports;
use crate::body::unexpected;
use crate::form::{UNRESERVED, append_fields};
use crate::login::LoginCache;
use crate::oauth::AHEAD;

/// How many items a page has when nobody says, and at most.
const PAGE: u16 = 100;
/// How many numbers below the current one are tried before the list of versions is asked. A read is the right that
/// every reader has, and has 150 times the quota of a list.
const TRIED: u64 = 4;
/// The name of a secret that nobody has: what [`Provider::check`] asks for.
const ABSENT: &str = "lockstep-check-no-such-secret";

/// Secrets of one project in Google Cloud Secret Manager.
///
/// A selector of digits is the number of a version, `latest` the current one, and anything else an alias. Only a read
/// by number is strongly consistent: `latest` and aliases follow a new version within minutes, in bad cases hours.
/// So the version of every answer is the number that it names, and numbers are ordered. Whoever must not be served an
/// old value, as after a notification that carries a number, reads by that number.
///
/// `get` uses the quota of reads (90,000 a minute and project). `describe`, `list` and `versions` share another one of
/// 600 a minute.
pub struct GcpSecretManager {
    scope: Scope,
    place: Place,
    client: Client,
}

impl GcpSecretManager {
    /// The type's name in the configuration.
    pub const TYPE: &'static str = "gcp-secret-manager";

    /// A provider of this project. Nothing is sent yet; a credentials file that can be read is looked at.
    ///
    /// # Errors
    /// `Config` when a setting is wrong, `Config` or `Unauthenticated` when a credentials file is.
    pub fn new(settings: &GcpSettings, ports: Ports) -> Result<Self> {
        settings.check()?;
        let hosts = Arc::new(Hosts::of(settings)?);
        let scope = Scope::new(ScopeParts {
            provider: Self::TYPE.to_owned(),
            endpoint: hosts.text(),
            // Until an answer tells its number.
            account: settings.project.clone(),
            region: settings.location.clone().unwrap_or_default(),
            identity: Login::identity(&settings.auth),
            environment: settings.environment.clone(),
            ..ScopeParts::default()
        });
        let transport = Arc::clone(&ports.transport);
        let timeline = Arc::new(Timeline::new(Arc::clone(&ports.clock)));
        let login = Login::new(settings.auth.clone(), Arc::clone(&hosts), ports);
        login.inspect()?;
        let login = LoginCache::new(login, AHEAD, timeline);
        let client = Client { hosts, login, transport, members: settings.members };
        Ok(Self { scope, place: Place::of(settings), client })
    }

    /// Reads one version, by number, by alias or as `latest`.
    async fn access(&self, call: &Call, asked: &Asked<'_>, version: &str) -> Result<Secret> {
        let version_path = utf8_percent_encode(version, UNRESERVED);
        let path = format!("{}/{}/versions/{version_path}:access", self.place.path(), asked.secret);
        let body = self.client.get(call, &path).await?;
        let secret = body.json::<Accessed<'_>>()?.secret(&self.scope, &self.place, asked)?;
        let number = number_of(version);
        if number.is_some() && secret.version.as_ref().and_then(|version| version.order) != number {
            return Err(unexpected("is of another version than the one asked for"));
        }
        Ok(secret)
    }

    /// Reads a version that may not be there. Google answers alike for a secret and a version that is missing.
    async fn version(&self, call: &Call, asked: &Asked<'_>, version: &str) -> Result<Secret> {
        match self.access(call, asked, version).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        match self.access(call, asked, "latest").await {
            Ok(_) => Err(no_version()),
            Err(error) if matches!(error.kind(), ErrorKind::Disabled | ErrorKind::Destroyed) => Err(no_version()),
            Err(error) => Err(error),
        }
    }

    /// The newest version below the current one that can be read.
    async fn previous(&self, call: &Call, asked: &Asked<'_>) -> Result<Secret> {
        let current = match self.access(call, asked, "latest").await {
            Ok(secret) => secret.version.and_then(|version| version.order),
            // Then the answer does not say which number that is.
            Err(error) if matches!(error.kind(), ErrorKind::Disabled | ErrorKind::Destroyed) => None,
            Err(error) => return Err(error),
        };
        let Some(current) = current else {
            let newest = self.enabled_below(call, asked, u64::MAX).await?;
            return self.access(call, asked, &newest.to_string()).await;
        };
        for number in (current.saturating_sub(TRIED).max(1)..current).rev() {
            match self.access(call, asked, &number.to_string()).await {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Disabled | ErrorKind::Destroyed | ErrorKind::NotFound) => {}
                outcome => return outcome,
            }
        }
        let rest = current.saturating_sub(TRIED);
        if rest <= 1 {
            return Err(no_version());
        }
        let number = self.enabled_below(call, asked, rest).await?;
        self.access(call, asked, &number.to_string()).await
    }

    /// The highest number of an enabled version below this one, by the list of versions.
    async fn enabled_below(&self, call: &Call, asked: &Asked<'_>, below: u64) -> Result<u64> {
        let mut token = None;
        loop {
            let page = Page { token, limit: None };
            let list = self.version_list(call, asked, &page, Some("state:ENABLED")).await?;
            for entry in &list.versions {
                let number = entry.number(&self.place)?;
                if number < below {
                    return Ok(number);
                }
            }
            token = Some(list.next_page_token.ok_or_else(no_version)?);
        }
    }

    async fn version_list(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        page: &Page,
        filter: Option<&str>,
    ) -> Result<VersionList> {
        let query = query(page, filter);
        let path = format!("{}/{}/versions?{query}", self.place.path(), asked.secret);
        let list: VersionList = self.client.get(call, &path).await?.json()?;
        if let Some(entry) = list.versions.first() {
            self.place.confirm(asked, entry.name())?;
        }
        Ok(list)
    }

    async fn get_inner(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let asked = self.place.asked(name)?;
        match selector {
            Selector::Current => self.access(call, &asked, "latest").await,
            Selector::Previous => self.previous(call, &asked).await,
            Selector::Id(number) => {
                let number = number_of(number).ok_or_else(no_version)?;
                self.version(call, &asked, &number.to_string()).await
            }
            Selector::Label(alias) => {
                if !is_alias(alias) {
                    return Err(no_alias());
                }
                let mut secret = self.version(call, &asked, alias).await?;
                secret.labels.push(alias.clone());
                Ok(secret)
            }
        }
    }

    async fn list_inner(&self, call: &Call, prefix: &str, filter: &Filter, page: &Page) -> Result<Paged<Metadata>> {
        if !prefix.bytes().all(is_id_byte) {
            let message = "the prefix has a character that no secret's name has; names have letters, digits, `-`, `_`";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        let path = format!("{}?{}", self.place.path(), query(page, search(prefix, filter).as_deref()));
        let list: SecretList = self.client.get(call, &path).await?.json()?;
        let items = list.secrets.iter().map(|secret| secret.metadata(&self.scope, &self.place));
        let mut items = items.collect::<Result<Vec<_>>>()?;
        // Google's `name:` finds the text anywhere in the whole resource name.
        items.retain(|item| item.name.as_str().starts_with(prefix) && item.has_tags(&filter.tags));
        Ok(Paged { items, next: list.next_page_token })
    }
}

/// The parameters of one page.
fn query(page: &Page, filter: Option<&str>) -> String {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE).to_string();
    let fields = [("pageSize", Some(limit.as_str())), ("pageToken", page.token.as_deref()), ("filter", filter)];
    let mut query = String::new();
    append_fields(&mut query, fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
    query
}

/// What of prefix and labels the API can look for. The rest is looked at when the answer is there.
fn search(prefix: &str, filter: &Filter) -> Option<String> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    let name = (!prefix.is_empty()).then(|| format!("name:{prefix}"));
    let label = |(key, value): &(String, Option<String>)| match value {
        _ if !is_plain(key) => None,
        Some(value) => is_plain(value).then(|| format!("labels.{key}={value}")),
        None => Some(format!("labels.{key}:*")),
    };
    let terms: Vec<String> = name.into_iter().chain(filter.tags.iter().filter_map(label)).collect();
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

/// Whether this can be an alias: letters, digits, `-` and `_`, the first one a letter.
fn is_alias(text: &str) -> bool {
    text.len() <= 63 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_id_byte)
}

fn no_alias() -> Error {
    let message = "the text is neither the number of a version nor an alias; write for example `7`, `latest` or `blue`";
    Error::new(ErrorKind::InvalidReference, message)
}

fn no_version() -> Error {
    let message = "the secret has no such version or alias; `versions` lists those it has";
    Error::new(ErrorKind::VersionNotFound, message).upstream("NOT_FOUND", 404)
}

impl fmt::Debug for GcpSecretManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpSecretManager").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for GcpSecretManager {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { versions: true, labels: true, list: true, describe: true, ..Capabilities::default() }
    }

    /// The whole name of a secret of the provider's own project is its short one. By the number of a project it is asked
    /// for as it is: only an answer tells whose number that is.
    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        // A cached read passes here: nearly every name is short.
        name.as_str().strip_prefix("projects/")?;
        let asked = self.place.asked(name).ok().filter(|asked| asked.project.is_none())?;
        SecretName::parse(asked.secret).ok()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        match text {
            "latest" => Ok(Selector::Current),
            number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Selector::Id(number.into()))
            }
            alias if is_alias(alias) => Ok(Selector::Label(alias.into())),
            _ => Err(no_alias()),
        }
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.get_inner(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let described = async {
            let asked = self.place.asked(name)?;
            let body = self.client.get(call, &format!("{}/{}", self.place.path(), asked.secret)).await?;
            body.json::<Described>()?.confirmed(&self.scope, &self.place, &asked)
        };
        described.await.map_err(|error: Error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let listed = async {
            let list = self.version_list(call, &self.place.asked(name)?, &page, None).await?;
            let items = list.versions.iter().map(|entry| entry.info(&self.place)).collect::<Result<_>>()?;
            Ok(Paged { items, next: list.next_page_token })
        };
        listed.await.map_err(|error: Error| error.during(Operation::Versions).on(name))
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        self.list_inner(call, prefix, filter, &page).await.map_err(|error| error.during(Operation::List))
    }

    /// Reads a secret that is not there. `NotFound` and `Denied` both prove that Secret Manager answers and knows who
    /// asks, so that no right beyond reading values is needed.
    async fn check(&self, call: &Call) -> Result<()> {
        let asked = Asked { secret: ABSENT, project: None };
        match self.access(call, &asked, "latest").await {
            Ok(_) => Ok(()),
            Err(error) if error.operation() == Some(Operation::Login) => Err(error),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => Ok(()),
            Err(error) => Err(error.during(Operation::Check)),
        }
    }
}
