//! AWS Secrets Manager: values, versions and staging labels, metadata, lists, rotation.
//!
//! A secret is asked for by name, partial ARN or ARN; whatever the spelling, its identity is the ARN that is answered.
//! The region of an ARN overrides the session's. Where the secrets have replicas in other regions, those are read while
//! the region of a secret does not answer.

mod batch;
mod regions;
mod rotation;
#[cfg(feature = "aws-rotation")]
mod versions;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Provider, Result, Rotation, Scope,
    Secret, SecretName, Selector, VersionInfo,
};

use self::regions::{Regions, is_outage, logged_in, share, spelled};
#[cfg(feature = "aws-rotation")]
pub use self::versions::{RotatedSecret, RotationSecrets, Staged};
use self::wire::{
    DescribeSecret, GetSecretValue, ListFilter, ListSecretVersionIds, ListSecrets, SecretEntry, SecretList,
    SecretValueEntry, VersionList,
};
use super::arn::Arn;
use super::endpoint::Service;
use super::errors::like;
use super::json::JsonClient;
use super::region::Region;
use super::session::{ServiceSettings, Session};

/// A name that nobody has: what [`Provider::check`] asks for.
const ABSENT: &str = "lockstep/check/no-such-secret";

/// What Secrets Manager has for settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretsManagerSettings {
    /// Endpoint and limits.
    pub service: ServiceSettings,
    /// The regions with replicas of the secrets, in the order in which they are asked when the session's does not
    /// answer. Values and descriptions are read from them; everything else is asked in the session's region alone.
    pub replicas: Vec<String>,
}

/// Secrets of AWS Secrets Manager.
///
/// A selector in the shape of a UUID is a version id, anything else a staging label; `AWSCURRENT` and `AWSPREVIOUS` are
/// the current and the previous version, so that both spellings are one entry of a cache. The text
/// `<version id>:<staging label>` asks for both at once, as `GetSecretValue` can: the version is answered only if the
/// label is on it. It counts as a label, since the label can move away.
pub struct SecretsManager {
    client: JsonClient,
    regions: Regions,
    scope: Scope,
    /// AWS has denied the batch call: it is a permission of its own, and the single one is enough.
    batch_denied: AtomicBool,
}

impl SecretsManager {
    /// The type's name in the configuration.
    pub const TYPE: &'static str = "aws-secrets-manager";

    /// A provider of this session.
    ///
    /// # Errors
    /// `Config` when the endpoint or a region is wrong.
    pub fn new(session: Arc<Session>, settings: &SecretsManagerSettings) -> Result<Self> {
        let regions = Regions::new(session.region.clone(), &settings.replicas, session.clock.timeline())?;
        let client = JsonClient::new(session, Service::SecretsManager, &settings.service)?;
        let scope = client.session().scope(Self::TYPE, client.endpoint(), &regions.mark());
        Ok(Self { client, regions, scope, batch_denied: AtomicBool::new(false) })
    }

    /// Reads one value, without looking twice at what is refused.
    async fn read(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let (version_id, version_stage) = match selector {
            // Never left to AWS's default: it is a pointer that other implementations move late.
            Selector::Current => (None, Some("AWSCURRENT")),
            Selector::Previous => (None, Some("AWSPREVIOUS")),
            Selector::Id(id) => (Some(&**id), None),
            Selector::Label(text) => match id_and_stage(text) {
                Some((id, stage)) => (Some(id), Some(stage)),
                None => (None, Some(&**text)),
            },
        };
        let home = region_of(name)?;
        let input =
            |region: &Region| GetSecretValue { secret_id: spelled(name.as_str(), region), version_id, version_stage };
        let answer = self.regions.ask(&self.client, call, "GetSecretValue", home.as_ref(), input).await?;
        let mut entry = answer.body.json::<SecretValueEntry<'_>>()?;
        entry.stands_for(answer.instead_of.as_ref());
        let secret = entry.secret(&self.scope)?;
        let has_id = |id: &str| secret.version.as_ref().is_some_and(|version| &*version.id == id);
        let has_stage = |stage: &str| secret.labels.iter().any(|label| &**label == stage);
        let is_asked_for = version_id.is_none_or(|id| has_id(id) && version_stage.is_none_or(has_stage));
        if is_asked_for {
            return Ok(secret);
        }
        Err(Error::new(ErrorKind::VersionNotFound, "AWS answered with another version than the one asked for"))
    }

    async fn entry(&self, call: &Call, name: &SecretName) -> Result<SecretEntry> {
        let home = region_of(name)?;
        let input = |region: &Region| DescribeSecret { secret_id: spelled(name.as_str(), region) };
        let answer = self.regions.ask(&self.client, call, "DescribeSecret", home.as_ref(), input).await?;
        let mut entry: SecretEntry = answer.body.json()?;
        entry.stands_for(answer.instead_of.as_ref());
        Ok(entry)
    }

    /// What `InvalidRequestException` means, and whether the secret or only the version is missing, is just in the
    /// words of the answer; the secret's own state says it for sure. Where `DescribeSecret` is not granted, the words
    /// have to do.
    async fn explained(&self, call: &Call, name: &SecretName, selector: &Selector, error: Error) -> Error {
        let misses_a_version = error.kind() == ErrorKind::NotFound && *selector != Selector::Current;
        if error.upstream_code() != Some("InvalidRequestException") && !misses_a_version {
            return error;
        }
        let Ok(entry) = self.entry(call, name).await else { return error };
        if misses_a_version {
            let message = "the secret has no such version or staging label; `versions` lists those it has";
            return like(&error, ErrorKind::VersionNotFound, message);
        }
        match (entry.is_deleted(), error.kind()) {
            (true, ErrorKind::Deleted) | (false, ErrorKind::Conflict | ErrorKind::VersionNotFound) => error,
            (true, _) => {
                like(&error, ErrorKind::Deleted, "the secret is scheduled for deletion; restore it to read it")
            }
            (false, ErrorKind::Deleted) => {
                like(&error, ErrorKind::Conflict, "the secret's state does not allow this; `describe` shows it")
            }
            (false, _) => error,
        }
    }
}

#[async_trait]
impl Provider for SecretsManager {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            labels: true,
            list: true,
            describe: true,
            rotate: true,
            batch: true,
            watch: false,
            leased: false,
        }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(match text {
            "AWSCURRENT" => Selector::Current,
            "AWSPREVIOUS" => Selector::Previous,
            id if is_uuid(id) => Selector::Id(id.into()),
            label => Selector::Label(label.into()),
        })
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        match self.read(call, name, selector).await {
            Ok(secret) => Ok(secret),
            Err(error) => Err(self.explained(call, name, selector, error).await.during(Operation::Get).on(name)),
        }
    }

    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        batch::get_many(self, call, wanted).await
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let known = async { self.entry(call, name).await?.metadata(&self.scope) }.await;
        known.map_err(|error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let input = ListSecretVersionIds {
            secret_id: name.as_str(),
            include_deprecated: true,
            max_results: page.limit.map(|limit| limit.clamp(1, 100)),
            next_token: page.token.as_deref(),
        };
        let listed = async {
            let body = self.client.send(call, "ListSecretVersionIds", region_of(name)?.as_ref(), &input).await?;
            let list: VersionList = body.json()?;
            Ok(Paged { items: list.versions.into_iter().map(Into::into).collect(), next: list.next_token })
        };
        listed.await.map_err(|error: Error| error.during(Operation::Versions).on(name))
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let listed = async {
            let input = ListSecrets {
                max_results: page.limit.map(|limit| limit.clamp(1, 100)),
                next_token: page.token.as_deref(),
                filters: filters(prefix, filter)?,
            };
            let body = self.client.send(call, "ListSecrets", None, &input).await?;
            let list: SecretList = body.json()?;
            // AWS allows names such as `a//b`. Nobody can ask for one here, and it must not hide the others.
            let is_name = |name: &str| name.starts_with(prefix) && SecretName::parse(name).is_ok();
            let items = list.secret_list.into_iter().filter(|entry| is_name(&entry.name));
            let mut items = items.map(|entry| entry.metadata(&self.scope)).collect::<Result<Vec<_>>>()?;
            // AWS's filters look at keys and values apart from each other, and at beginnings of them.
            items.retain(|item| item.has_tags(&filter.tags));
            Ok(Paged { items, next: list.next_token })
        };
        listed.await.map_err(|error: Error| error.during(Operation::List))
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        rotation::rotate(self, call, name).await.map_err(|error| error.during(Operation::Rotate).on(name))
    }

    /// Asks for the metadata of a secret that is not there. `NotFound` and `Denied` both prove that Secrets Manager
    /// answers and knows who asks, so that no permission beyond reading values is needed.
    async fn check(&self, call: &Call) -> Result<()> {
        let input = DescribeSecret { secret_id: ABSENT.into() };
        let whole = logged_in(&self.client, call).await?;
        let order = self.regions.order(None);
        let mut failure = None;
        // One region that answers is enough: it is the one that reads are answered from.
        for (at, region) in order.iter().enumerate() {
            let part = share(&whole, order.len() - at);
            let Err(error) = self.client.send(&part, "DescribeSecret", Some(region), &input).await else {
                return Ok(());
            };
            let is_answer = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied);
            match error.operation() {
                Some(Operation::Login) => return Err(error),
                _ if is_answer => return Ok(()),
                _ if !is_outage(&error) => return Err(error.during(Operation::Check)),
                _ => failure = failure.or(Some(error)),
            }
        }
        let error = failure.unwrap_or_else(|| Error::new(ErrorKind::Internal, "no region was asked"));
        Err(error.during(Operation::Check))
    }
}

/// The region of a name that is an ARN.
fn region_of(name: &SecretName) -> Result<Option<Region>> {
    let Some(arn) = Arn::parse(name.as_str(), Service::SecretsManager)? else { return Ok(None) };
    if arn.resource.strip_prefix("secret:").is_none_or(|name| name.is_empty() || name.contains(':')) {
        let message = "the name is an ARN, but not one of a secret; it ends in `:secret:<name>`";
        return Err(Error::new(ErrorKind::InvalidName, message));
    }
    Ok(Some(arn.region))
}

/// `8-4-4-4-12` hex digits, as Secrets Manager makes them.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn id_and_stage(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(id, stage)| is_uuid(id) && !stage.is_empty())
}

/// Filters for name and tags; ten at most, the rest is looked at when the answer is there.
fn filters<'a>(prefix: &'a str, filter: &'a Filter) -> Result<Vec<ListFilter<'a>>> {
    let mut filters = Vec::new();
    if !prefix.is_empty() {
        // A `!` in front would turn the filter round.
        if !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b)) {
            let message = "the prefix has a character that no secret's name has; names have letters, digits, `/_+=.@-`";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        filters.push(ListFilter { key: "name", values: [prefix] });
    }
    for (key, value) in &filter.tags {
        filters.push(ListFilter { key: "tag-key", values: [key] });
        filters.extend(value.iter().map(|value| ListFilter { key: "tag-value", values: [value] }));
    }
    filters.retain(|filter| !filter.values[0].starts_with('!') && !filter.values[0].is_empty());
    filters.truncate(10);
    Ok(filters)
}

#[cfg(test)]
mod tests;
